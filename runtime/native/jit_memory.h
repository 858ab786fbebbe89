// Memory that code is written to and then executed from, never both at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tfmbs {

class CodeMemory {
 public:
  // nullptr where the system does not let memory be executed.
  static std::shared_ptr<const CodeMemory> of(const std::vector<uint8_t>& code);
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  const uint8_t* data() const { return data_; }

 private:
  CodeMemory(uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t* data_;
  size_t size_;
};

}  // namespace tfmbs
