// Vectors of bytes in the widest form that the flags of this translation unit allow, as products of trits use them.
#pragma once

#include <cstdint>

#include "simd.h"

namespace {

constexpr unsigned OCTETS = 4 * LANES;  // bytes of a vector

#if defined(__AVX512F__) && defined(__AVX512BW__)

inline VecI load_octets(const void* p) { return _mm512_loadu_si512(p); }
inline void store_octets(void* p, VecI x) { _mm512_storeu_si512(p, x); }
inline VecI add_octets(VecI a, VecI b) { return _mm512_add_epi8(a, b); }
// Of each 128 bits the first, or last, eight bytes (four halves of words) of both, in turn.
inline VecI low_octets(VecI a, VecI b) { return _mm512_unpacklo_epi8(a, b); }
inline VecI high_octets(VecI a, VecI b) { return _mm512_unpackhi_epi8(a, b); }
inline VecI low_doubles(VecI a, VecI b) { return _mm512_unpacklo_epi16(a, b); }
inline VecI high_doubles(VecI a, VecI b) { return _mm512_unpackhi_epi16(a, b); }
// 0, 1 or 2: how many of 86 and 171 a byte reaches, which is floor(3 x / 256).
inline VecI digits_of(VecI x) {
  const VecI one = _mm512_set1_epi8(1);
  const VecI first = _mm512_maskz_mov_epi8(_mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(86)), one);
  return _mm512_mask_add_epi8(first, _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(171))), first, one);
}
// Sums of two products each of a digit and an i8: at most 512 in magnitude.
inline VecI pairs_of(VecI digits, VecI a) { return _mm512_maddubs_epi16(digits, a); }
inline VecI widen_pairs(VecI x) { return _mm512_madd_epi16(x, _mm512_set1_epi16(1)); }

#elif defined(__AVX2__) && defined(__FMA__)

inline VecI load_octets(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_octets(void* p, VecI x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
inline VecI add_octets(VecI a, VecI b) { return _mm256_add_epi8(a, b); }
inline VecI low_octets(VecI a, VecI b) { return _mm256_unpacklo_epi8(a, b); }
inline VecI high_octets(VecI a, VecI b) { return _mm256_unpackhi_epi8(a, b); }
inline VecI low_doubles(VecI a, VecI b) { return _mm256_unpacklo_epi16(a, b); }
inline VecI high_doubles(VecI a, VecI b) { return _mm256_unpackhi_epi16(a, b); }
inline VecI digits_of(VecI x) {
  // A byte reaches a bound where it is its maximum with it; each such comparison gives -1.
  const VecI first = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(86)), x);
  const VecI second = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(static_cast<char>(171))), x);
  return _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(first, second));
}
inline VecI pairs_of(VecI digits, VecI a) { return _mm256_maddubs_epi16(digits, a); }
inline VecI widen_pairs(VecI x) { return _mm256_madd_epi16(x, _mm256_set1_epi16(1)); }

#endif

}  // namespace
