// Windows of integers on planes of words: lanes are pixels, which lie side by side, and weights are broadcast, so that
// sums come out as planes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "simd.h"

#if defined(__AVX512VNNI__)
namespace {

constexpr unsigned QUAD_CHANNELS = 8, QUAD_VECTORS = 3;  // whose sums are in registers
constexpr size_t QUAD_PANEL = tfmbs::QuadWindow::CHANNELS, QUAD_STEPS = tfmbs::QuadWindow::STEPS;

// Eight channels of a panel, whose weights begin at `weights`.
template <unsigned VECTORS>
void quad_channels(const tfmbs::QuadWindow& w, const int32_t* weights, const int32_t* starts, size_t pixel, int32_t* out) {
  VecI sum[QUAD_CHANNELS][VECTORS];
#pragma GCC unroll 8
  for (unsigned c = 0; c < QUAD_CHANNELS; ++c)
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = broadcast_i(starts[c]);
  for (size_t chunk = 0; chunk < w.count; ++chunk, weights += QUAD_PANEL * QUAD_STEPS) {
    const uint32_t* x = w.image + w.chunks[chunk].at + pixel;
    for (size_t quad = 0; quad < w.chunks[chunk].quads; ++quad, x += w.plane) {
      VecI right[VECTORS];
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) right[v] = load_i(x + v * LANES);
#pragma GCC unroll 8
      for (unsigned c = 0; c < QUAD_CHANNELS; ++c) {
        const VecI left = broadcast_i(weights[c * QUAD_STEPS + quad]);
#pragma GCC unroll 4
        for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = dot_u8_i8(right[v], left, sum[c][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (unsigned c = 0; c < QUAD_CHANNELS; ++c)
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) store_i(out + c * w.stride + pixel + v * LANES, sum[c][v]);
}

inline void quad_window(const tfmbs::QuadWindow& w) {
  const int32_t* weights = reinterpret_cast<const int32_t*>(w.weights);
  const auto pixels = [&](size_t pixel, auto channels) {
    for (size_t c = 0; c < w.channels; c += QUAD_CHANNELS)
      channels(w, weights + c / QUAD_PANEL * w.panel + c % QUAD_PANEL * QUAD_STEPS, w.starts + c, pixel, w.out + c * w.stride);
  };
  size_t pixel = 0;
  // Four vectors are better two and two than three and one.
  for (; pixel + QUAD_VECTORS * LANES <= w.pixels && pixel + 4 * LANES != w.pixels; pixel += QUAD_VECTORS * LANES)
    pixels(pixel, quad_channels<QUAD_VECTORS>);
  for (; pixel + 2 * LANES <= w.pixels; pixel += 2 * LANES) pixels(pixel, quad_channels<2>);
  for (; pixel < w.pixels; pixel += LANES) pixels(pixel, quad_channels<1>);
}

// Words of 64 pixels, or of the first `count`.
template <bool WHOLE>
inline void quads_of(const int8_t* const* from, size_t at, size_t count, uint32_t* out) {
  // Lane q of a vector of bytes gets those of pixels 4 q to 4 q + 3 of each 16.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __mmask64 mask = WHOLE ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
  __m512i x[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i)
    x[i] = _mm512_permutexvar_epi32(order, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from[i] + at), _mm512_set1_epi8(-128)));
  const __m512i low[2] = {_mm512_unpacklo_epi8(x[0], x[1]), _mm512_unpacklo_epi8(x[2], x[3])};
  const __m512i high[2] = {_mm512_unpackhi_epi8(x[0], x[1]), _mm512_unpackhi_epi8(x[2], x[3])};
  const __m512i words[4] = {_mm512_unpacklo_epi16(low[0], low[1]), _mm512_unpackhi_epi16(low[0], low[1]),
                            _mm512_unpacklo_epi16(high[0], high[1]), _mm512_unpackhi_epi16(high[0], high[1])};
  out += at;
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i) {
    if (WHOLE) _mm512_storeu_si512(out + i * LANES, words[i]);
    else _mm512_mask_storeu_epi32(out + i * LANES, static_cast<__mmask16>(mask >> i * LANES), words[i]);
  }
}

inline void quads(const int8_t* const* from, size_t count, uint32_t* out) {
  size_t at = 0;
  for (; count - at >= 64; at += 64) quads_of<true>(from, at, 64, out);
  if (at < count) quads_of<false>(from, at, count - at, out);
}

constexpr tfmbs::QuadFns QUAD_FNS{quad_window, false, quads};

}  // namespace
#endif
