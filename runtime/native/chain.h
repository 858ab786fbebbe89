// Epilogues that are one chain of operations on the accumulators, as requantizations are: they run with the lanes in
// registers from the accumulators to the stored elements. Which ones these are follows from their words alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "abi.gen.h"
#include "kernels.h"
#include "siw.h"

namespace tfmbs {

// The other operand of a step: a constant, or the element of a window that belongs to the lane.
struct ChainOperand {
  enum class Place : uint8_t { NONE, CONSTANT, SCALAR, CHANNEL, ELEMENT };

  Place place = Place::NONE;
  abi::DType type{};
  uint8_t window = 0;
  uint32_t at = 0;  // CONSTANT: its bits; SCALAR: the element

  bool operator==(const ChainOperand& other) const {
    return place == other.place && type == other.type && window == other.window && at == other.at;
  }
};

struct Chain {
  struct Step {
    ChainOp op;
    ChainOperand operand;
    float zero = 0, low = 0, high = 0, divisor = 0;  // of QUANTIZE
    LaneFn function = nullptr;                       // of FUNCTION

    // Before there are QUANTIZE steps.
    bool operator==(const Step& other) const {
      return op == other.op && operand == other.operand && function == other.function;
    }
  };

  std::vector<Step> steps;
  bool real_first = false;             // accumulators are f32, else i32
  abi::DType result = abi::DType::F32;  // F32; or I8: the lanes are i32 in its range
  uint32_t words = 0;                  // of the program
  uint32_t lane_ops = 0, real_lane_ops = 0, loads = 0;  // of each lane

  static constexpr size_t MOST = 12;  // steps

  // Whether it adds a number to i32, scales them and quantizes them, with numbers that all elements of a channel share.
  bool requantizes() const {
    const auto shared = [&](size_t i) { return steps[i].operand.place != ChainOperand::Place::ELEMENT; };
    return result == abi::DType::I8 && steps.size() == 4 && steps[0].op == ChainOp::ADD_I32 && shared(0) &&
           steps[1].op == ChainOp::TO_F32 && steps[2].op == ChainOp::MUL && shared(2) &&
           steps[3].op == ChainOp::QUANTIZE;
  }

  // Whether it adds a number to f32 that all elements of a channel share, or keeps them within ends, or both.
  bool ends() const {
    const auto shared = [&] { return steps[0].operand.place != ChainOperand::Place::ELEMENT; };
    const bool adds = steps[0].op == ChainOp::ADD && shared();
    return result == abi::DType::F32 && real_first && steps.size() <= 2 &&
           (steps.size() == 2 ? adds && steps[1].op == ChainOp::BETWEEN
                              : adds || steps[0].op == ChainOp::BETWEEN);
  }
};

// The chain that an epilogue is, if it is one.
std::optional<Chain> chain_of(const abi::Program& record, const uint8_t* words, const Kernels& kernels);

}  // namespace tfmbs
