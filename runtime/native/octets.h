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
// 0, 1 or 2: how many of 86 and 171 a byte reaches, which is floor(3 x / 256).
inline VecI digits_of(VecI x) {
  const VecI one = _mm512_set1_epi8(1);
  const VecI first = _mm512_maskz_mov_epi8(_mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(86)), one);
  return _mm512_mask_add_epi8(first, _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(171))), first, one);
}
// Sums of two products each of a digit and an i8: at most 512 in magnitude.
inline VecI pairs_of(VecI digits, VecI a) { return _mm512_maddubs_epi16(digits, a); }
inline VecI add_pairs(VecI a, VecI b) { return _mm512_add_epi16(a, b); }
inline VecI add_words(VecI a, VecI b) { return _mm512_add_epi32(a, b); }
inline VecI widen_pairs(VecI x) { return _mm512_madd_epi16(x, _mm512_set1_epi16(1)); }
inline int32_t sum_of(VecI x) { return _mm512_reduce_add_epi32(x); }
// The sums of four vectors.
inline void store_sums(const VecI (&x)[4], int32_t* out) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums);
}

#elif defined(__AVX2__) && defined(__FMA__)

inline VecI load_octets(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_octets(void* p, VecI x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
inline VecI add_octets(VecI a, VecI b) { return _mm256_add_epi8(a, b); }
inline VecI digits_of(VecI x) {
  // A byte reaches a bound where it is its maximum with it; each such comparison gives -1.
  const VecI first = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(86)), x);
  const VecI second = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(static_cast<char>(171))), x);
  return _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(first, second));
}
inline VecI pairs_of(VecI digits, VecI a) { return _mm256_maddubs_epi16(digits, a); }
inline VecI add_pairs(VecI a, VecI b) { return _mm256_add_epi16(a, b); }
inline VecI add_words(VecI a, VecI b) { return _mm256_add_epi32(a, b); }
inline VecI widen_pairs(VecI x) { return _mm256_madd_epi16(x, _mm256_set1_epi16(1)); }
inline __m128i halves(VecI x) { return _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)); }
inline int32_t sum_of(VecI x) {
  const __m128i pairs = _mm_add_epi32(halves(x), _mm_shuffle_epi32(halves(x), 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32(pairs, 0xb1)));
}
inline void store_sums(const VecI (&x)[4], int32_t* out) {
  const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]), _mm256_hadd_epi32(x[2], x[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), halves(all));
}

#endif

// Sums of a tile that are made where they are: GCC 12 moves them between registers, and to the stack, for every product.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#if defined(__AVX512VNNI__)
#define TFMBS_DOT "vpdpbusd"
#else
#define TFMBS_DOT "{vex} vpdpbusd"
#endif
// As dot_u8_i8.
inline VecI dots_in_place(VecI digits, VecI a, VecI sums) {
  asm(TFMBS_DOT " %2, %1, %0" : "+v"(sums) : "v"(digits), "v"(a));
  return sums;
}
#elif defined(__AVX2__)
// sums + pairs_of(digits, a).
inline VecI pairs_in_place(VecI digits, VecI a, VecI sums) {
  asm("vpaddw %1, %0, %0" : "+v"(sums) : "v"(pairs_of(digits, a)));
  return sums;
}
#endif

}  // namespace
