// Vectors of f32 and i32 lanes in the widest form that the flags of this translation unit allow. Everything has
// internal linkage: the same names mean different code in each translation unit.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "intrinsics.h"

namespace {

constexpr uint32_t CANONICAL_NAN = 0x7fc00000u;
constexpr size_t LINE_FLOATS = 16;  // words of a cache line

inline float canonical_nan() {
  float value;
  std::memcpy(&value, &CANONICAL_NAN, sizeof value);
  return value;
}

#if defined(__AVX512F__) && defined(__AVX512BW__)

constexpr unsigned LANES = 16;
using VecF = __m512;
using VecI = __m512i;

inline VecF zero_f() { return _mm512_setzero_ps(); }
inline VecF load_f(const float* p) { return _mm512_loadu_ps(p); }
inline VecF broadcast_f(float x) { return _mm512_set1_ps(x); }
inline VecF fma_f(VecF a, VecF b, VecF c) { return _mm512_fmadd_ps(a, b, c); }
inline VecF fma_where(uint32_t bits, VecF a, VecF b, VecF c) {
  return _mm512_mask3_fmadd_ps(a, b, c, static_cast<__mmask16>(bits));
}
// Elements whose bit is not set are not read.
inline VecF load_where(uint32_t bits, const float* p) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), p); }
// Every second lane of two vectors.
inline VecF even_f(VecF a, VecF b) {
  return _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), b);
}
// The other ones.
inline VecF odd_f(VecF a, VecF b) {
  return _mm512_permutex2var_ps(a, _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), b);
}
inline VecF canonical_f(VecF x) {
  return _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_ps(canonical_nan()));
}
inline void store_canonical(float* p, VecF x) { _mm512_storeu_ps(p, canonical_f(x)); }
// The first `count` lanes, fewer than all.
inline void store_canonical_first(uint32_t count, float* p, VecF x) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), canonical_f(x));
}
inline VecI zero_i() { return _mm512_setzero_si512(); }
inline VecI load_i(const void* p) { return _mm512_loadu_si512(p); }
inline void store_i(void* p, VecI x) { _mm512_storeu_si512(p, x); }
inline VecI broadcast_i(int32_t x) { return _mm512_set1_epi32(x); }
// Rounded to nearest even.
inline VecF float_of(VecI x) { return _mm512_cvtepi32_ps(x); }
inline VecI dot_i16(VecI a, VecI b, VecI c) { return _mm512_add_epi32(c, _mm512_madd_epi16(a, b)); }
inline VecI and_i(VecI a, VecI b) { return _mm512_and_si512(a, b); }
inline VecI shift_right_i(VecI x, unsigned bits) {
  typedef uint32_t Lanes __attribute__((vector_size(64)));
  return (VecI)((Lanes)x >> bits);  // by an immediate where `bits` is constant
}
inline VecI add_i(VecI a, VecI b) { return _mm512_add_epi32(a, b); }
inline VecI subtract_i(VecI a, VecI b) { return _mm512_sub_epi32(a, b); }
inline VecI multiply_i(VecI a, VecI b) { return _mm512_mullo_epi32(a, b); }
inline VecF multiply_f(VecF a, VecF b) { return _mm512_mul_ps(a, b); }
inline void store_f(float* p, VecF x) { _mm512_storeu_ps(p, x); }
// The lowest four bits less 8.
inline VecF real_nibble(VecI x) {
  return _mm512_permutexvar_ps(x, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7));
}
// Byte number `byte` of each word as the highest one, the others zero.
inline VecI top_byte(VecI x, unsigned byte) {
  if (byte == 0) return _mm512_slli_epi32(x, 24);
  if (byte == 3) return _mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xff000000u)));
  const int from = static_cast<int>(0x00808080u + (byte << 24));  // an index above 127 is a zero
  return _mm512_shuffle_epi8(x, _mm512_set4_epi32(from + (12 << 24), from + (8 << 24), from + (4 << 24), from));
}
// The highest byte of each word as an i32.
inline VecI extend_top_byte(VecI x) { return _mm512_srai_epi32(x, 24); }
inline VecF divide_f(VecF a, VecF b) { return _mm512_div_ps(a, b); }
// Lanes of a and b by turns: a gets the first ones of both, b the others.
inline void interleave_i(VecI& a, VecI& b) {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const VecI low = _mm512_permutex2var_epi32(a, first, b);
  b = _mm512_permutex2var_epi32(a, second, b);
  a = low;
}
inline VecI add_i16(VecI a, VecI b) { return _mm512_add_epi16(a, b); }
// Sums of pairs of products of u8 and i8, which an i16 must hold.
inline VecI pairs_u8_i8(VecI a, VecI b) { return _mm512_maddubs_epi16(a, b); }
#if defined(__AVX512VNNI__)
// c plus the products of four u8 of a and four i8 of b.
inline VecI dot_u8_i8(VecI a, VecI b, VecI c) { return _mm512_dpbusd_epi32(c, a, b); }
#endif

#elif defined(__AVX2__) && defined(__FMA__)

constexpr unsigned LANES = 8;
using VecF = __m256;
using VecI = __m256i;

inline VecF zero_f() { return _mm256_setzero_ps(); }
inline VecF load_f(const float* p) { return _mm256_loadu_ps(p); }
inline VecF broadcast_f(float x) { return _mm256_set1_ps(x); }
inline VecF fma_f(VecF a, VecF b, VecF c) { return _mm256_fmadd_ps(a, b, c); }
// Lanes whose bit is set, as masks.
inline __m256i chosen_lanes(uint32_t bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane), lane);
}
inline VecF fma_where(uint32_t bits, VecF a, VecF b, VecF c) {
  return _mm256_blendv_ps(c, _mm256_fmadd_ps(a, b, c), _mm256_castsi256_ps(chosen_lanes(bits)));
}
inline VecF load_where(uint32_t bits, const float* p) { return _mm256_maskload_ps(p, chosen_lanes(bits)); }
inline VecF even_f(VecF a, VecF b) {
  const __m256d halves = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(halves, 0xd8));
}
inline VecF odd_f(VecF a, VecF b) {
  const __m256d halves = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(halves, 0xd8));
}
inline VecF canonical_f(VecF x) {
  return _mm256_blendv_ps(x, _mm256_set1_ps(canonical_nan()), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
inline void store_canonical(float* p, VecF x) { _mm256_storeu_ps(p, canonical_f(x)); }
inline void store_canonical_first(uint32_t count, float* p, VecF x) {
  _mm256_maskstore_ps(p, chosen_lanes((1u << count) - 1), canonical_f(x));
}
inline VecI zero_i() { return _mm256_setzero_si256(); }
inline VecI load_i(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_i(void* p, VecI x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
inline VecI broadcast_i(int32_t x) { return _mm256_set1_epi32(x); }
inline VecF float_of(VecI x) { return _mm256_cvtepi32_ps(x); }
inline VecI dot_i16(VecI a, VecI b, VecI c) { return _mm256_add_epi32(c, _mm256_madd_epi16(a, b)); }
inline VecI and_i(VecI a, VecI b) { return _mm256_and_si256(a, b); }
inline VecI shift_right_i(VecI x, unsigned bits) {
  typedef uint32_t Lanes __attribute__((vector_size(32)));
  return (VecI)((Lanes)x >> bits);  // by an immediate where `bits` is constant
}
inline VecI add_i(VecI a, VecI b) { return _mm256_add_epi32(a, b); }
inline VecI subtract_i(VecI a, VecI b) { return _mm256_sub_epi32(a, b); }
inline VecI multiply_i(VecI a, VecI b) { return _mm256_mullo_epi32(a, b); }
inline VecF multiply_f(VecF a, VecF b) { return _mm256_mul_ps(a, b); }
inline void store_f(float* p, VecF x) { _mm256_storeu_ps(p, x); }
inline VecF real_nibble(VecI x) {
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_and_si256(x, _mm256_set1_epi32(15)), _mm256_set1_epi32(8)));
}
inline VecI top_byte(VecI x, unsigned byte) {
  if (byte == 0) return _mm256_slli_epi32(x, 24);
  if (byte == 3) return _mm256_and_si256(x, _mm256_set1_epi32(static_cast<int>(0xff000000u)));
  const int from = static_cast<int>(0x00808080u + (byte << 24));
  return _mm256_shuffle_epi8(
      x, _mm256_broadcastsi128_si256(_mm_setr_epi32(from, from + (4 << 24), from + (8 << 24), from + (12 << 24))));
}
inline VecI extend_top_byte(VecI x) { return _mm256_srai_epi32(x, 24); }
inline VecF divide_f(VecF a, VecF b) { return _mm256_div_ps(a, b); }
inline void interleave_i(VecI& a, VecI& b) {
  const VecI low = _mm256_unpacklo_epi32(a, b), high = _mm256_unpackhi_epi32(a, b);
  a = _mm256_permute2x128_si256(low, high, 0x20);
  b = _mm256_permute2x128_si256(low, high, 0x31);
}
inline VecI add_i16(VecI a, VecI b) { return _mm256_add_epi16(a, b); }
inline VecI pairs_u8_i8(VecI a, VecI b) { return _mm256_maddubs_epi16(a, b); }
#if defined(__AVXVNNI__)
inline VecI dot_u8_i8(VecI a, VecI b, VecI c) { return _mm256_dpbusd_avx_epi32(c, a, b); }
#endif

#else

constexpr unsigned LANES = 4;
struct VecF {
  float lane[LANES];
};
struct VecI {
  uint32_t lane[LANES];  // unsigned, because sums wrap
};

inline VecF zero_f() { return VecF{}; }
inline VecF load_f(const float* p) {
  VecF x;
  std::memcpy(x.lane, p, sizeof x.lane);
  return x;
}
inline VecF broadcast_f(float x) { return VecF{{x, x, x, x}}; }
inline VecF fma_f(VecF a, VecF b, VecF c) {
  for (unsigned i = 0; i < LANES; ++i) c.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
  return c;
}
inline VecF fma_where(uint32_t bits, VecF a, VecF b, VecF c) {
  for (unsigned i = 0; i < LANES; ++i)
    if (bits >> i & 1u) c.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
  return c;
}
inline VecF load_where(uint32_t bits, const float* p) {
  VecF x{};
  for (unsigned i = 0; i < LANES; ++i)
    if (bits >> i & 1u) x.lane[i] = p[i];
  return x;
}
inline VecF even_f(VecF a, VecF b) {
  return VecF{{a.lane[0], a.lane[2], b.lane[0], b.lane[2]}};
}
inline VecF odd_f(VecF a, VecF b) {
  return VecF{{a.lane[1], a.lane[3], b.lane[1], b.lane[3]}};
}
inline void store_canonical_first(uint32_t count, float* p, VecF x) {
  for (unsigned i = 0; i < count; ++i) p[i] = std::isnan(x.lane[i]) ? canonical_nan() : x.lane[i];
}
inline void store_canonical(float* p, VecF x) { store_canonical_first(LANES, p, x); }
inline VecI zero_i() { return VecI{}; }
inline VecI load_i(const void* p) {
  VecI x;
  std::memcpy(x.lane, p, sizeof x.lane);
  return x;
}
inline void store_i(void* p, VecI x) { std::memcpy(p, x.lane, sizeof x.lane); }
inline VecF float_of(VecI x) {
  VecF y;
  for (unsigned i = 0; i < LANES; ++i) y.lane[i] = static_cast<float>(static_cast<int32_t>(x.lane[i]));
  return y;
}
inline VecI broadcast_i(int32_t x) {
  const uint32_t u = static_cast<uint32_t>(x);
  return VecI{{u, u, u, u}};
}
inline VecI dot_i16(VecI a, VecI b, VecI c) {
  for (unsigned i = 0; i < LANES; ++i) {
    const int32_t low = static_cast<int16_t>(a.lane[i]) * static_cast<int16_t>(b.lane[i]);
    const int32_t high = static_cast<int16_t>(a.lane[i] >> 16) * static_cast<int16_t>(b.lane[i] >> 16);
    c.lane[i] += static_cast<uint32_t>(low) + static_cast<uint32_t>(high);
  }
  return c;
}
inline VecI dot_u8_i8(VecI a, VecI b, VecI c) {
  for (unsigned i = 0; i < LANES; ++i)
    for (unsigned byte = 0; byte < 4; ++byte)
      c.lane[i] += static_cast<uint32_t>(static_cast<int32_t>(a.lane[i] >> 8 * byte & 0xffu) *
                                         static_cast<int8_t>(b.lane[i] >> 8 * byte));
  return c;
}
inline VecI and_i(VecI a, VecI b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] &= b.lane[i];
  return a;
}
inline VecI shift_right_i(VecI x, unsigned bits) {
  for (unsigned i = 0; i < LANES; ++i) x.lane[i] >>= bits;
  return x;
}
inline VecI add_i(VecI a, VecI b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] += b.lane[i];
  return a;
}
inline VecI subtract_i(VecI a, VecI b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] -= b.lane[i];
  return a;
}
inline VecI multiply_i(VecI a, VecI b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] *= b.lane[i];
  return a;
}
inline VecF multiply_f(VecF a, VecF b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] *= b.lane[i];
  return a;
}
inline void store_f(float* p, VecF x) { std::memcpy(p, x.lane, sizeof x.lane); }
inline VecF real_nibble(VecI x) {
  VecF y;
  for (unsigned i = 0; i < LANES; ++i) y.lane[i] = static_cast<float>(static_cast<int32_t>(x.lane[i] & 15u) - 8);
  return y;
}
inline VecI top_byte(VecI x, unsigned byte) {
  for (unsigned i = 0; i < LANES; ++i) x.lane[i] = x.lane[i] >> 8 * byte << 24;
  return x;
}
inline VecI extend_top_byte(VecI x) {
  for (unsigned i = 0; i < LANES; ++i) x.lane[i] = static_cast<uint32_t>(static_cast<int32_t>(x.lane[i]) >> 24);
  return x;
}
inline void interleave_i(VecI& a, VecI& b) {
  const VecI low{{a.lane[0], b.lane[0], a.lane[1], b.lane[1]}};
  b = VecI{{a.lane[2], b.lane[2], a.lane[3], b.lane[3]}};
  a = low;
}
inline VecF divide_f(VecF a, VecF b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] /= b.lane[i];
  return a;
}

#endif

}  // namespace
