// Windows of f32 that slide down planes: a line of the input is loaded once for all lines of outputs that it belongs
// to, whose sums are in registers. What padding hides is neither read nor added.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "float_ends.h"
#include "kernels.h"
#include "line_taps.h"
#include "simd.h"

namespace {

// A vector of outputs of every line.
template <unsigned SIZE, unsigned STRIDE>
struct SlideColumn {
  size_t at;              // under the first tap of the first output, from the first element of a line; wraps below it
  uint32_t valid[SIZE];   // bit i: tap of output i lies on the line
  uint64_t reads[SIZE];   // bit i: element i of those that are loaded for a tap does
  bool is_whole = true;

  SlideColumn(const tfmbs::SlideTaps& taps, size_t x) : at(x * STRIDE - taps.left) {
    for (unsigned tap = 0; tap < SIZE; ++tap) {
      const int64_t start = static_cast<int64_t>(at + tap), size = static_cast<int64_t>(taps.width);
      reads[tap] = on_line(start, size, STRIDE * LANES);
      valid[tap] = 0;
      for (unsigned i = 0; i < LANES; ++i) valid[tap] |= static_cast<uint32_t>(reads[tap] >> i * STRIDE & 1) << i;
      is_whole &= reads[tap] == bits_below(STRIDE * LANES);
    }
    is_whole &= taps.across - x >= LANES;
  }

  static uint64_t bits_below(unsigned count) { return ~uint64_t{0} >> (64 - count); }
  // Bits of those of `count` elements from `start` on that are less than `size`.
  static uint64_t on_line(int64_t start, int64_t size, unsigned count) {
    const int64_t first = std::max<int64_t>(0, -start), end = std::min<int64_t>(count, size - start);
    if (first >= end) return 0;
    return bits_below(static_cast<unsigned>(end)) & ~uint64_t{0} << first;
  }
};

// What lies under the taps of a row of the window.
template <unsigned SIZE, unsigned STRIDE, bool WHOLE>
[[gnu::always_inline]] inline void load_taps(const SlideColumn<SIZE, STRIDE>& column, const float* line,
                                             VecF (&x)[SIZE]) {
  const float* p = place(line, column.at);
  if constexpr (STRIDE == 1) {
#pragma GCC unroll 5
    for (unsigned tap = 0; tap < SIZE; ++tap)
      x[tap] = WHOLE ? load_f(place(p, tap)) : load_where(column.valid[tap], place(p, tap));
  } else {
#pragma GCC unroll 3
    for (unsigned tap = 0; tap < SIZE; tap += 2) {
      const float *low = place(p, tap), *high = place(p, tap + LANES);
      const uint64_t reads = column.reads[tap];
      const VecF a = WHOLE ? load_f(low) : load_where(static_cast<uint32_t>(reads) & ALL_LANES, low);
      const VecF b = WHOLE ? load_f(high) : load_where(static_cast<uint32_t>(reads >> LANES) & ALL_LANES, high);
      x[tap] = even_f(a, b);
      if (tap + 1 < SIZE) x[tap + 1] = odd_f(a, b);
    }
  }
}

template <unsigned SIZE, unsigned STRIDE, bool WHOLE>
void slide_column(const tfmbs::SlideTaps& taps, const SlideColumn<SIZE, STRIDE>& column, size_t x, size_t plane,
                  const Ends& ends) {
  // Lines of outputs that a line of the input may belong to: the last of them is complete after it.
  constexpr unsigned OPEN = (SIZE - 1) / STRIDE + 1;
  VecF weights[SIZE][SIZE], sum[OPEN];
#pragma GCC unroll 5
  for (unsigned ky = 0; ky < SIZE; ++ky)
#pragma GCC unroll 5
    for (unsigned kx = 0; kx < SIZE; ++kx)
      weights[ky][kx] = broadcast_f(taps.weights[plane * taps.apart + (ky * SIZE + kx) * taps.step]);
#pragma GCC unroll 5
  for (VecF& lanes : sum) lanes = zero_f();
  const float* const in = taps.in + plane * taps.plane;
  float* out = taps.out + plane * taps.out_plane + x;
  const uint32_t count = static_cast<uint32_t>(std::min<size_t>(LANES, taps.across - x));
  for (size_t line = 0; line < taps.lines + OPEN - 1; ++line) {
#pragma GCC unroll 2
    for (unsigned row = 0; row < STRIDE; ++row) {
      const size_t y = (taps.first + line) * STRIDE + row - taps.top;  // wraps above the plane
      if (y >= taps.height) continue;
      VecF right[SIZE];
      load_taps<SIZE, STRIDE, WHOLE>(column, in + y * taps.width, right);
#pragma GCC unroll 5
      for (unsigned kx = 0; kx < SIZE; ++kx)
#pragma GCC unroll 5
        for (unsigned i = 0; i < OPEN; ++i) {
          const unsigned ky = i * STRIDE + row;
          if (ky >= SIZE) break;
          sum[i] = WHOLE ? fma_f(right[kx], weights[ky][kx], sum[i])
                         : fma_where(column.valid[kx], right[kx], weights[ky][kx], sum[i]);
        }
    }
    if (line >= OPEN - 1) {
      if (count == LANES) ends.store(out, sum[OPEN - 1]);
      else ends.store_first(count, out, sum[OPEN - 1]);
      out += taps.across;
    }
#pragma GCC unroll 5
    for (unsigned i = OPEN - 1; i > 0; --i) sum[i] = sum[i - 1];
    sum[0] = zero_f();
  }
}

template <unsigned SIZE, unsigned STRIDE>
void slide_planes(const tfmbs::SlideTaps& taps, const tfmbs::FloatEnds& ends) {
  for (size_t x = 0; x < taps.across; x += LANES) {
    const SlideColumn<SIZE, STRIDE> column(taps, x);
    for (size_t plane = 0; plane < taps.planes; ++plane) {
      if (column.is_whole) slide_column<SIZE, STRIDE, true>(taps, column, x, plane, Ends(ends, plane));
      else slide_column<SIZE, STRIDE, false>(taps, column, x, plane, Ends(ends, plane));
    }
  }
}

inline void slide_f32(const tfmbs::SlideTaps& taps, const tfmbs::FloatEnds& ends) {
  if (taps.size == 3) {
    if (taps.stride == 1) slide_planes<3, 1>(taps, ends);
    else slide_planes<3, 2>(taps, ends);
  } else {
    if (taps.stride == 1) slide_planes<5, 1>(taps, ends);
    else slide_planes<5, 2>(taps, ends);
  }
}

}  // namespace
