// Channels of a plane as words of its pixels, for integer tiles: squares of bytes are transposed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "intrinsics.h"
#include "kernels.h"

namespace {

constexpr size_t BYTES = 16;  // channels, and elements of each, in a square

// Byte j of row i becomes byte i of row j.
inline void transpose_bytes(int8_t (&square)[BYTES][BYTES]) {
#if defined(__AVX2__)
  __m128i x[BYTES], y[BYTES];
  for (size_t i = 0; i < BYTES; ++i) x[i] = _mm_load_si128(reinterpret_cast<const __m128i*>(square[i]));
  // Each of four steps interleaves the first half of the bytes with the second.
  for (unsigned step = 0; step < 2; ++step) {
#pragma GCC unroll 8
    for (size_t i = 0; i < BYTES / 2; ++i) {
      y[2 * i] = _mm_unpacklo_epi8(x[i], x[i + BYTES / 2]);
      y[2 * i + 1] = _mm_unpackhi_epi8(x[i], x[i + BYTES / 2]);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < BYTES / 2; ++i) {
      x[2 * i] = _mm_unpacklo_epi8(y[i], y[i + BYTES / 2]);
      x[2 * i + 1] = _mm_unpackhi_epi8(y[i], y[i + BYTES / 2]);
    }
  }
  for (size_t i = 0; i < BYTES; ++i) _mm_store_si128(reinterpret_cast<__m128i*>(square[i]), x[i]);
#else
  for (size_t i = 0; i < BYTES; ++i)
    for (size_t j = 0; j < i; ++j) std::swap(square[i][j], square[j][i]);
#endif
}

// store(pixel, channel, bytes): 16 channels of a pixel from `channel` on; those beyond the last one are zero.
template <class Store>
void spread_squares(const tfmbs::Spread& s, Store store) {
  // Pixels whose elements lie in one square.
  const size_t together = s.step >= BYTES ? 1 : (BYTES - 1) / s.step + 1;
  for (size_t first = 0; first < s.count; first += together) {
    const size_t pixels = std::min(together, s.count - first);
    for (size_t channel = 0; channel < s.channels; channel += BYTES) {
      const size_t rows = std::min(BYTES, s.channels - channel);
      alignas(BYTES) int8_t square[BYTES][BYTES] = {};
      for (size_t i = 0; i < rows; ++i) {
        const int8_t* from = s.from + (channel + i) * s.stride + first * s.step;
        const size_t room = static_cast<size_t>(s.end - from);
        if (room >= BYTES) std::memcpy(square[i], from, BYTES);
        else std::memcpy(square[i], from, room);
      }
      transpose_bytes(square);
      for (size_t i = 0; i < pixels; ++i) store(first + i, channel, square[i * s.step]);
    }
  }
}

// Each byte by 128 more.
inline void spread_quads(const tfmbs::Spread& s, uint32_t* out) {
  const size_t bytes = s.pitch * sizeof *out;
  spread_squares(s, [&](size_t pixel, size_t channel, const int8_t* x) {
    uint8_t flipped[BYTES];
    for (size_t i = 0; i < BYTES; ++i) flipped[i] = static_cast<uint8_t>(x[i]) ^ 0x80u;
    uint8_t* to = reinterpret_cast<uint8_t*>(out) + pixel * bytes + channel;
    if (bytes - channel >= BYTES) std::memcpy(to, flipped, BYTES);
    else std::memcpy(to, flipped, bytes - channel);
  });
}

// Each as i16, less the zero point.
inline void spread_pairs(const tfmbs::Spread& s, uint32_t* out) {
  const size_t halves = s.pitch * 2;
  spread_squares(s, [&](size_t pixel, size_t channel, const int8_t* x) {
    int16_t wide[BYTES];
    for (size_t i = 0; i < BYTES; ++i) wide[i] = static_cast<int16_t>(x[i] - s.zero);
    int16_t* to = reinterpret_cast<int16_t*>(out) + pixel * halves + channel;
    const size_t count = std::min(BYTES, halves - channel);
    if (count == BYTES) std::memcpy(to, wide, sizeof wide);
    else std::memcpy(to, wide, count * sizeof *wide);
  });
}

}  // namespace
