// Rows of activations as i8 by their largest magnitude.
#pragma once

#include <cmath>

#include "lane_bits.h"

namespace {

constexpr float LARGEST_STORED = 127.0f, LEAST_STORED = -128.0f, LEAST_MAGNITUDE = 1e-5f;

// The largest magnitude: bits of magnitudes have their order; a NaN has none.
template <class At>
float largest_magnitude(size_t n, At at) {
  constexpr uint32_t INFINITE = 0x7f800000u;
  uint32_t most = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t magnitude = bits_of(at(i)) & ~SIGN_BIT<float>;
    const uint32_t known = magnitude > INFINITE ? 0u : magnitude;
    most = known > most ? known : most;
  }
  return from_bits<float>(most);
}

template <class At>
float quantize(size_t n, At at, int8_t* out) {
  const float most = largest_magnitude(n, at);
  const float factor = LARGEST_STORED / (most > LEAST_MAGNITUDE ? most : LEAST_MAGNITUDE);
  for (size_t i = 0; i < n; ++i) {
    float x = at(i) * factor;
    x = x > LARGEST_STORED ? LARGEST_STORED : x;
    x = x < LEAST_STORED ? LEAST_STORED : x;
    x = x == x ? x : 0.0f;
    out[i] = static_cast<int8_t>(static_cast<int32_t>(std::nearbyint(x)));  // half to even
  }
  return factor;
}

inline float quantize_row(const float* x, size_t stride, size_t n, int8_t* out) {
  if (stride == 1) return quantize(n, [=](size_t i) __attribute__((always_inline)) { return x[i]; }, out);
  return quantize(n, [=](size_t i) __attribute__((always_inline)) { return x[i * stride]; }, out);
}

inline int32_t sum_row(const int8_t* x, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint32_t>(static_cast<int32_t>(x[i]));
  return static_cast<int32_t>(sum);
}

}  // namespace
