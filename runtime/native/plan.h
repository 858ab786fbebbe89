// How the launches of an entry are executed: which of them take turns, and what the run writes for certain.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "image.h"

namespace tfmbs {

// Vector programs that follow each other, executed in parts, so that what one stores is still in a cache when the next
// one loads it. Each part of a launch comes after all parts of earlier launches that access the same bytes, one of the
// two storing.
struct Group {
  struct Part {
    uint32_t launch;  // of the group
    uint64_t turns;   // of its outermost loops, or TO_THE_END
  };
  uint32_t first, count;  // launches of the entry
  uint64_t words;         // that they execute
  std::vector<Part> parts;
};

struct Plan {
  std::vector<Group> groups;  // in order; launches of no group run by themselves
  // By output slot: so many bytes from its start on are written, and not read before.
  std::map<uint32_t, uint64_t> written;
};

// Never throws for what a valid image holds: what cannot be told beforehand makes no groups and counts as not written.
Plan plan_of(const Image& image, const abi::Entry& entry);

}  // namespace tfmbs
