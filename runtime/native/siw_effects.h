// How many lanes actions read and write, as far as it is known before a program runs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "siw.h"

namespace tfmbs {

constexpr unsigned EVERY_REGISTER = Registers::COUNT;  // those that results wait in, too

// Per register, or pair's half, of how many lanes from the first on something holds.
using Lanes = std::array<uint16_t, EVERY_REGISTER>;

// VL before each action; 0 where it may be one or another.
std::vector<uint16_t> lengths(const Program& program);

// The lanes that an action writes with VL = `length`, or an unknown one for 0: at least, and at most.
struct Written {
  uint16_t least, most;
};
Written written(const Action& action, const Effect& effect, uint16_t length);

// Per action, the lanes that are read before they are written from there on, at most.
std::vector<Lanes> live_before(const Program& program);

// Visits the registers that are bits of a mask.
template <class Visit>
void each_register(uint64_t mask, Visit visit) {
  for (; mask; mask &= mask - 1) visit(static_cast<unsigned>(__builtin_ctzll(mask)));
}

}  // namespace tfmbs
