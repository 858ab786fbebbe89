// Pixels of an image against a panel of f32 weights: every pixel is broadcast from where it lies, so that images are
// neither padded nor gathered; all sums are in registers.
#pragma once

#include <cstddef>

#include "kernels.h"
#include "simd.h"

namespace {

#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr unsigned PIXEL_RUN = 7;
#else
constexpr unsigned PIXEL_RUN = 3;
#endif

template <unsigned RUNS, unsigned COUNT, unsigned VECTORS>
void pixel_tile_of(const tfmbs::PixelTile& tile, const tfmbs::PixelTaps& taps) {
  VecF sum[RUNS][COUNT][VECTORS];
#pragma GCC unroll 2
  for (unsigned run = 0; run < RUNS; ++run)
#pragma GCC unroll 8
    for (unsigned i = 0; i < COUNT; ++i)
#pragma GCC unroll 2
      for (unsigned v = 0; v < VECTORS; ++v)
        sum[run][i][v] = taps.fresh ? zero_f() : load_f(tile.sums[run] + i * tile.sum_step + v * LANES);
  const size_t step = tile.step;
  size_t plane = taps.first;
  const float *weights = taps.weights, *next = taps.next;
  for (size_t channel = 0; channel < taps.channels; ++channel, plane += taps.plane, weights += taps.channel_weights) {
    for (size_t line = 0; line < taps.next_lines; ++line, next += LINE_FLOATS) __builtin_prefetch(next, 0, 2);
    for (size_t tap = 0; tap < taps.count; ++tap) {
      const float* w = weights + taps.taps[tap].weights;
      VecF right[VECTORS];
#pragma GCC unroll 2
      for (unsigned v = 0; v < VECTORS; ++v) right[v] = load_f(w + v * LANES);
#pragma GCC unroll 2
      for (unsigned run = 0; run < RUNS; ++run) {
        const float* x = tile.pixels[run] + plane + taps.taps[tap].pixel;
#pragma GCC unroll 8
        for (unsigned i = 0; i < COUNT; ++i) {
          const VecF left = broadcast_f(x[i * step]);
#pragma GCC unroll 2
          for (unsigned v = 0; v < VECTORS; ++v) sum[run][i][v] = fma_f(left, right[v], sum[run][i][v]);
        }
      }
    }
  }
#pragma GCC unroll 2
  for (unsigned run = 0; run < RUNS; ++run)
#pragma GCC unroll 8
    for (unsigned i = 0; i < COUNT; ++i)
#pragma GCC unroll 2
      for (unsigned v = 0; v < VECTORS; ++v)
        store_canonical(tile.sums[run] + i * tile.sum_step + v * LANES, sum[run][i][v]);
}

template <unsigned COUNT = PIXEL_RUN>
void pixel_tile(const tfmbs::PixelTile& tile, const tfmbs::PixelTaps& taps) {
  if constexpr (COUNT > 1) {
    if (tile.count < COUNT) return pixel_tile<COUNT - 1>(tile, taps);
  }
  if (taps.columns <= LANES) {
    if (tile.runs == 1) pixel_tile_of<1, COUNT, 1>(tile, taps);
    else pixel_tile_of<2, COUNT, 1>(tile, taps);
  } else {
    if (tile.runs == 1) pixel_tile_of<1, COUNT, 2>(tile, taps);
    else pixel_tile_of<2, COUNT, 2>(tile, taps);
  }
}

}  // namespace
