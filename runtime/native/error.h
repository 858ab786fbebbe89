// The exception that the bindings turn into tfmbs.TfmbsError.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace tfmbs {

// `code` is one of the codes of runtime/abi/errors.py.
class Error : public std::exception {
 public:
  Error(std::string code, std::string where, std::string what)
      : code_(std::move(code)), where_(std::move(where)), what_(std::move(what)) {}
  const std::string& code() const { return code_; }
  const std::string& where() const { return where_; }
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string code_, where_, what_;
};

}  // namespace tfmbs
