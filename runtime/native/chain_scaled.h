// Sums of i32 with a number added and a scale of their row, as epilogues of integers begin; elements may be added to
// them, and one end or both follow, or a quantization. And f32 that are only quantized. Lanes stay in registers from
// the first step to the last.
#pragma once

#include "chain_lanes.h"
#include "kernels.h"
#include "simd.h"

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))
namespace {

constexpr uint32_t SCALED = 4;  // vectors in registers

// Results that are f32, after a BETWEEN step if they are ENDED.
template <bool ENDED>
struct RealResults {
  explicit RealResults(const tfmbs::ChainStep& end) : low(broadcast_f(end.low)), high(broadcast_f(end.high)) {}

  [[gnu::always_inline]] VecF ended(VecF x) const { return ENDED ? between_f(x, low, high) : x; }
  [[gnu::always_inline]] void four(uint8_t* out, uint32_t at, const VecF (&x)[SCALED]) const {
    float* const to = reinterpret_cast<float*>(out) + at;
#pragma GCC unroll 4
    for (uint32_t v = 0; v < SCALED; ++v) store_canonical(to + v * LANES, ended(x[v]));
  }
  [[gnu::always_inline]] void one(uint8_t* out, uint32_t at, VecF x, First first) const {
    store_first_f(out + at * sizeof(float), ended(x), first);
  }

  VecF low, high;
};

// f32 as they are.
struct Reals {
  Reals(const tfmbs::ChainStep*, size_t) {}
  VecF operator()(const uint32_t* in) const { return load_f(reinterpret_cast<const float*>(in)); }
};

// Those of a row with a number added and scaled, by the first steps.
struct Scaled {
  Scaled(const tfmbs::ChainStep* steps, size_t row)
      : bias(broadcast_i(static_cast<int32_t>(steps[0].at[row * steps[0].apart]))),
        scale(broadcast_f(*reinterpret_cast<const float*>(steps[2].at + row * steps[2].apart))) {}
  VecF operator()(const uint32_t* in) const { return mul_f(float_of(add_i(load_i(in), bias)), scale); }

  VecI bias;
  VecF scale;
};

// Results that are bytes.
template <bool DIVIDES>
struct ByteResults {
  explicit ByteResults(const tfmbs::ChainStep& step) : lanes_of(step) {}

  [[gnu::always_inline]] void four(uint8_t* out, uint32_t at, const VecF (&x)[SCALED]) const {
    VecI bytes[SCALED];
#pragma GCC unroll 4
    for (uint32_t v = 0; v < SCALED; ++v) bytes[v] = lanes_of(x[v]);
    store_four(out + at, bytes);
  }
  [[gnu::always_inline]] void one(uint8_t* out, uint32_t at, VecF x, First first) const {
    store_bytes(out + at, as_floats(lanes_of(x)), first);
  }

  Quantizer<DIVIDES> lanes_of;
};

// Elements are ADDED by the fourth step.
template <class Lanes, bool ADDED, class Results>
void rows_through(const Results results, const tfmbs::ChainStep* steps, const tfmbs::ChainRows& rows) {
  for (size_t row = 0; row < rows.rows; ++row) {
    const uint32_t* in = rows.accumulators + row * rows.stride;
    uint8_t* const out = rows.out + row * rows.apart;
    const Lanes lanes(steps, row);
    const float* added = ADDED ? reinterpret_cast<const float*>(steps[3].at + row * steps[3].apart) : nullptr;
    uint32_t at = 0;
    for (; at + SCALED * LANES <= rows.n; at += SCALED * LANES) {
      VecF x[SCALED];
#pragma GCC unroll 4
      for (uint32_t v = 0; v < SCALED; ++v) {
        x[v] = lanes(in + at + v * LANES);
        if (ADDED) x[v] = add_f(x[v], load_f(added + at + v * LANES));
      }
      results.four(out, at, x);
    }
    for (; at < rows.n; at += LANES) {
      const First first(rows.n - at);
      VecF x = lanes(in + at);
      if (ADDED) x = add_f(x, load_first(added + at, first));
      results.one(out, at, x, first);
    }
  }
}

template <bool ADDED>
bool scaled_reals(const tfmbs::ChainStep* steps, size_t more, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  const tfmbs::ChainStep& end = steps[ADDED ? 4 : 3];
  if (more == 0) rows_through<Scaled, ADDED>(RealResults<false>(steps[0]), steps, rows);
  else if (more == 1 && end.op == ChainOp::BETWEEN) rows_through<Scaled, ADDED>(RealResults<true>(end), steps, rows);
  else return false;
  return true;
}

// Runs a chain of this kind; false where it is another one.
inline bool run_scaled(const tfmbs::ChainStep* steps, size_t count, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  if (rows.narrow && count == 1 && steps[0].op == ChainOp::QUANTIZE) {
    if (steps[0].divisor == 0) rows_through<Reals, false>(ByteResults<false>(steps[0]), steps, rows);
    else rows_through<Reals, false>(ByteResults<true>(steps[0]), steps, rows);
    return true;
  }
  if (count < 3 || steps[0].op != ChainOp::ADD_I32 || steps[0].lanes || steps[1].op != ChainOp::TO_F32 ||
      steps[2].op != ChainOp::MUL || steps[2].lanes)
    return false;
  const bool added = count > 3 && steps[3].op == ChainOp::ADD && steps[3].lanes;
  if (!rows.narrow)
    return added ? scaled_reals<true>(steps, count - 4, rows) : scaled_reals<false>(steps, count - 3, rows);
  if (!added || count != 5 || steps[4].op != ChainOp::QUANTIZE) return false;
  if (steps[4].divisor == 0) rows_through<Scaled, true>(ByteResults<false>(steps[4]), steps, rows);
  else rows_through<Scaled, true>(ByteResults<true>(steps[4]), steps, rows);
  return true;
}

}  // namespace
#endif
