// Vectors of 32-bit words, each of which lies in one piece, side by side.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tfmbs {

inline uint32_t word_at(const uint8_t* from) {
  uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

#if defined(__SSE2__)
// Four words of four vectors; `width` words lie between two rows of `out`.
inline void interleave_four(const uint8_t* from, uint64_t stride, __m128i flips, unsigned width, uint32_t* out) {
  const auto load = [&](unsigned j) {
    return _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + j * stride)), flips);
  };
  const auto store = [&](unsigned i, __m128i row) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * uint64_t{width}), row);
  };
  const __m128i a = load(0), b = load(1), c = load(2), d = load(3);
  const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
  const __m128i ab_high = _mm_unpackhi_epi32(a, b), cd_high = _mm_unpackhi_epi32(c, d);
  store(0, _mm_unpacklo_epi64(ab, cd));
  store(1, _mm_unpackhi_epi64(ab, cd));
  store(2, _mm_unpacklo_epi64(ab_high, cd_high));
  store(3, _mm_unpackhi_epi64(ab_high, cd_high));
}
#endif

// out[i * width + j] = word i of vector j, its bits `flip` inverted, for i < k and j < count; vectors are `stride`
// bytes apart.
inline void interleave(const uint8_t* from, uint64_t stride, unsigned count, unsigned width, uint64_t k, uint32_t flip,
                       uint32_t* out) {
  constexpr uint64_t TOGETHER = 64;  // words of a vector: what they are written to stays in the first cache
  for (uint64_t first = 0; first < k; first += TOGETHER) {
    const uint64_t end = std::min(k, first + TOGETHER);
    unsigned j = 0;
#if defined(__SSE2__)
    const __m128i flips = _mm_set1_epi32(static_cast<int>(flip));
    for (; j + 4 <= count; j += 4) {
      const uint8_t* vectors = from + j * stride;
      uint64_t i = first;
      for (; i + 4 <= end; i += 4) interleave_four(vectors + 4 * i, stride, flips, width, out + i * width + j);
      for (; i < end; ++i)
        for (unsigned v = 0; v < 4; ++v) out[i * width + j + v] = word_at(vectors + v * stride + 4 * i) ^ flip;
    }
#endif
    for (; j < count; ++j)
      for (uint64_t i = first; i < end; ++i) out[i * width + j] = word_at(from + j * stride + 4 * i) ^ flip;
  }
}

}  // namespace tfmbs
