// Windows of few channels along rows of padded elements: each lane of a vector is a word that starts where its window
// does, so that a product takes several taps at once.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels.h"
#include "simd.h"

namespace {

template <class Bits>
inline void flip_bytes(const int8_t* from, uint8_t* to) {
  Bits bits;
  std::memcpy(&bits, from, sizeof bits);
  bits ^= static_cast<Bits>(0x8080808080808080u);
  std::memcpy(to, &bits, sizeof bits);
}

// The last bytes of a row are taken as many at a time as the others, some of them twice.
inline void pad_quads(const tfmbs::PaddedRows& rows) {
  const int8_t* from = rows.from;
  uint8_t* out = rows.out;
  for (size_t row = 0; row < rows.rows; ++row, from += rows.stride, out += rows.pitch) {
    const size_t count = rows.count;
    if (count >= 8) {
      for (size_t i = 0; i + 8 < count; i += 8) flip_bytes<uint64_t>(from + i, out + i);
      flip_bytes<uint64_t>(from + count - 8, out + count - 8);
    } else if (count >= 4) {
      flip_bytes<uint32_t>(from, out);
      flip_bytes<uint32_t>(from + count - 4, out + count - 4);
    } else {
      for (size_t i = 0; i < count; ++i) flip_bytes<uint8_t>(from + i, out + i);
    }
  }
}

inline void pad_pairs(const tfmbs::PaddedRows& rows) {
  for (size_t row = 0; row < rows.rows; ++row) {
    const int8_t* from = rows.from + row * rows.stride;
    int16_t* halves = reinterpret_cast<int16_t*>(rows.out + row * rows.pitch);
    for (size_t i = 0; i < rows.count; ++i) halves[i] = static_cast<int16_t>(from[i] - rows.zero);
  }
}

// Lane i is the word at p + i * STEP.
template <unsigned STEP>
inline VecI words_at(const uint8_t* p) {
  if constexpr (STEP == 4) return load_i(reinterpret_cast<const int32_t*>(p));
#if defined(__AVX512F__) && defined(__AVX512BW__)
  // Each quarter gets the bytes that its four words lie in, then every word its own.
  if constexpr (STEP == 1) {
    const __m512i quarters = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6),
        _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
    return _mm512_shuffle_epi8(quarters, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6)));
  } else {
    const __m512i quarters = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9), _mm512_loadu_si512(p));
    return _mm512_shuffle_epi8(quarters, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9)));
  }
#elif defined(__AVX2__) && defined(__FMA__)
  const __m256i halves = _mm256_inserti128_si256(
      _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 4 * STEP)), 1);
  if constexpr (STEP == 1)
    return _mm256_shuffle_epi8(halves, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6)));
  else
    return _mm256_shuffle_epi8(halves, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9)));
#else
  VecI x;
  for (unsigned i = 0; i < LANES; ++i) std::memcpy(&x.lane[i], p + i * STEP, sizeof x.lane[i]);
  return x;
#endif
}

template <class Dot, unsigned STEP, unsigned VECTORS>
[[gnu::always_inline]] inline void window_words(const uint8_t* from, const size_t* offsets, const uint32_t* weights,
                                                size_t taps, int32_t start, int32_t* out) {
  VecI sum[VECTORS];
#pragma GCC unroll 4
  for (unsigned v = 0; v < VECTORS; ++v) sum[v] = broadcast_i(start);
  for (size_t tap = 0; tap < taps; ++tap) {
    const VecI weight = broadcast_i(static_cast<int32_t>(weights[tap]));
    const uint8_t* p = from + offsets[tap];
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) sum[v] = Dot::dot(words_at<STEP>(p + v * LANES * STEP), weight, sum[v]);
  }
#pragma GCC unroll 4
  for (unsigned v = 0; v < VECTORS; ++v) store_i(out + v * LANES, sum[v]);
}

template <class Dot, unsigned STEP>
void window_rows_by(const tfmbs::WindowWords& w, int32_t* out) {
  for (size_t row = 0; row < w.rows; ++row, out += w.n) {
    const uint8_t* from = w.from + row * w.pitch;
    uint32_t i = 0;
    for (; i + 3 * LANES < w.n; i += 4 * LANES)
      window_words<Dot, STEP, 4>(from + i * STEP, w.offsets, w.weights, w.taps, w.start, out + i);
    for (; i + LANES < w.n; i += 2 * LANES)
      window_words<Dot, STEP, 2>(from + i * STEP, w.offsets, w.weights, w.taps, w.start, out + i);
    if (i < w.n) window_words<Dot, STEP, 1>(from + i * STEP, w.offsets, w.weights, w.taps, w.start, out + i);
  }
}

template <class Dot>
void window_rows(const tfmbs::WindowWords& words, int32_t* out) {
  if (words.step == 1) window_rows_by<Dot, 1>(words, out);
  else if (words.step == 2) window_rows_by<Dot, 2>(words, out);
  else window_rows_by<Dot, 4>(words, out);
}

}  // namespace
