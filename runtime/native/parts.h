// In which order parts of launches are executed so that each finds memory as if whole launches followed each other.
#pragma once

#include <cstdint>
#include <vector>

namespace tfmbs {

// Bytes of a memory, from the least to the last of those that a part of a launch accesses through a window.
struct Span {
  unsigned window;
  uint64_t memory;
  uint64_t low, end;
  bool writes;
};

// The spans of each part of a launch.
using Parts = std::vector<std::vector<Span>>;

// Launches, by number, in the order in which their next parts are executed: late launches as early as may be.
std::vector<uint32_t> interleaved(const std::vector<Parts>& launches);

}  // namespace tfmbs
