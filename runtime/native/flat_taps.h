// Taps of f32 on whole planes, whose lanes go on from line to line: masks leave out what padding hides, which is
// neither read nor added.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "line_taps.h"
#include "simd.h"

namespace {

constexpr unsigned FLAT_PLANES = 4;  // whose sums of a vector are in registers

template <unsigned PLANES, bool WHOLE>
[[gnu::always_inline]] inline void sum_flat(const tfmbs::FlatTaps& taps, const float* in, const float* weights,
                                            const uint16_t* valid, VecF (&sum)[PLANES]) {
#pragma GCC unroll 4
  for (VecF& lanes : sum) lanes = zero_f();
  for (size_t tap = 0; tap < taps.count; ++tap, weights += taps.step) {
    const uint32_t bits = WHOLE ? ALL_LANES : valid[tap];
    if (!WHOLE && bits == 0) continue;
#pragma GCC unroll 4
    for (unsigned i = 0; i < PLANES; ++i) {
      const float* x = place(in, taps.at[tap] + i * taps.plane);
      const VecF right = broadcast_f(weights[i * taps.apart]);
      if constexpr (WHOLE) sum[i] = fma_f(load_f(x), right, sum[i]);
      else sum[i] = fma_where(bits, load_where(bits, x), right, sum[i]);
    }
  }
}

template <unsigned PLANES>
void flat_planes(const tfmbs::FlatTaps& taps, size_t first) {
  const float *in = taps.in + taps.first + first * taps.plane, *weights = taps.weights + first * taps.apart;
  float* out = taps.out + first * taps.stride;
  const uint16_t* valid = taps.valid;
  for (size_t x = 0; x < taps.n; x += LANES, valid += taps.count + 1) {
    VecF sum[PLANES];
    const float* from = place(in, x);
    if (valid[0]) sum_flat<PLANES, true>(taps, from, weights, valid + 1, sum);
    else sum_flat<PLANES, false>(taps, from, weights, valid + 1, sum);
#pragma GCC unroll 4
    for (unsigned i = 0; i < PLANES; ++i) store_canonical(out + i * taps.stride + x, sum[i]);
  }
}

inline void flat_f32(const tfmbs::FlatTaps& taps) {
  size_t plane = 0;
  for (; plane + FLAT_PLANES <= taps.planes; plane += FLAT_PLANES) flat_planes<FLAT_PLANES>(taps, plane);
  for (; plane < taps.planes; ++plane) flat_planes<1>(taps, plane);
}

}  // namespace
