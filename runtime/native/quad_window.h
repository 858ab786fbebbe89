// Windows of integers on planes of words: lanes are pixels, which lie side by side, and weights are broadcast, so that
// sums come out as planes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "chain_lanes.h"
#include "kernels.h"
#include "requantize.h"
#include "simd.h"
#include "tile.h"

#if defined(__AVX512VNNI__)
namespace {

constexpr unsigned QUAD_CHANNELS = 8, QUAD_VECTORS = 3;  // whose sums are in registers
constexpr size_t QUAD_NEAR = 6;  // chunks of four vectors that the first cache keeps
constexpr size_t QUAD_PANEL = tfmbs::QuadWindow::CHANNELS, QUAD_STEPS = tfmbs::QuadWindow::STEPS;

// The sums of CHANNELS channels of a panel, whose weights begin at `weights`, for pixels from `pixel` on.
template <unsigned CHANNELS, unsigned VECTORS>
[[gnu::always_inline]] inline void quad_sums(const tfmbs::QuadWindow& w, const int32_t* weights, size_t pixel,
                                             VecI (&sum)[CHANNELS][VECTORS]) {
  for (size_t chunk = 0; chunk < w.count; ++chunk, weights += QUAD_PANEL * QUAD_STEPS) {
    const uint32_t* x = w.image + w.chunks[chunk].at + pixel;
    // Where there are few pixels, weights are met once: those of the next panel are fetched meanwhile.
    prefetch(weights, CHANNELS * QUAD_STEPS, w.panel);
    for (size_t quad = 0; quad < w.chunks[chunk].quads; ++quad, x += w.plane) {
      VecI right[VECTORS];
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) right[v] = load_i(x + v * LANES);
#pragma GCC unroll 8
      for (unsigned c = 0; c < CHANNELS; ++c) {
        const VecI left = broadcast_i(weights[c * QUAD_STEPS + quad]);
#pragma GCC unroll 4
        for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = dot_u8_i8(right[v], left, sum[c][v]);
      }
    }
  }
}

// Where the weights of a channel of all panels begin.
inline const int32_t* quad_weights(const tfmbs::QuadWindow& w, size_t channel) {
  const size_t panel = channel / QUAD_PANEL, row = channel % QUAD_PANEL;
  return reinterpret_cast<const int32_t*>(w.weights) + panel * w.panel + row * QUAD_STEPS;
}

template <unsigned VECTORS>
void quad_pixels(const tfmbs::QuadWindow& w, size_t pixel) {
  for (size_t channel = 0; channel < w.channels; channel += QUAD_CHANNELS) {
    VecI sum[QUAD_CHANNELS][VECTORS];
#pragma GCC unroll 8
    for (unsigned c = 0; c < QUAD_CHANNELS; ++c)
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = broadcast_i(w.starts[channel + c]);
    quad_sums(w, quad_weights(w, channel), pixel, sum);
    int32_t* const out = w.out + channel * w.stride + pixel;
#pragma GCC unroll 8
    for (unsigned c = 0; c < QUAD_CHANNELS; ++c)
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) store_i(out + c * w.stride + v * LANES, sum[c][v]);
  }
}

inline void quad_window(const tfmbs::QuadWindow& w) {
  size_t pixel = 0;
  // Four vectors are better two and two than three and one.
  for (; pixel + QUAD_VECTORS * LANES <= w.pixels && pixel + 4 * LANES != w.pixels; pixel += QUAD_VECTORS * LANES)
    quad_pixels<QUAD_VECTORS>(w, pixel);
  for (; pixel + 2 * LANES <= w.pixels; pixel += 2 * LANES) quad_pixels<2>(w, pixel);
  for (; pixel < w.pixels; pixel += LANES) quad_pixels<1>(w, pixel);
}

// Channels of a panel and vectors of pixels whose sums become bytes in registers.
template <bool DIVIDES>
struct QuadBytes {
  const tfmbs::QuadWindow& w;
  const float* scales;
  uint8_t* out;
  Requantizer<DIVIDES> requantize;

  // Vectors of pixels from number `vector` on.
  template <unsigned CHANNELS, unsigned VECTORS>
  [[gnu::always_inline]] void pixels(size_t vector) const {
    const size_t pixel = vector * LANES;
    const __mmask64 mask = ~__mmask64{0} >> (64 - std::min<size_t>(w.pixels - pixel, VECTORS * LANES));
    for (size_t first = 0; first < w.channels; first += CHANNELS) {
      VecI sum[CHANNELS][VECTORS];
#pragma GCC unroll 8
      for (unsigned c = 0; c < CHANNELS; ++c)
#pragma GCC unroll 4
        for (unsigned v = 0; v < VECTORS; ++v) sum[c][v] = broadcast_i(w.starts[first + c]);
      quad_sums(w, quad_weights(w, first), pixel, sum);
      // Its constants are read here, so that registers are for sums before.
      const Requantizer<DIVIDES>* bytes_of = &requantize;
      asm("" : "+r"(bytes_of));
#pragma GCC unroll 8
      for (unsigned c = 0; c < CHANNELS; ++c) {
        const size_t channel = first + c;
        if (channel >= w.channels) break;
        (*bytes_of)(sum[c], bytes_of->scale(scales[channel]));
        VecI all[4];
#pragma GCC unroll 4
        for (unsigned v = 0; v < 4; ++v) all[v] = v < VECTORS ? sum[c][v] : zero_i();
        store_bytes_where(mask, out + channel * w.stride + pixel, all);
      }
    }
  }

  void all() const {
    const size_t vectors = (w.pixels + LANES - 1) / LANES;
    size_t at = 0;
    if (w.count <= QUAD_NEAR)
      for (; vectors > at + 2; at += 4) pixels<4, 4>(at);
    else
      for (; vectors > at + 2 && vectors != at + 4; at += 3) pixels<8, 3>(at);
    for (; vectors > at + 1; at += 2) pixels<8, 2>(at);
    if (vectors > at) pixels<8, 1>(at);
  }
};

inline void narrow_quads(const tfmbs::QuadWindow& w, const float* scales, const tfmbs::ChainStep& quantize,
                         uint8_t* out) {
  if (quantize.divisor == 0) QuadBytes<false>{w, scales, out, Requantizer<false>(quantize)}.all();
  else QuadBytes<true>{w, scales, out, Requantizer<true>(quantize)}.all();
}

// Words of 64 pixels, or of the first `count`.
template <bool WHOLE, bool STREAMS>
inline void quads_of(const int8_t* const* from, size_t at, size_t count, uint32_t* out) {
  // Lane q of a vector of bytes gets those of pixels 4 q to 4 q + 3 of each 16.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __mmask64 mask = WHOLE ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
  __m512i x[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i)
    x[i] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from[i] + at), _mm512_set1_epi8(-128));
#pragma GCC unroll 4
  for (__m512i& bytes : x) bytes = _mm512_permutexvar_epi32(order, bytes);
  const __m512i low[2] = {_mm512_unpacklo_epi8(x[0], x[1]), _mm512_unpacklo_epi8(x[2], x[3])};
  const __m512i high[2] = {_mm512_unpackhi_epi8(x[0], x[1]), _mm512_unpackhi_epi8(x[2], x[3])};
  const __m512i words[4] = {_mm512_unpacklo_epi16(low[0], low[1]), _mm512_unpackhi_epi16(low[0], low[1]),
                            _mm512_unpacklo_epi16(high[0], high[1]), _mm512_unpackhi_epi16(high[0], high[1])};
  out += at;
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i) {
    if (STREAMS && i * LANES < count) _mm512_stream_si512(reinterpret_cast<__m512i*>(out + i * LANES), words[i]);
    else if (STREAMS) return;
    else if (WHOLE) _mm512_storeu_si512(out + i * LANES, words[i]);
    else _mm512_mask_storeu_epi32(out + i * LANES, static_cast<__mmask16>(mask >> i * LANES), words[i]);
  }
}

template <bool STREAMS>
inline void quads(const int8_t* const* from, size_t count, uint32_t* out) {
  size_t at = 0;
  for (; count - at >= 64; at += 64) quads_of<true, STREAMS>(from, at, 64, out);
  if (at < count) quads_of<false, STREAMS>(from, at, count - at, out);
}

inline void quads(const int8_t* const* from, size_t count, uint32_t* out, bool streams) {
  streams ? quads<true>(from, count, out) : quads<false>(from, count, out);
}

constexpr tfmbs::QuadFns QUAD_FNS{quad_window, false, narrow_quads, quads};

}  // namespace
#endif
