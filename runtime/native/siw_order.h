// In which order the data slots of a word are executed so that all of them read before any writes.
#pragma once

#include <array>
#include <cstdint>

namespace tfmbs {

// What a slot touches; registers as bit masks.
struct SlotUse {
  uint32_t reads = 0, writes = 0;
  bool loads = false, stores = false;  // operand windows
  bool overlaps = false;               // its result lies over a source with lanes of another width
};

constexpr unsigned DATA_SLOTS = 3;
using SlotUses = std::array<SlotUse, DATA_SLOTS>;  // D, S, C

struct SlotOrder {
  std::array<uint8_t, DATA_SLOTS> slots;
  uint8_t staged;  // slots, as bits, whose result is written elsewhere first and copied after the last slot
};

// The order with the fewest staged slots. Loads come before stores, and a store of S before one of C, so that windows
// over the same memory have one meaning too.
SlotOrder order_of(const SlotUses& uses);

}  // namespace tfmbs
