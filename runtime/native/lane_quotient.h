// Quotients of f32. AVX-512 multiplies with the reciprocal where all lanes have the same divisor, as in a row that is
// divided by its sum, and gets the same bits: Markstein's theorem (IBM J. Res. Dev. 34, 1990) has it that for
// y = round(1 / b) and q within one unit in the last place of a / b, fma(fma(-b, q, a), y, q) is a / b rounded, as long
// as nothing on the way leaves the normal numbers.
#pragma once

#include "lane_divide.h"
#include "lane_loops.h"

namespace {

#if defined(__AVX512F__)

inline bool is_tame(float b) { return std::fabs(b) >= 0x1p-60f && std::fabs(b) < 0x1p60f; }

// Vectors divided by a number; a NaN is anything.
class Quotients {
 public:
  explicit Quotients(float b) {
    const float reciprocal = 1.0f / b, missing = std::fma(-b, reciprocal, 1.0f) * reciprocal;
    divisor_ = _mm512_set1_ps(b), high_ = _mm512_set1_ps(reciprocal), low_ = _mm512_set1_ps(missing);
    span_ = _mm512_set1_epi32(is_tame(b) ? 120 << 23 : 0);
    zeros_ = is_tame(b) && b > 0 ? 0 : 0xffff;
  }

  [[gnu::always_inline]] __m512 operator()(__m512 x) const {
    // Dividends of magnitudes from 2^-60 to below 2^60: their bits, moved, are below a bound. +0 stays what it is.
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i place = _mm512_sub_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(INT32_MAX)),
                                           _mm512_set1_epi32((127 - 60) << 23));
    // With the reciprocal to twice the digits, q is within half a unit and a little.
    const __m512 q = _mm512_fmadd_ps(x, high_, _mm512_mul_ps(x, low_));
    const __m512 y = _mm512_fmadd_ps(_mm512_fnmadd_ps(divisor_, q, x), high_, q);
    const __mmask16 counts = _mm512_test_epi32_mask(bits, bits) | zeros_;
    return _mm512_mask_cmpge_epu32_mask(counts, place, span_) ? _mm512_div_ps(x, divisor_) : y;
  }

 private:
  __m512 divisor_, high_, low_;
  __m512i span_;
  __mmask16 zeros_;  // lanes of which +0 is not that simple
};

// Whether all lanes are the same number b, and it is tame.
inline bool is_tame_divisor(const float* b, uint32_t n) {
  if (!is_tame(*b)) return false;
  const __m512i first = _mm512_set1_epi32(static_cast<int>(bits_of(*b)));
  for (uint32_t i = 0; i + GROUP <= n; i += GROUP)
    if (_mm512_cmpneq_epi32_mask(first, _mm512_loadu_si512(b + i))) return false;
  const auto rest = static_cast<__mmask16>((1u << n % GROUP) - 1);
  return !_mm512_mask_cmpneq_epi32_mask(rest, first, _mm512_maskz_loadu_epi32(rest, b + n - n % GROUP));
}

inline void quotient_f32(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  const float* in = static_cast<const float*>(a);
  const float* by = static_cast<const float*>(b);
  float* out = static_cast<float*>(d);
  if (n < 2 * GROUP || n % GROUP || !is_tame_divisor(by, n)) return each<Div, float>(d, a, b, c, n);
  const Quotients quotients(*by);
  for (uint32_t i = 0; i < n; i += GROUP) {
    const __m512 y = quotients(_mm512_loadu_ps(in + i));
    _mm512_storeu_ps(out + i, _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(y, y, _CMP_UNORD_Q),
                                                 _mm512_set1_ps(from_bits<float>(CANONICAL<float>))));
  }
}

#else

constexpr tfmbs::LaneFn quotient_f32 = each<Div, float>;

#endif

}  // namespace
