// What sets of instructions have for epilogues that are chains, see kernels.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lane_fns.h"

namespace tfmbs {

// Steps of an epilogue that is a chain (chain.h), on f32 unless they say otherwise. Chains that run have no ROUND,
// NAN_TO_ZERO and TO_I8 any more, but QUANTIZE.
enum class ChainOp : uint8_t {
  ADD_I32,      // wraps
  TO_F32,       // of i32
  MUL, ADD, DIV, MAX, MIN,
  FUNCTION,     // a special function
  BETWEEN,      // raised to low and lowered to high; low <= high, low is no -0 and high no +0
  ROUND, NAN_TO_ZERO, TO_I8,
  // Divided by the divisor, if there is one, raised to low, lowered to high, rounded, zero added, 0 for a NaN: an i32;
  // low, high and zero are small integers, and the divisor is neither tiny nor huge.
  QUANTIZE,
};

// A step with its operand where it lies: f32 or i32, one for each lane (`lanes`), or one for all; that of the next row
// lies `apart` elements on.
struct ChainStep {
  ChainOp op;
  bool lanes;
  const uint32_t* at;
  size_t apart;
  float zero, low, high, divisor;
  LaneFn function;  // of FUNCTION
};

// `rows` rows of n accumulators, `stride` apart, of which whole groups of 16 may be read; the elements that they become
// are f32, where a NaN becomes the canonical one, or (`narrow`) the low bytes of i32; rows of them are `apart` apart.
struct ChainRows {
  const uint32_t* accumulators;
  size_t stride, rows;
  uint32_t n;
  bool narrow;
  uint8_t* out;
  size_t apart;
};
using ChainFn = void (*)(const ChainStep* steps, size_t count, const ChainRows& rows);

}  // namespace tfmbs
