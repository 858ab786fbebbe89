// Chains on lanes: a few vectors stay in registers from the accumulators to what is stored.
#pragma once

#include <algorithm>

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
inline VecF relu_f(VecF x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NLE_UQ), x); }
// The larger and the smaller one; a NaN in x is lost.
inline VecF raise_f(VecF x, VecF low) { return _mm512_max_ps(x, low); }
inline VecF lower_f(VecF x, VecF high) { return _mm512_min_ps(x, high); }
inline VecF minus_product_f(VecF a, VecF b, VecF c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
// `x` as an integer, 0 where `original` is a NaN.
inline VecI quantized(VecF original, VecF x, VecI zero, VecF low, VecF high) {
  const VecF clamped = lower_f(raise_f(x, low), high);
  return _mm512_maskz_add_epi32(_mm512_cmp_ps_mask(original, original, _CMP_ORD_Q), _mm512_cvtps_epi32(clamped), zero);
}
// The low bytes of four vectors of numbers that are i8.
inline void store_four(uint8_t* p, const VecI (&x)[4]) {
  const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(x[0], x[1]), _mm512_packs_epi32(x[2], x[3]));
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes));
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
inline VecF relu_f(VecF x) { return _mm256_and_ps(x, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NLE_UQ)); }
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

constexpr uint32_t CHAINED = 4;  // vectors in registers

// x becomes of(x, operand) in every vector.
template <class Of>
[[gnu::always_inline]] inline void with_operand(VecF (&x)[CHAINED], const tfmbs::ChainStep& step, uint32_t at,
                                                uint32_t n, Of of) {
  const float* operand = reinterpret_cast<const float*>(step.at);
  if (!step.lanes) {
    const VecF all = broadcast_f(*operand);
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = of(x[v], all);
  } else if (n - at >= CHAINED * LANES) {
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = of(x[v], load_f(operand + at + v * LANES));
  } else {
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) {
      const uint32_t first = std::min(n, at + v * LANES);
      x[v] = of(x[v], load_first(operand + first, First(n - first)));
    }
  }
}

// The vectors from lane `at` of a row on; what is left out at the end is anything.
[[gnu::always_inline]] inline void load_row(VecF (&x)[CHAINED], const uint32_t* row, uint32_t at, uint32_t n) {
#pragma GCC unroll 4
  for (uint32_t v = 0; v < CHAINED; ++v) {
    const uint32_t first = std::min((n - 1) / LANES * LANES, at + v * LANES);
    x[v] = load_f(reinterpret_cast<const float*>(row + first));
  }
}

[[gnu::always_inline]] inline void store_row(const VecF (&x)[CHAINED], bool narrow, uint8_t* out, uint32_t at, uint32_t n) {
#pragma GCC unroll 4
  for (uint32_t v = 0; v < CHAINED; ++v) {
    const uint32_t first = at + v * LANES;
    if (first >= n) break;
    if (narrow) store_bytes(out + first, x[v], First(n - first));
    else store_first_f(out + first * sizeof(float), x[v], First(n - first));
  }
}

// What a QUANTIZE step does.
template <bool DIVIDES>
class Quantizer {
 public:
  explicit Quantizer(const tfmbs::ChainStep& step)
      : zero_(broadcast_i(static_cast<int32_t>(step.zero))), low_(broadcast_f(step.low)), high_(broadcast_f(step.high)) {
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

template <bool DIVIDES>
[[gnu::always_inline]] inline void quantize(VecF (&x)[CHAINED], const tfmbs::ChainStep& step) {
  const Quantizer<DIVIDES> lanes_of(step);
#pragma GCC unroll 4
  for (VecF& lanes : x) lanes = as_floats(lanes_of(lanes));
}

inline void chain_row(const tfmbs::ChainStep* steps, size_t count, size_t row, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  const uint32_t n = rows.n;
  for (uint32_t at = 0; at < n; at += CHAINED * LANES) {
    VecF x[CHAINED];
    load_row(x, rows.accumulators + row * rows.stride, at, n);
    for (size_t i = 0; i < count; ++i) {
      tfmbs::ChainStep step = steps[i];
      step.at += row * step.apart;
      switch (step.op) {
        case ChainOp::ADD_I32:
          with_operand(x, step, at, n, [](VecF a, VecF b) { return as_floats(add_i(as_ints(a), as_ints(b))); });
          break;
        case ChainOp::TO_F32:
#pragma GCC unroll 4
          for (VecF& lanes : x) lanes = float_of(as_ints(lanes));
          break;
        case ChainOp::MUL: with_operand(x, step, at, n, [](VecF a, VecF b) { return mul_f(a, b); }); break;
        case ChainOp::ADD: with_operand(x, step, at, n, [](VecF a, VecF b) { return add_f(a, b); }); break;
        case ChainOp::DIV: with_operand(x, step, at, n, [](VecF a, VecF b) { return div_f(a, b); }); break;
        case ChainOp::MAX: with_operand(x, step, at, n, [](VecF a, VecF b) { return max_f(a, b); }); break;
        case ChainOp::MIN: with_operand(x, step, at, n, [](VecF a, VecF b) { return min_f(a, b); }); break;
        case ChainOp::RELU:
#pragma GCC unroll 4
          for (VecF& lanes : x) lanes = relu_f(lanes);
          break;
        default:  // those before QUANTIZE do not run
          if (step.divisor == 0) quantize<false>(x, step);
          else quantize<true>(x, step);
      }
    }
    store_row(x, rows.narrow, rows.out + row * rows.apart, at, n);
  }
}

// Whether a chain adds a number to i32, scales them and quantizes them, with numbers that all lanes of a row share.
inline bool requantizes(const tfmbs::ChainStep* steps, size_t count, const tfmbs::ChainRows& rows) {
  using tfmbs::ChainOp;
  return rows.narrow && count == 4 && steps[0].op == ChainOp::ADD_I32 && !steps[0].lanes &&
         steps[1].op == ChainOp::TO_F32 && steps[2].op == ChainOp::MUL && !steps[2].lanes &&
         steps[3].op == ChainOp::QUANTIZE;
}

// Such a chain in one piece.
template <bool DIVIDES>
inline void requantize_row(const tfmbs::ChainStep* steps, size_t row, const tfmbs::ChainRows& rows) {
  const uint32_t* in = rows.accumulators + row * rows.stride;
  uint8_t* out = rows.out + row * rows.apart;
  const VecI bias = broadcast_i(static_cast<int32_t>(steps[0].at[row * steps[0].apart]));
  const VecF scale = broadcast_f(*reinterpret_cast<const float*>(steps[2].at + row * steps[2].apart));
  const Quantizer<DIVIDES> quantized_of(steps[3]);
  const auto lanes = [&](uint32_t at) {
    const VecI sums = add_i(load_i(reinterpret_cast<const int32_t*>(in + at)), bias);
    return quantized_of(mul_f(float_of(sums), scale));
  };
  uint32_t at = 0;
  for (; at + CHAINED * LANES <= rows.n; at += CHAINED * LANES) {
    VecI x[CHAINED];
#pragma GCC unroll 4
    for (uint32_t v = 0; v < CHAINED; ++v) x[v] = lanes(at + v * LANES);
    store_four(out + at, x);
  }
  for (; at < rows.n; at += LANES) store_bytes(out + at, as_floats(lanes(at)), First(rows.n - at));
}

inline void run_chain(const tfmbs::ChainStep* steps, size_t count, const tfmbs::ChainRows& rows) {
  const bool plain = requantizes(steps, count, rows);
  for (size_t row = 0; row < rows.rows; ++row) {
    if (plain && steps[3].divisor == 0) requantize_row<false>(steps, row, rows);
    else if (plain) requantize_row<true>(steps, row, rows);
    else chain_row(steps, count, row, rows);
  }
}

constexpr tfmbs::ChainFn CHAIN = run_chain;

#else

constexpr tfmbs::ChainFn CHAIN = nullptr;

#endif

}  // namespace
