// Rows of activations as i8 by their largest magnitude.
#pragma once

#include <cmath>

#include "intrinsics.h"
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

inline float factor_of(float most) { return LARGEST_STORED / (most > LEAST_MAGNITUDE ? most : LEAST_MAGNITUDE); }

inline int8_t quantized(float x, float factor) {
  x *= factor;
  x = x > LARGEST_STORED ? LARGEST_STORED : x;
  x = x < LEAST_STORED ? LEAST_STORED : x;
  x = x == x ? x : 0.0f;
  return static_cast<int8_t>(static_cast<int32_t>(std::nearbyint(x)));  // half to even
}

#if defined(__AVX512F__) && defined(__AVX512BW__)

inline __mmask16 lanes_from(size_t i, size_t n) {
  return static_cast<__mmask16>(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
}

// As above, of elements that follow each other.
inline float magnitude_dense(const float* x, size_t n) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), infinite = _mm512_set1_epi32(0x7f800000);
  __m512i most[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  unsigned turn = 0;
  for (size_t i = 0; i < n; i += 16, turn ^= 1) {
    const __m512i bits = _mm512_and_si512(_mm512_maskz_loadu_epi32(lanes_from(i, n), x + i), magnitude);
    most[turn] = _mm512_mask_max_epi32(most[turn], _mm512_cmple_epi32_mask(bits, infinite), most[turn], bits);
  }
  return from_bits<float>(static_cast<uint32_t>(_mm512_reduce_max_epi32(_mm512_max_epi32(most[0], most[1]))));
}

inline void quantize_dense(const float* x, size_t n, float factor, int8_t* out) {
  const __m512 by = _mm512_set1_ps(factor), high = _mm512_set1_ps(LARGEST_STORED), low = _mm512_set1_ps(LEAST_STORED);
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 lanes = lanes_from(i, n);
    const __m512 real = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), by);
    const __mmask16 numbers = _mm512_cmp_ps_mask(real, real, _CMP_ORD_Q);
    const __m512i stored = _mm512_maskz_cvtps_epi32(numbers, _mm512_max_ps(_mm512_min_ps(real, high), low));
    _mm512_mask_cvtepi32_storeu_epi8(out + i, lanes, stored);
  }
}

#elif defined(__AVX2__)

inline float magnitude_dense(const float* x, size_t n) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), infinite = _mm256_set1_epi32(0x7f800000);
  const size_t whole = n / 32 * 32;
  __m256i most = _mm256_setzero_si256();
  for (size_t i = 0; i < whole; i += 8) {
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude);
    most = _mm256_max_epi32(most, _mm256_andnot_si256(_mm256_cmpgt_epi32(bits, infinite), bits));
  }
  alignas(32) float lanes[9];
  _mm256_store_ps(lanes, _mm256_castsi256_ps(most));
  lanes[8] = largest_magnitude(n - whole, [=](size_t i) { return x[whole + i]; });
  return largest_magnitude(9, [&](size_t i) { return lanes[i]; });
}

inline void quantize_dense(const float* x, size_t n, float factor, int8_t* out) {
  const size_t whole = n / 32 * 32;
  const __m256 by = _mm256_set1_ps(factor), high = _mm256_set1_ps(LARGEST_STORED), low = _mm256_set1_ps(LEAST_STORED);
  const auto stored = [&](size_t i) {
    const __m256 real = _mm256_mul_ps(_mm256_loadu_ps(x + i), by);
    const __m256 numbers = _mm256_cmp_ps(real, real, _CMP_ORD_Q);
    return _mm256_cvtps_epi32(_mm256_and_ps(_mm256_max_ps(_mm256_min_ps(real, high), low), numbers));
  };
  // Packing takes halves of 128 bits: words of four come out in this order.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (size_t i = 0; i < whole; i += 32) {
    const __m256i first = _mm256_packs_epi32(stored(i), stored(i + 8));
    const __m256i second = _mm256_packs_epi32(stored(i + 16), stored(i + 24));
    const __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), all);
  }
  for (size_t i = whole; i < n; ++i) out[i] = quantized(x[i], factor);
}

#else

inline float magnitude_dense(const float* x, size_t n) {
  return largest_magnitude(n, [=](size_t i) { return x[i]; });
}

inline void quantize_dense(const float* x, size_t n, float factor, int8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = quantized(x[i], factor);
}

#endif

inline float magnitude_of_row(const float* x, size_t stride, size_t n) {
  if (stride == 1) return magnitude_dense(x, n);
  return largest_magnitude(n, [=](size_t i) __attribute__((always_inline)) { return x[i * stride]; });
}

inline void quantize_row(const float* x, size_t stride, size_t n, float factor, int8_t* out) {
  if (stride == 1) return quantize_dense(x, n, factor, out);
  for (size_t i = 0; i < n; ++i) out[i] = quantized(x[i * stride], factor);
}

inline int32_t sum_row(const int8_t* x, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint32_t>(static_cast<int32_t>(x[i]));
  return static_cast<int32_t>(sum);
}

}  // namespace
