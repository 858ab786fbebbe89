// The vector registers of a machine. What a load finds in memory as a register would hold it is borrowed, not copied,
// until the register is written or something needs its lanes in their own place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "abi.gen.h"

namespace tfmbs {

class Registers {
 public:
  // Behind the registers lies a pair per slot for results that wait for other slots of their word.
  static constexpr unsigned COUNT = abi::VECTOR_REGISTERS + 2 * 3;
  static constexpr uint8_t UNUSED = abi::VECTOR_REGISTERS;  // never borrows, so that it may be read as any pair
  // Fewer lanes are cheaper to copy. Lanes are read in groups of 16, so whole groups are borrowed.
  static constexpr uint32_t LEAST = 64, GROUP = 16;

  Registers() {
    for (unsigned index = 0; index < COUNT; ++index) at_[index] = own(index);
  }
  Registers(const Registers&) = delete;
  Registers& operator=(const Registers&) = delete;

  // Where lanes of a register are read, and where they are written once nothing is borrowed any more.
  const uint32_t* at(unsigned index) const { return at_[index]; }
  uint32_t* own(unsigned index) { return file_ + index * abi::VLMAX; }
  uint32_t borrowed() const { return borrowed_; }
  // Whether a window may have lent something. Its elements are words then.
  bool lends(unsigned window) const { return (lent_[window] & borrowed_) != 0; }

  static bool may_borrow(uint32_t lanes) { return lanes >= LEAST && lanes % GROUP == 0; }
  // The first `count` lanes of a register are those in memory, in a window.
  void borrow(unsigned index, unsigned window, const uint32_t* lanes, uint32_t count) {
    const uint32_t bit = uint32_t{1} << index;
    free_for(bit, count);
    for (uint32_t& lent : lent_) lent &= ~bit;
    at_[index] = lanes;
    extent_[index] = count;
    borrowed_ |= bit;
    lent_[window] |= bit;
    least_ = std::min(least_, count);
  }
  // Before the words from `low` to `end` of a window are stored to: what is borrowed of them comes home.
  void store(unsigned window, const uint32_t* low, const uint32_t* end) {
    each(lent_[window], [=](unsigned index) {
      if (at_[index] < end && low < at_[index] + extent_[index]) copy(index);
    });
  }
  // Brings the lanes of these registers, as bits, home.
  void settle(uint32_t registers) {
    each(registers, [this](unsigned index) { copy(index); });
  }
  // Before the first `lanes` lanes of these registers are written: later ones that are borrowed come home.
  void free_for(uint32_t registers, uint32_t lanes) {
    each(registers, [=](unsigned index) {
      if (extent_[index] > lanes) copy(index);
      else leave(index);
    });
  }
  // Forgets what is borrowed: a run that failed left it, and its memory may be gone.
  void drop() {
    each(~uint32_t{0}, [this](unsigned index) { leave(index); });
  }
  // Before VL becomes `lanes`: every lane that can be read then is where the register says.
  void widen(uint32_t lanes) {
    if (lanes <= least_) return;
    each(~uint32_t{0}, [=](unsigned index) {
      if (extent_[index] < lanes) copy(index);
    });
  }

 private:
  template <class Visit>
  void each(uint32_t registers, Visit visit) {
    for (uint32_t left = registers & borrowed_; left; left &= left - 1)
      visit(static_cast<unsigned>(__builtin_ctz(left)));
  }
  void leave(unsigned index) {
    at_[index] = own(index);
    borrowed_ &= ~(uint32_t{1} << index);
    if (!borrowed_) least_ = abi::VLMAX;
  }
  void copy(unsigned index) {
    std::memcpy(own(index), at_[index], extent_[index] * sizeof(uint32_t));
    leave(index);
  }

  alignas(64) uint32_t file_[COUNT * abi::VLMAX] = {};
  const uint32_t* at_[COUNT];
  uint32_t extent_[abi::VECTOR_REGISTERS] = {};  // lanes that are borrowed
  uint32_t borrowed_ = 0;                        // registers, as bits
  uint32_t lent_[abi::WINDOWS] = {};             // those that were last borrowed from a window
  uint32_t least_ = abi::VLMAX;                  // no register borrows fewer lanes
};

}  // namespace tfmbs
