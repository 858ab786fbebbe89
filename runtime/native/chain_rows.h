// Chains on rows of lanes: a few vectors stay in registers from the accumulators to what is stored.
#pragma once

#include <algorithm>

#include "chain_lanes.h"
#include "chain_scaled.h"
#include "kernels.h"
#include "requantize.h"
#include "simd.h"

namespace {

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))

constexpr uint32_t CHAINED = 4;  // vectors in registers

// x becomes of(x, operand) in every vector.
template <class Of>
[[gnu::always_inline]] inline void with_operand(VecF (&x)[CHAINED], const tfmbs::ChainStep& step, uint32_t at,
                                                uint32_t n, Of of) {
  const float* operand = reinterpret_cast<const float*>(step.at);
  if (!step.lanes) {
    const VecF all = broadcast_f(*operand);
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = of(x[v], all);
  } else if (n - at >= CHAINED * LANES) {
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = of(x[v], load_f(operand + at + v * LANES));
  } else {
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) {
      const uint32_t first = std::min(n, at + v * LANES);
      x[v] = of(x[v], load_first(operand + first, First(n - first)));
    }
  }
}

// The vectors from lane `at` of a row on; what is left out at the end is anything.
[[gnu::always_inline]] inline void load_row(VecF (&x)[CHAINED], const uint32_t* row, uint32_t at, uint32_t n) {
#pragma GCC unroll 4
  for (uint32_t v = 0; v < CHAINED; ++v) {
    const uint32_t first = std::min((n - 1) / LANES * LANES, at + v * LANES);
    x[v] = load_f(reinterpret_cast<const float*>(row + first));
  }
}

[[gnu::always_inline]] inline void store_row(const VecF (&x)[CHAINED], bool narrow, uint8_t* out, uint32_t at,
                                             uint32_t n) {
#pragma GCC unroll 4
  for (uint32_t v = 0; v < CHAINED; ++v) {
    const uint32_t first = at + v * LANES;
    if (first >= n) break;
    if (narrow) store_bytes(out + first, x[v], First(n - first));
    else store_first_f(out + first * sizeof(float), x[v], First(n - first));
  }
}

// What lanes hold that are not of the row is harmless.
[[gnu::noinline]] inline void apply(VecF (&x)[CHAINED], tfmbs::LaneFn function) {
  alignas(64) float lanes[CHAINED * LANES];
  for (uint32_t v = 0; v < CHAINED; ++v) std::memcpy(lanes + v * LANES, &x[v], sizeof x[v]);
  function(lanes, lanes, lanes, lanes, CHAINED * LANES);
  for (uint32_t v = 0; v < CHAINED; ++v) std::memcpy(&x[v], lanes + v * LANES, sizeof x[v]);
}

template <bool DIVIDES>
[[gnu::always_inline]] inline void quantize(VecF (&x)[CHAINED], const tfmbs::ChainStep& step) {
  const Quantizer<DIVIDES> lanes_of(step);
#pragma GCC unroll 4
  for (VecF& lanes : x) lanes = as_floats(lanes_of(lanes));
}

inline void chain_row(const tfmbs::ChainStep* steps, size_t count, size_t row, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  const uint32_t n = rows.n;
  for (uint32_t at = 0; at < n; at += CHAINED * LANES) {
    VecF x[CHAINED];
    load_row(x, rows.accumulators + row * rows.stride, at, n);
    for (size_t i = 0; i < count; ++i) {
      tfmbs::ChainStep step = steps[i];
      step.at += row * step.apart;
      switch (step.op) {
        case ChainOp::ADD_I32:
          with_operand(x, step, at, n, [](VecF a, VecF b) { return as_floats(add_i(as_ints(a), as_ints(b))); });
          break;
        case ChainOp::TO_F32:
#pragma GCC unroll 4
          for (VecF& lanes : x) lanes = float_of(as_ints(lanes));
          break;
        case ChainOp::MUL: with_operand(x, step, at, n, [](VecF a, VecF b) { return mul_f(a, b); }); break;
        case ChainOp::ADD: with_operand(x, step, at, n, [](VecF a, VecF b) { return add_f(a, b); }); break;
        case ChainOp::DIV: with_operand(x, step, at, n, [](VecF a, VecF b) { return div_f(a, b); }); break;
        case ChainOp::MAX: with_operand(x, step, at, n, [](VecF a, VecF b) { return max_f(a, b); }); break;
        case ChainOp::MIN: with_operand(x, step, at, n, [](VecF a, VecF b) { return min_f(a, b); }); break;
        case ChainOp::BETWEEN: {
          const VecF low = broadcast_f(step.low), high = broadcast_f(step.high);
#pragma GCC unroll 4
          for (VecF& lanes : x) lanes = between_f(lanes, low, high);
          break;
        }
        case ChainOp::FUNCTION: apply(x, step.function); break;
        default:  // those before QUANTIZE do not run
          if (step.divisor == 0) quantize<false>(x, step);
          else quantize<true>(x, step);
      }
    }
    store_row(x, rows.narrow, rows.out + row * rows.apart, at, n);
  }
}

// Whether a chain adds a number to i32, scales them and quantizes them, with numbers that all lanes of a row share.
inline bool requantizes(const tfmbs::ChainStep* steps, size_t count, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  return rows.narrow && count == 4 && steps[0].op == ChainOp::ADD_I32 && !steps[0].lanes &&
         steps[1].op == ChainOp::TO_F32 && steps[2].op == ChainOp::MUL && !steps[2].lanes &&
         steps[3].op == ChainOp::QUANTIZE;
}

// Such a chain in one piece.
template <bool DIVIDES>
inline void requantize_row(const Requantizer<DIVIDES>& requantizer, const tfmbs::ChainStep* steps, size_t row,
                           const tfmbs::ChainRows& rows) {
  const uint32_t* in = rows.accumulators + row * rows.stride;
  uint8_t* out = rows.out + row * rows.apart;
  const VecI bias = broadcast_i(static_cast<int32_t>(steps[0].at[row * steps[0].apart]));
  const auto scale = requantizer.scale(*reinterpret_cast<const float*>(steps[2].at + row * steps[2].apart));
  uint32_t at = 0;
  for (; at + CHAINED * LANES <= rows.n; at += CHAINED * LANES) {
    VecI x[CHAINED];
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = add_i(load_i(in + at + v * LANES), bias);
    requantizer(x, scale);
    store_four(out + at, x);
  }
  for (; at < rows.n; at += LANES) {
    VecI x[1] = {add_i(load_i(in + at), bias)};
    requantizer(x, scale);
    store_bytes(out + at, as_floats(x[0]), First(rows.n - at));
  }
}

template <bool DIVIDES>
void requantize_rows(const tfmbs::ChainStep* steps, const tfmbs::ChainRows& rows) {
  const Requantizer<DIVIDES> requantizer(steps[3]);
  for (size_t row = 0; row < rows.rows; ++row) requantize_row(requantizer, steps, row, rows);
}

inline void run_chain(const tfmbs::ChainStep* steps, size_t count, const tfmbs::ChainRows& rows) {
  if (requantizes(steps, count, rows))
    return steps[3].divisor == 0 ? requantize_rows<false>(steps, rows) : requantize_rows<true>(steps, rows);
  if (run_scaled(steps, count, rows)) return;
  for (size_t row = 0; row < rows.rows; ++row) chain_row(steps, count, row, rows);
}

constexpr tfmbs::ChainFn CHAIN = run_chain;

#else

constexpr tfmbs::ChainFn CHAIN = nullptr;

#endif

}  // namespace
