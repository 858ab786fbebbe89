// Quotients of f32. AVX-512 multiplies with the reciprocal where all lanes have the same divisor, as in a row that is
// divided by its sum, and gets the same bits: Markstein's theorem (IBM J. Res. Dev. 34, 1990) has it that for
// y = round(1 / b) and q within one unit in the last place of a / b, fma(fma(-b, q, a), y, q) is a / b rounded, as long
// as nothing on the way leaves the normal numbers.
#pragma once

#include "lane_divide.h"
#include "lane_loops.h"

namespace {

#if defined(__AVX512F__)

// Whether all lanes are the same number b, and 2^-60 <= |b| < 2^60.
inline bool is_tame_divisor(const float* b, uint32_t n) {
  const float magnitude = std::fabs(*b);
  if (!(magnitude >= 0x1p-60f && magnitude < 0x1p60f)) return false;
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
  const float reciprocal = 1.0f / *by, missing = std::fma(-*by, reciprocal, 1.0f) * reciprocal;
  const __m512 divisor = _mm512_set1_ps(*by), high = _mm512_set1_ps(reciprocal), low = _mm512_set1_ps(missing);
  // Dividends of magnitudes from 2^-60 to below 2^60: their bits, moved, are below a bound.
  const __m512i least = _mm512_set1_epi32((127 - 60) << 23), span = _mm512_set1_epi32(120 << 23);
  const __m512i magnitude = _mm512_set1_epi32(INT32_MAX);
  for (uint32_t i = 0; i < n; i += GROUP) {
    const __m512 x = _mm512_loadu_ps(in + i);
    const __m512i place = _mm512_sub_epi32(_mm512_and_si512(_mm512_castps_si512(x), magnitude), least);
    // With the reciprocal to twice the digits, q is within half a unit and a little.
    const __m512 q = _mm512_fmadd_ps(x, high, _mm512_mul_ps(x, low));
    __m512 y = _mm512_fmadd_ps(_mm512_fnmadd_ps(divisor, q, x), high, q);
    if (_mm512_cmpge_epu32_mask(place, span)) [[unlikely]] {
      const __m512 exact = _mm512_div_ps(x, divisor);
      y = _mm512_mask_mov_ps(exact, _mm512_cmp_ps_mask(exact, exact, _CMP_UNORD_Q),
                             _mm512_set1_ps(from_bits<float>(CANONICAL<float>)));
    }
    _mm512_storeu_ps(out + i, y);
  }
}

#else

constexpr tfmbs::LaneFn quotient_f32 = each<Div, float>;

#endif

}  // namespace
