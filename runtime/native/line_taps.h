// Taps of f32 along the lines of an image, where they lie: what padding hides is neither read nor added.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "simd.h"

namespace {

constexpr uint32_t ALL_LANES = static_cast<uint32_t>((uint64_t{1} << LANES) - 1);

// A place that may lie outside of what may be read, where nothing is read of it.
inline const float* place(const float* from, size_t at) {
  return reinterpret_cast<const float*>(reinterpret_cast<uintptr_t>(from) + at * sizeof(float));
}

template <unsigned STRIDE, bool WHOLE>
inline VecF load_block(const float* line, const tfmbs::LineBlock& block) {
  const float* p = place(line, block.at);
  if constexpr (STRIDE == 1) {
    return WHOLE ? load_f(p) : load_where(block.valid, p);
  } else {
    const uint32_t low = static_cast<uint32_t>(block.reads) & ALL_LANES;
    const uint32_t high = static_cast<uint32_t>(block.reads >> LANES) & ALL_LANES;
    return even_f(load_where(low, p), load_where(high, place(p, LANES)));
  }
}

// One vector of each of LINES lines.
template <unsigned STRIDE, unsigned LINES>
[[gnu::always_inline]] inline void sum_lines(const tfmbs::LineTaps& taps, const tfmbs::LineBlock* blocks,
                                             const float* in, const float* weights, VecF (&sum)[LINES]) {
#pragma GCC unroll 4
  for (VecF& lanes : sum) lanes = zero_f();
  for (size_t line = 0; line < taps.count; ++line) {
    const float *x = in + taps.lines[line], *w = weights + taps.weights[line];
    for (size_t tap = 0; tap < taps.width; ++tap, w += taps.weight_step) {
      const tfmbs::LineBlock block = blocks[tap];
      if (block.valid == 0) continue;
      const VecF right = broadcast_f(*w);
      if (block.valid == ALL_LANES) {
#pragma GCC unroll 4
        for (unsigned i = 0; i < LINES; ++i)
          sum[i] = fma_f(load_block<STRIDE, true>(x + i * taps.pitch, block), right, sum[i]);
      } else {
#pragma GCC unroll 4
        for (unsigned i = 0; i < LINES; ++i)
          sum[i] = fma_where(block.valid, load_block<STRIDE, false>(x + i * taps.pitch, block), right, sum[i]);
      }
    }
  }
}

template <unsigned STRIDE, unsigned LINES>
void some_lines(const tfmbs::LineTaps& taps, const float* in, const float* weights, uint32_t n, float* out) {
  const tfmbs::LineBlock* blocks = taps.blocks;
  for (uint32_t x = 0; x < n; x += LANES, blocks += taps.width) {
    VecF sum[LINES];
    sum_lines<STRIDE>(taps, blocks, in, weights, sum);
#pragma GCC unroll 4
    for (unsigned i = 0; i < LINES; ++i) {
      float* to = out + size_t{i} * n + x;
      if (n - x >= LANES) store_canonical(to, sum[i]);
      else store_canonical_first(n - x, to, sum[i]);
    }
  }
}

template <unsigned STRIDE>
void lines_by(const tfmbs::LineTaps& taps, size_t lines, const float* in, const float* weights, uint32_t n,
              float* out) {
  for (; lines >= 4; lines -= 4, in += 4 * taps.pitch, out += size_t{4} * n)
    some_lines<STRIDE, 4>(taps, in, weights, n, out);
  for (; lines; --lines, in += taps.pitch, out += n) some_lines<STRIDE, 1>(taps, in, weights, n, out);
}

inline void lines_f32(const tfmbs::LineTaps& taps, size_t lines, const float* in, const float* weights, uint32_t n,
                      float* out) {
  if (taps.stride == 1) lines_by<1>(taps, lines, in, weights, n, out);
  else lines_by<2>(taps, lines, in, weights, n, out);
}

}  // namespace
