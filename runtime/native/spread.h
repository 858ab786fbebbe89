// Channels of a plane as words of its pixels, for integer tiles: squares of bytes are transposed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels.h"
#include "squares.h"

namespace {

constexpr size_t BYTES = 16;  // channels, and elements of each, in a square

// Byte j of row i becomes byte i of row j.
inline void transpose_bytes(int8_t (&square)[BYTES][BYTES]) {
#if defined(__AVX2__)
  __m128i x[BYTES];
  for (size_t i = 0; i < BYTES; ++i) x[i] = _mm_load_si128(reinterpret_cast<const __m128i*>(square[i]));
  transpose_bytes(x, [](__m128i a, __m128i b) { return _mm_unpacklo_epi8(a, b); },
                  [](__m128i a, __m128i b) { return _mm_unpackhi_epi8(a, b); });
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

#if defined(__AVX512F__) && defined(__AVX512BW__)

constexpr size_t WIDE = 4 * BYTES;

// WIDE channels of BYTES neighbouring pixels, of which the first `pixels` are stored, `pitch` bytes apart; each byte by
// 128 more. Quarters of vectors are squares of their own, so that a pixel comes out in one piece.
inline void spread_wide(const int8_t* from, size_t stride, size_t pixels, uint8_t* out, size_t pitch) {
  __m512i x[BYTES];
#pragma GCC unroll 16
  for (size_t i = 0; i < BYTES; ++i) {
    const auto row = [&](size_t quarter) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + (quarter * BYTES + i) * stride));
    };
    x[i] = _mm512_inserti32x4(_mm512_castsi128_si512(row(0)), row(1), 1);
    x[i] = _mm512_inserti32x4(_mm512_inserti32x4(x[i], row(2), 2), row(3), 3);
  }
  transpose_bytes(x, [](__m512i a, __m512i b) { return _mm512_unpacklo_epi8(a, b); },
                  [](__m512i a, __m512i b) { return _mm512_unpackhi_epi8(a, b); });
#pragma GCC unroll 16
  for (size_t i = 0; i < BYTES; ++i) {
    if (i == pixels) return;
    _mm512_storeu_si512(out + i * pitch, _mm512_xor_si512(x[i], _mm512_set1_epi8(-128)));
  }
}

// As many channels as that can be done for.
inline size_t spread_wide(const tfmbs::Spread& s, uint8_t* out, size_t pitch) {
  const size_t reach = (s.count + BYTES - 1) / BYTES * BYTES;
  size_t done = 0;
  for (; s.step == 1 && done + WIDE <= s.channels; done += WIDE) {
    const int8_t* const from = s.from + done * s.stride;
    if (static_cast<size_t>(s.end - (from + (WIDE - 1) * s.stride)) < reach) break;
    for (size_t first = 0; first < s.count; first += BYTES)
      spread_wide(from + first, s.stride, std::min(BYTES, s.count - first), out + first * pitch + done, pitch);
  }
  return done;
}

#else

inline size_t spread_wide(const tfmbs::Spread&, uint8_t*, size_t) { return 0; }

#endif

// Each byte by 128 more.
inline void spread_quads(const tfmbs::Spread& s, uint32_t* out) {
  const size_t bytes = s.pitch * sizeof *out;
  const size_t done = spread_wide(s, reinterpret_cast<uint8_t*>(out), bytes);
  tfmbs::Spread rest = s;
  rest.from += done * s.stride;
  rest.channels -= done;
  spread_squares(rest, [&](size_t pixel, size_t channel, const int8_t* x) {
    channel += done;
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
