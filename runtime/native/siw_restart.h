// Where a vector program may be entered in the middle: at the head of an outermost loop, by another machine than the
// one that has come there.
//
// The scalar side at that place is known beforehand (siw_walk.h). Vector registers must hold what they would: values
// from before the loop are computed again, and those that come from one turn of the loop to the next, as loads that
// were made ahead, by taking a few turns without their stores. A register whose value goes back to more turns than
// that, as a sum's does, keeps the loop from being entered.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "siw.h"

namespace tfmbs {

struct Restart {
  static constexpr unsigned MOST_TURNS = 4;

  Program before;    // what comes before the loop, as far as its values are needed
  Program turn;      // of the loop, without stores
  unsigned turns = 0;  // to be taken before the place; at most MOST_TURNS
};

// How to enter the loop whose LOOP is the action `loop`, at its head. `steady` are windows, as bits, whose elements the
// program does not store to through any window. nullptr where that cannot be.
std::shared_ptr<const Restart> restart_of(const Program& program, size_t loop, uint32_t steady);

}  // namespace tfmbs
