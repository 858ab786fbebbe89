// What a running program accesses, and how many words it has started to execute.
#pragma once

#include <cstdint>

#include "siw.h"

namespace tfmbs {

struct Machine::Place {
  __extension__ using Wide = __int128;  // holds every address that 64-bit registers can name

  const Program& program;
  const Window* windows;
  uint64_t limit;
  uint64_t words = 0;

  // Between two checks words follow each other.
  void check_steps(const Action& action) const {
    if (words > limit) [[unlikely]]
      too_long(action);
  }
  uint64_t elements(const Action& action) const { return windows[action.window].elements; }

  [[noreturn, gnu::noinline, gnu::cold]] void too_long(const Action& action) const;
  [[noreturn, gnu::noinline, gnu::cold]] void outside(const Action& action, Wide low, Wide high) const;
};

}  // namespace tfmbs
