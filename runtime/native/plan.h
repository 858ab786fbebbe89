// How the launches of an entry are executed: which of them take turns or are shared out, and what the run writes for
// certain.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "image.h"
#include "siw_restart.h"

namespace tfmbs {

// Where a part of a launch may be begun by a machine that has not executed what comes before it.
struct Entrance {
  std::shared_ptr<const Restart> restart;
  Standing early;  // restart->turns turns before the part
  Standing at;
};

// Vector programs that follow each other, or one, executed in parts, so that what one stores is still in a cache when
// the next one loads it, and that threads can share them. In the order of the parts, each comes after all parts of
// earlier launches, and of its own, that access the same bytes, one of the two storing.
struct Group {
  struct Part {
    uint32_t launch;                            // of the group
    uint64_t turns;                             // of its outermost loops, or TO_THE_END
    std::vector<uint32_t> waits;                // parts, by number, without which it must not begin
    std::shared_ptr<const Entrance> entrance;   // nullptr: it goes on where the launch's last part ended
  };
  // A window of which every part but the launch's last one may have a copy of its own.
  struct Own {
    uint32_t launch;
    unsigned window;
    uint64_t bytes;
  };
  uint32_t first, count;  // launches of the entry
  uint64_t words;         // that they execute
  std::vector<Part> parts;
  std::vector<Own> own;
  bool spreads = false;  // some part has an entrance
};

struct Plan {
  std::vector<Group> groups;  // in order; launches of no group run by themselves
  // By output slot: so many bytes from its start on are written, and not read before.
  std::map<uint32_t, uint64_t> written;
};

// Never throws for what a valid image holds: what cannot be told beforehand makes no groups and counts as not written.
Plan plan_of(const Image& image, const abi::Entry& entry);

}  // namespace tfmbs
