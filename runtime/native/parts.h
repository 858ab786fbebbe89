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

using Spans = std::vector<Span>;
// The spans of each part of a launch.
using Parts = std::vector<Spans>;

// Whether two parts access the same bytes, one of them storing; windows that are bits of `apart` do not count.
bool meet(const Spans& one, const Spans& other, uint32_t apart = 0);

// Launches, by number, in the order in which their next parts are executed: late launches as early as may be.
std::vector<uint32_t> interleaved(const std::vector<Parts>& launches);

}  // namespace tfmbs
