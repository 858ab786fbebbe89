// Squares of elements, whose rows become columns.
#pragma once

#include <cstddef>

#include "simd.h"

#if defined(__AVX2__)
namespace {

// 32-bit elements of quarters (AVX2: halves) of a vector: the first two of each of both, then the last two.
#if defined(__AVX512F__)
inline VecI low_words(VecI a, VecI b) { return _mm512_unpacklo_epi32(a, b); }
inline VecI high_words(VecI a, VecI b) { return _mm512_unpackhi_epi32(a, b); }
inline VecI low_pairs(VecI a, VecI b) { return _mm512_unpacklo_epi64(a, b); }
inline VecI high_pairs(VecI a, VecI b) { return _mm512_unpackhi_epi64(a, b); }
#else
inline VecI low_words(VecI a, VecI b) { return _mm256_unpacklo_epi32(a, b); }
inline VecI high_words(VecI a, VecI b) { return _mm256_unpackhi_epi32(a, b); }
inline VecI low_pairs(VecI a, VecI b) { return _mm256_unpacklo_epi64(a, b); }
inline VecI high_pairs(VecI a, VecI b) { return _mm256_unpackhi_epi64(a, b); }
#endif

// Word i of all rows becomes x[i].
inline void transpose_words(VecI (&x)[LANES]) {
  VecI y[LANES];
#pragma GCC unroll 8
  for (unsigned i = 0; i < LANES; i += 2) {
    y[i] = low_words(x[i], x[i + 1]);
    y[i + 1] = high_words(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (unsigned i = 0; i < LANES; i += 4) {
    x[i] = low_pairs(y[i], y[i + 2]);
    x[i + 1] = high_pairs(y[i], y[i + 2]);
    x[i + 2] = low_pairs(y[i + 1], y[i + 3]);
    x[i + 3] = high_pairs(y[i + 1], y[i + 3]);
  }
  // Quarter q of x[4 g + w] has word 4 q + w of rows 4 g … 4 g + 3.
#if defined(__AVX512F__)
#pragma GCC unroll 4
  for (unsigned w = 0; w < 4; ++w) {
    const VecI even = _mm512_shuffle_i32x4(x[w], x[w + 4], 0x88), odd = _mm512_shuffle_i32x4(x[w], x[w + 4], 0xdd);
    const VecI even_behind = _mm512_shuffle_i32x4(x[w + 8], x[w + 12], 0x88);
    const VecI odd_behind = _mm512_shuffle_i32x4(x[w + 8], x[w + 12], 0xdd);
    x[w] = _mm512_shuffle_i32x4(even, even_behind, 0x88);
    x[w + 4] = _mm512_shuffle_i32x4(odd, odd_behind, 0x88);
    x[w + 8] = _mm512_shuffle_i32x4(even, even_behind, 0xdd);
    x[w + 12] = _mm512_shuffle_i32x4(odd, odd_behind, 0xdd);
  }
#else
#pragma GCC unroll 4
  for (unsigned w = 0; w < 4; ++w) {
    const VecI low = _mm256_permute2x128_si256(x[w], x[w + 4], 0x20);
    x[w + 4] = _mm256_permute2x128_si256(x[w], x[w + 4], 0x31);
    x[w] = low;
  }
#endif
}

// Byte j of row i becomes byte i of row j, in each 16 bytes of a vector by themselves; `low` and `high` interleave the
// first and the second half of the bytes of two.
template <class Vector, class Low, class High>
[[gnu::always_inline]] inline void transpose_bytes(Vector (&x)[16], Low low, High high) {
  constexpr size_t HALF = 8;
  Vector y[2 * HALF];
#pragma GCC unroll 2
  for (unsigned step = 0; step < 2; ++step) {
#pragma GCC unroll 8
    for (size_t i = 0; i < HALF; ++i) {
      y[2 * i] = low(x[i], x[i + HALF]);
      y[2 * i + 1] = high(x[i], x[i + HALF]);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < HALF; ++i) {
      x[2 * i] = low(y[i], y[i + HALF]);
      x[2 * i + 1] = high(y[i], y[i + HALF]);
    }
  }
}

}  // namespace
#endif
