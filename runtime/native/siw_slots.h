// One slot of a word as an action, with the registers it touches.
#pragma once

#include <functional>
#include <string>

#include "siw.h"
#include "siw_order.h"

namespace tfmbs {

// A decoded slot; without an action where it holds no operation on registers or memory.
struct Slot {
  Action action;
  bool active = false;
  SlotUse use;
  bool accumulates = false;   // it reads the register it writes
  bool reads_beyond = false;  // lanes from VL on matter to it
  uint16_t fixed_words = 0;   // 32-bit words of its result, where they do not depend on VL
  uint16_t lane_words = 1;    // of one lane of its result
  unsigned window = abi::WINDOWS;
  abi::DType type{};
  Effect effect;  // but for where its result waits
};

class SlotDecoder {
 public:
  // `fail` throws.
  SlotDecoder(const Kernels& kernels, unsigned windows, std::function<void(const std::string&)> fail)
      : kernels_(kernels), windows_(windows), fail_(std::move(fail)) {}

  Slot d(const abi::Word& word) const;
  Slot s(const abi::Word& word) const;
  Slot c(const abi::Word& word) const;

 private:
  // An operand in a register: its number, and whether the operation reads, writes it, with 64-bit lanes.
  struct Operand {
    unsigned number;
    bool reads, writes, wide;
  };

  void touch(Slot& slot, std::initializer_list<Operand> operands) const;
  void compute(Slot& slot, abi::DOp op, abi::DType type, uint8_t aux, const char* name) const;
  MoveFns moves(Slot& slot, abi::DType type, unsigned window, const char* name) const;
  void scalar(Slot& slot, const abi::Word& word) const;
  void move(Slot& slot, const abi::Word& word) const;

  const Kernels& kernels_;
  unsigned windows_;
  std::function<void(const std::string&)> fail_;
};

}  // namespace tfmbs
