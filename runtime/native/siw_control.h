// The structure of control in a vector program: loops and skipped parts nest.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "abi.gen.h"

namespace tfmbs {

class ControlChecker {
 public:
  // `last`: index of the program's last word; `fail` throws.
  ControlChecker(size_t last, std::function<void(const std::string&)> fail) : last_(last), fail_(std::move(fail)) {}

  // Checks the control of the next word.
  void word(const abi::Word& word);
  // Whether the word just checked runs exactly once, before anything behind it.
  bool is_straight() const { return straight_; }

 private:
  struct Region {
    size_t end;  // first word after it
    bool loops;
  };

  void enter(const abi::Word& word, bool loops);
  unsigned depth() const;

  size_t last_, index_ = 0;
  std::function<void(const std::string&)> fail_;
  std::vector<Region> open_;  // outermost first
  bool straight_ = true;
};

}  // namespace tfmbs
