// Sixteen neighbouring columns of a matrix of 32-bit elements, each as lanes that follow each other.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi.gen.h"
#include "intrinsics.h"

namespace {

#if defined(__AVX512F__)

constexpr uint32_t SQUARE = 16;

// Rows of a square to columns: pairs, fours, eights, halves.
inline void transpose(__m512i (&x)[16]) {
  __m512i y[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  // Quarter q of x[4 * g + c] is now column 4 * q + c of rows 4 * g to 4 * g + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    y[c] = _mm512_shuffle_i32x4(x[c], x[c + 4], 0x88);
    y[c + 4] = _mm512_shuffle_i32x4(x[c], x[c + 4], 0xdd);
    y[c + 8] = _mm512_shuffle_i32x4(x[c + 8], x[c + 12], 0x88);
    y[c + 12] = _mm512_shuffle_i32x4(x[c + 8], x[c + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    x[c] = _mm512_shuffle_i32x4(y[c], y[c + 8], 0x88);
    x[c + 4] = _mm512_shuffle_i32x4(y[c + 4], y[c + 12], 0x88);
    x[c + 8] = _mm512_shuffle_i32x4(y[c], y[c + 8], 0xdd);
    x[c + 12] = _mm512_shuffle_i32x4(y[c + 4], y[c + 12], 0xdd);
  }
}

inline void square(uint32_t* columns, size_t apart, const uint32_t* x, int64_t stride) {
  __m512i rows[SQUARE];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < SQUARE; ++i) rows[i] = _mm512_loadu_si512(x + i * stride);
  transpose(rows);
#pragma GCC unroll 16
  for (uint32_t c = 0; c < SQUARE; ++c) _mm512_store_si512(columns + c * apart, rows[c]);
}

#elif defined(__AVX2__)

constexpr uint32_t SQUARE = 8;

inline void transpose(__m256 (&x)[8]) {
  __m256 y[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
    y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
    x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
    x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
    x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    y[c] = _mm256_permute2f128_ps(x[c], x[c + 4], 0x20);
    y[c + 4] = _mm256_permute2f128_ps(x[c], x[c + 4], 0x31);
  }
  for (int c = 0; c < 8; ++c) x[c] = y[c];
}

inline void square(uint32_t* columns, size_t apart, const uint32_t* x, int64_t stride) {
  for (uint32_t half = 0; half < 16; half += SQUARE) {
    __m256 rows[SQUARE];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < SQUARE; ++i)
      rows[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(x + half + i * stride));
    transpose(rows);
#pragma GCC unroll 8
    for (uint32_t c = 0; c < SQUARE; ++c)
      _mm256_store_ps(reinterpret_cast<float*>(columns + (half + c) * apart), rows[c]);
  }
}

#else

constexpr uint32_t SQUARE = 1;

inline void square(uint32_t* columns, size_t apart, const uint32_t* x, int64_t) {
  for (uint32_t c = 0; c < 16; ++c) columns[c * apart] = x[c];
}

#endif

inline void columns(uint32_t* out, size_t apart, const uint8_t* matrix, int64_t first, int64_t stride, uint32_t n) {
  const auto* x = reinterpret_cast<const uint32_t*>(matrix) + first;
  uint32_t i = 0;
  for (; i + SQUARE <= n; i += SQUARE) square(out + i, apart, x + i * stride, stride);
  for (; i < n; ++i)
    for (uint32_t c = 0; c < 16; ++c) out[c * apart + i] = x[i * stride + c];
}

}  // namespace
