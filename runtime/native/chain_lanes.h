// What chains take of lanes (chain_rows.h), beside simd.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "simd.h"

namespace {

#if defined(__AVX512F__) && defined(__AVX512BW__)

inline VecF as_floats(VecI x) { return _mm512_castsi512_ps(x); }
inline VecI as_ints(VecF x) { return _mm512_castps_si512(x); }
// The first `count` lanes.
struct First {
  explicit First(uint32_t count) : mask(static_cast<__mmask16>(count >= LANES ? 0xffffu : (1u << count) - 1)) {}
  __mmask16 mask;
};
inline VecF load_first(const float* p, First first) { return _mm512_maskz_loadu_ps(first.mask, p); }
inline void store_first_f(uint8_t* p, VecF x, First first) {
  _mm512_mask_storeu_ps(p, first.mask, _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                                                          _mm512_set1_ps(canonical_nan())));
}
inline void store_bytes(uint8_t* p, VecF x, First first) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first.mask, as_ints(x));
}
inline VecF add_f(VecF a, VecF b) { return _mm512_add_ps(a, b); }
inline VecF mul_f(VecF a, VecF b) { return _mm512_mul_ps(a, b); }
inline VecF div_f(VecF a, VecF b) { return _mm512_div_ps(a, b); }
// Of two zeros one is taken either way: together they have the sign that they should.
inline VecF max_f(VecF a, VecF b) {
  const __m512i both = _mm512_and_si512(as_ints(_mm512_max_ps(a, b)), as_ints(_mm512_max_ps(b, a)));
  return _mm512_mask_mov_ps(as_floats(both), _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q), _mm512_set1_ps(canonical_nan()));
}
inline VecF min_f(VecF a, VecF b) {
  const __m512i both = _mm512_or_si512(as_ints(_mm512_min_ps(a, b)), as_ints(_mm512_min_ps(b, a)));
  return _mm512_mask_mov_ps(as_floats(both), _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q), _mm512_set1_ps(canonical_nan()));
}
// The larger and the smaller one; a NaN in x is lost.
inline VecF raise_f(VecF x, VecF low) { return _mm512_max_ps(x, low); }
inline VecF lower_f(VecF x, VecF high) { return _mm512_min_ps(x, high); }
inline VecF minus_product_f(VecF a, VecF b, VecF c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
// `x` as an integer, 0 where `original` is a NaN.
inline VecI quantized(VecF original, VecF x, VecI zero, VecF low, VecF high) {
  const VecF clamped = lower_f(raise_f(x, low), high);
  return _mm512_maskz_add_epi32(_mm512_cmp_ps_mask(original, original, _CMP_ORD_Q), _mm512_cvtps_epi32(clamped), zero);
}
inline VecI nearest_i(VecF x) { return _mm512_cvtps_epi32(x); }
template <unsigned BITS>
inline VecI shift_right_signed(VecI x) { return _mm512_srai_epi32(x, BITS); }
// Whether no lane is zero in these bits.
template <unsigned COUNT>
[[gnu::always_inline]] inline bool none_is_zero(const VecI (&x)[COUNT], int32_t bits) {
  __mmask16 zero = 0;
#pragma GCC unroll 4
  for (unsigned v = 0; v < COUNT; ++v) zero |= _mm512_testn_epi32_mask(x[v], _mm512_set1_epi32(bits));
  return zero == 0;
}
// Within both ends; a NaN is the canonical one. No end is a zero that might be lost to the other one.
inline VecF between_f(VecF x, VecF low, VecF high) {
  const VecF clamped = _mm512_min_ps(_mm512_max_ps(x, low), high);
  return _mm512_mask_mov_ps(clamped, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_ps(canonical_nan()));
}
// The low bytes of four vectors of numbers that are i8.
inline VecI bytes_of_four(const VecI (&x)[4]) {
  const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(x[0], x[1]), _mm512_packs_epi32(x[2], x[3]));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, bytes);
}
inline void store_four(uint8_t* p, const VecI (&x)[4]) { _mm512_storeu_si512(p, bytes_of_four(x)); }
// Of the bytes, those that have a bit.
inline void store_bytes_where(__mmask64 bits, uint8_t* p, const VecI (&x)[4]) {
  _mm512_mask_storeu_epi8(p, bits, bytes_of_four(x));
}

// Halves of lanes: the low bytes of a, then of b; words: the low halves of a, then of b.
inline VecI bytes_of(VecI a, VecI b) {
  return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xff), a, _mm512_slli_epi32(b, 8), 0xca);
}
inline VecI halves_of(VecI a, VecI b) { return _mm512_mask_blend_epi16(0xaaaaaaaau, a, _mm512_slli_epi32(b, 16)); }
// The low halves of all lanes of a, then of b.
inline void store_halves(uint8_t* p, VecI a, VecI b) {
  const __m256i low = _mm512_cvtepi32_epi16(a), high = _mm512_cvtepi32_epi16(b);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + sizeof low), high);
}

#elif defined(__AVX2__) && defined(__FMA__)

struct First {
  explicit First(uint32_t n) : count(std::min<uint32_t>(n, LANES)) {
    mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  uint32_t count;
  __m256i mask;
};
inline VecF load_first(const float* p, First first) { return _mm256_maskload_ps(p, first.mask); }
inline void store_first_f(uint8_t* p, VecF x, First first) {
  const VecF canonical = _mm256_blendv_ps(x, _mm256_set1_ps(canonical_nan()), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  _mm256_maskstore_ps(reinterpret_cast<float*>(p), first.mask, canonical);
}
inline void store_bytes(uint8_t* p, VecF x, First first) {
  const __m256i lanes = _mm256_castps_si256(x);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  const int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(halves, halves));
  if (first.count == LANES) std::memcpy(p, &bytes, LANES);
  else std::memcpy(p, &bytes, first.count);
}
inline VecF as_floats(VecI x) { return _mm256_castsi256_ps(x); }
inline VecI as_ints(VecF x) { return _mm256_castps_si256(x); }
inline VecF add_f(VecF a, VecF b) { return _mm256_add_ps(a, b); }
inline VecF mul_f(VecF a, VecF b) { return _mm256_mul_ps(a, b); }
inline VecF div_f(VecF a, VecF b) { return _mm256_div_ps(a, b); }
// Of two zeros one is taken either way: together they have the sign that they should.
inline VecF max_f(VecF a, VecF b) {
  const VecF both = _mm256_and_ps(_mm256_max_ps(a, b), _mm256_max_ps(b, a));
  return _mm256_blendv_ps(both, _mm256_set1_ps(canonical_nan()), _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}
inline VecF min_f(VecF a, VecF b) {
  const VecF both = _mm256_or_ps(_mm256_min_ps(a, b), _mm256_min_ps(b, a));
  return _mm256_blendv_ps(both, _mm256_set1_ps(canonical_nan()), _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}
// The larger and the smaller one; a NaN in x is lost.
inline VecF raise_f(VecF x, VecF low) { return _mm256_max_ps(x, low); }
inline VecF lower_f(VecF x, VecF high) { return _mm256_min_ps(x, high); }
inline VecF minus_product_f(VecF a, VecF b, VecF c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a * b
// `x` as an integer, 0 where `original` is a NaN.
inline VecI quantized(VecF original, VecF x, VecI zero, VecF low, VecF high) {
  const VecF clamped = lower_f(raise_f(x, low), high);
  const VecI ordered = _mm256_castps_si256(_mm256_cmp_ps(original, original, _CMP_ORD_Q));
  return _mm256_and_si256(_mm256_add_epi32(_mm256_cvtps_epi32(clamped), zero), ordered);
}
inline VecI nearest_i(VecF x) { return _mm256_cvtps_epi32(x); }
template <unsigned BITS>
inline VecI shift_right_signed(VecI x) { return _mm256_srai_epi32(x, BITS); }
// Whether no lane is zero in these bits.
template <unsigned COUNT>
[[gnu::always_inline]] inline bool none_is_zero(const VecI (&x)[COUNT], int32_t bits) {
  __m256i zero = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (unsigned v = 0; v < COUNT; ++v)
    zero = _mm256_or_si256(zero, _mm256_cmpeq_epi32(_mm256_and_si256(x[v], _mm256_set1_epi32(bits)),
                                                    _mm256_setzero_si256()));
  return _mm256_testz_si256(zero, zero) != 0;
}
// Within both ends; a NaN is the canonical one. No end is a zero that might be lost to the other one.
inline VecF between_f(VecF x, VecF low, VecF high) {
  const VecF clamped = _mm256_min_ps(_mm256_max_ps(x, low), high);
  return _mm256_blendv_ps(clamped, _mm256_set1_ps(canonical_nan()), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
inline void store_four(uint8_t* p, const VecI (&x)[4]) {
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(x[0], x[1]), _mm256_packs_epi32(x[2], x[3]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}
// Halves of lanes: the low bytes of a, then of b; words: the low halves of a, then of b.
inline VecI bytes_of(VecI a, VecI b) {
  return _mm256_blendv_epi8(_mm256_slli_epi32(b, 8), a, _mm256_set1_epi32(0xff));
}
inline VecI halves_of(VecI a, VecI b) { return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa); }
// The low halves of all lanes of a, then of b.
inline void store_halves(uint8_t* p, VecI a, VecI b) {
  const __m256i low = _mm256_set1_epi32(0xffff);
  const __m256i halves = _mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(halves, 0xd8));
}

#endif

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))

// What a QUANTIZE step does.
template <bool DIVIDES>
class Quantizer {
 public:
  explicit Quantizer(const tfmbs::ChainStep& step)
      : zero_(broadcast_i(static_cast<int32_t>(step.zero))),
        low_(broadcast_f(step.low)),
        high_(broadcast_f(step.high)) {
    if constexpr (!DIVIDES) return;
    divisor_ = broadcast_f(step.divisor);
    reciprocal_ = broadcast_f(1.0f / step.divisor);
    least_ = broadcast_f(-FAR * step.divisor);
    most_ = broadcast_f(FAR * step.divisor);
  }

  [[gnu::always_inline]] VecI operator()(VecF x) const {
    return quantized(x, DIVIDES ? quotient(x) : x, zero_, low_, high_);
  }

 private:
  static constexpr float FAR = 2048;  // beyond all ends

  // x / divisor, correctly rounded, if it is between -FAR and FAR and not so small that it becomes zero, else a number
  // that becomes the same integer. With a reciprocal that is correctly rounded, a step from a quotient within one unit
  // in the last place leads to the correctly rounded one (Markstein 1990); the step before leads there.
  [[gnu::always_inline]] VecF quotient(VecF x) const {
    x = lower_f(raise_f(x, least_), most_);
    VecF q = mul_f(x, reciprocal_);
    q = fma_f(minus_product_f(q, divisor_, x), reciprocal_, q);
    return fma_f(minus_product_f(q, divisor_, x), reciprocal_, q);
  }

  VecI zero_;
  VecF low_, high_, divisor_, reciprocal_, least_, most_;
};

#else

// All that an instruction set without chains takes of them, see float_ends.h.
inline VecF add_f(VecF a, VecF b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] += b.lane[i];
  return a;
}
inline VecF between_f(VecF x, VecF low, VecF high) {
  for (unsigned i = 0; i < LANES; ++i) {
    const float raised = x.lane[i] > low.lane[i] ? x.lane[i] : low.lane[i];
    const float lowered = raised < high.lane[i] ? raised : high.lane[i];
    x.lane[i] = std::isnan(x.lane[i]) ? canonical_nan() : lowered;
  }
  return x;
}

#endif

}  // namespace
