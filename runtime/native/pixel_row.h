// Neighbouring pixels against a panel of f32 weights: vectors go along the pixels of a channel, where they lie, so that
// sums come out as planes; weights are broadcast.
#pragma once

#include <algorithm>
#include <cstddef>

#include "float_ends.h"
#include "kernels.h"
#include "simd.h"
#include "tile.h"

namespace {

// Columns, and vectors of pixels, whose sums are in registers.
#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr unsigned ROW_COLUMNS = 8, ROW_VECTORS = 3;
#else
constexpr unsigned ROW_COLUMNS = 4, ROW_VECTORS = 3;
#endif

// `last` lanes of the last vector count.
template <unsigned COLUMNS, unsigned VECTORS, bool WHOLE>
void pixel_row_of(const tfmbs::PixelRow& row, const tfmbs::FloatEnds& ends, unsigned column, uint32_t pixel,
                  uint32_t last) {
  const uint32_t bits = WHOLE ? 0 : (1u << last) - 1;
  VecF sum[COLUMNS][VECTORS];
#pragma GCC unroll 8
  for (unsigned c = 0; c < COLUMNS; ++c)
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = zero_f();
  const float *x = row.in + pixel, *w = row.weights + column;
  for (size_t i = 0; i < row.channels; ++i, x += row.plane, w += PANEL) {
    VecF right[VECTORS];
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v)
      right[v] = WHOLE || v + 1 < VECTORS ? load_f(x + v * LANES) : load_where(bits, x + v * LANES);
#pragma GCC unroll 8
    for (unsigned c = 0; c < COLUMNS; ++c) {
      const VecF left = broadcast_f(w[c]);
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = fma_f(left, right[v], sum[c][v]);
    }
  }
#pragma GCC unroll 8
  for (unsigned c = 0; c < COLUMNS; ++c) {
    float* to = row.out + (column + c) * row.stride + pixel;
    const Ends end(ends, column + c);
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) {
      if (WHOLE || v + 1 < VECTORS) end.store(to + v * LANES, sum[c][v]);
      else end.store_first(last, to + v * LANES, sum[c][v]);
    }
  }
}

template <unsigned COLUMNS>
void pixel_row_columns(const tfmbs::PixelRow& row, const tfmbs::FloatEnds& ends, unsigned column, uint32_t n) {
  uint32_t pixel = 0;
  for (; n - pixel >= ROW_VECTORS * LANES; pixel += ROW_VECTORS * LANES)
    pixel_row_of<COLUMNS, ROW_VECTORS, true>(row, ends, column, pixel, LANES);
  for (; n - pixel >= LANES; pixel += LANES) pixel_row_of<COLUMNS, 1, true>(row, ends, column, pixel, LANES);
  if (pixel < n) pixel_row_of<COLUMNS, 1, false>(row, ends, column, pixel, n - pixel);
}

inline void pixel_row(const tfmbs::PixelRow& row, const tfmbs::FloatEnds& ends, unsigned columns, uint32_t n) {
  unsigned column = 0;
  for (; columns - column >= ROW_COLUMNS; column += ROW_COLUMNS) pixel_row_columns<ROW_COLUMNS>(row, ends, column, n);
  for (; columns - column >= 2; column += 2) pixel_row_columns<2>(row, ends, column, n);
  if (column < columns) pixel_row_columns<1>(row, ends, column, n);
}

}  // namespace
