// Sixteen neighbouring columns of a matrix of 32-bit elements, each as lanes that follow each other.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi.gen.h"
#include "squares.h"

namespace {

#if defined(__AVX2__)

constexpr uint32_t SQUARE = LANES;

inline void square(uint32_t* columns, size_t apart, const uint32_t* x, int64_t stride) {
  for (uint32_t part = 0; part < 16; part += SQUARE) {
    VecI rows[SQUARE];
#pragma GCC unroll 16
    for (uint32_t i = 0; i < SQUARE; ++i) rows[i] = load_i(x + part + i * stride);
    transpose_words(rows);
#pragma GCC unroll 16
    for (uint32_t c = 0; c < SQUARE; ++c) store_i(columns + (part + c) * apart, rows[c]);
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
