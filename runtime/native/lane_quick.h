// Special functions of f32 where AVX-512 knows a quicker way to the same bits. The steps of the contract
// (special.gen.h) end in one rounding from f64 to f32. An approximation that is within a margin of what they round
// rounds to the same f32 unless it lies that close to the middle between two. The first one is computed in pairs of
// f32, sixteen lanes at once; where it cannot tell, or knows no such pairs, one in f64, within 2^-MARGIN, relatively;
// and where that cannot, or results or arguments are out of the ordinary, the steps themselves are taken.
// `make special-accuracy` compares all 2^32 arguments.
#pragma once

#include "lane_loops.h"
#include "lane_special.h"

#if defined(__AVX512F__)
#include "special_tables.gen.h"
#endif

namespace {

#if defined(__AVX512F__)

// Which of sixteen approximations are too close to the middle between two f32 to call.
template <unsigned MARGIN>
__mmask16 are_close(__m512d first, __m512d second) {
  // The bits of an f64 that an f32 lacks, all in its low word: zero but for the first in the middle between two.
  constexpr int32_t LACKING = (1 << 29) - 1, MIDDLE = 1 << 28, REACH = 1 << (53 - MARGIN);
  const __m512i words = _mm512_castps_si512(
      _mm512_shuffle_ps(_mm512_castpd_ps(first), _mm512_castpd_ps(second), 0x88));  // in whatever order
  const __m512i moved = _mm512_add_epi32(words, _mm512_set1_epi32(REACH - MIDDLE));
  return _mm512_testn_epi32_mask(moved, _mm512_set1_epi32(LACKING & ~(2 * REACH - 1)));
}

inline __m512d looked_up(const double* table, __m512i index) {
  return _mm512_permutex2var_pd(_mm512_load_pd(table), index, _mm512_load_pd(table + 8));
}

inline __m512 looked_up(const float* table, __m512i index) {
  return _mm512_permutex2var_ps(_mm512_load_ps(table), index, _mm512_load_ps(table + 16));
}

// Each half of sixteen lanes by itself.
template <class Quick>
struct ByHalves {
  static void both(__m512d& first, __m512d& second) {
    first = Quick::of(first);
    second = Quick::of(second);
  }
};

// What is so small that a result which is about as large may be no normal number, below 2^-100; but for zeros.
inline __mmask16 is_tiny(__m512 x) {
  const __m512i magnitude = _mm512_castps_si512(_mm512_abs_ps(x)), one = _mm512_set1_epi32(1);
  return _mm512_cmplt_epu32_mask(_mm512_sub_epi32(magnitude, one), _mm512_set1_epi32(0x0d800000));
}

// The nearest of 16 centres, 1 / `scale` apart from 0 on, and the distance from it.
struct Nearest {
  Nearest(__m512d m, double scale) {
    const __m512d shifter = _mm512_set1_pd(0x1.8p+52);
    const __m512d shifted = _mm512_fmadd_pd(m, _mm512_set1_pd(scale), shifter);
    r = _mm512_fnmadd_pd(_mm512_sub_pd(shifted, shifter), _mm512_set1_pd(1 / scale), m);
    index = _mm512_castpd_si512(shifted);
  }
  __m512d r;
  __m512i index;
};

struct QuickExp : ByHalves<QuickExp> {
  using Steps = Exp;
  static constexpr bool SHORTLY = true;  // in pairs of f32 first
  static constexpr unsigned MARGIN = 35;

  // Where results are normal numbers.
  static __mmask16 is_odd(__m512 x) { return _mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(87.0f), _CMP_NLT_UQ); }
  static __m512 argument(__m512 x) { return x; }
  static __m512 result(__m512, __m512 y) { return y; }

  // In pairs of f32: y, and in which lanes it is sure. 2^n T e^r with sixteenths n, T from a table and r exact, by
  // Sterbenz's lemma and because n times the first part of log 2 has few digits; what is left of log 2 and the rest of
  // e^r are small enough for one f32. Within 1.5 * 2^-33 of the result, less its power of two.
  static __mmask16 shortly(__m512 x, __m512& result) {
    using namespace tfmbs::special;
    const __m512 shifter = _mm512_set1_ps(0x1.8p+19f), margin = _mm512_set1_ps(0x1.8p-33f);
    const __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(0x1.715476p+0f), shifter);
    const __m512 n = _mm512_sub_ps(shifted, shifter);
    const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(SHORT_LOG2[0]), x);
    __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(SHORT_EXP_TERMS[2]), _mm512_set1_ps(SHORT_EXP_TERMS[1]));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SHORT_EXP_TERMS[0]));
    const __m512 left = _mm512_mul_ps(n, _mm512_set1_ps(-SHORT_LOG2[1]));
    const __m512 s = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, _mm512_fmadd_ps(left, r, left));
    const __m512i index = _mm512_castps_si512(shifted);
    const __m512 high = _mm512_permutexvar_ps(index, _mm512_load_ps(SHORT_POWERS));
    const __m512 low = _mm512_permutexvar_ps(index, _mm512_load_ps(SHORT_POWERS_LOW));
    const __m512 product = _mm512_mul_ps(high, r), lost = _mm512_fmsub_ps(high, r, product);
    const __m512 y = _mm512_add_ps(high, product), missing = _mm512_sub_ps(product, _mm512_sub_ps(y, high));
    const __m512 rest = _mm512_add_ps(_mm512_fmadd_ps(high, s, _mm512_fmadd_ps(low, r, low)),
                                      _mm512_add_ps(lost, missing));
    const __m512 below = _mm512_add_ps(y, _mm512_sub_ps(rest, margin));
    const __m512 above = _mm512_add_ps(y, _mm512_add_ps(rest, margin));
    result = _mm512_scalef_ps(below, n);
    return _mm512_cmp_ps_mask(below, above, _CMP_EQ_OQ);
  }

  // 2^(n / 16) e^r; n is in the low bits of `shifted`.
  static __m512d of(__m512d x) {
    using namespace tfmbs::special;
    const __m512d shifter = _mm512_set1_pd(0x1.8p+52);
    const __m512d shifted = _mm512_fmadd_pd(x, _mm512_set1_pd(0x1.71547652b82fep+4), shifter);
    const __m512d n = _mm512_sub_pd(shifted, shifter);
    const __m512d r = _mm512_fnmadd_pd(n, _mm512_set1_pd(0x1.62e42fefa39efp-5), x);
    __m512d p = _mm512_set1_pd(EXP_TERMS[2]);
    p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(EXP_TERMS[1]));
    p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(EXP_TERMS[0]));
    p = _mm512_fmadd_pd(_mm512_mul_pd(r, r), p, r);
    // n << 48 has its whole part in the exponent; the table allows for its sixteenths behind.
    const __m512i bits = _mm512_castpd_si512(shifted);
    const __m512i power = _mm512_castpd_si512(looked_up(EXP_POWERS, bits));
    const __m512d scale = _mm512_castsi512_pd(_mm512_add_epi64(power, _mm512_slli_epi64(bits, 48)));
    return _mm512_fmadd_pd(scale, p, scale);
  }
};

struct QuickErf : ByHalves<QuickErf> {
  using Steps = Erf;
  static constexpr bool SHORTLY = true;
  static constexpr unsigned MARGIN = 36;

  static constexpr float ALL_ONE = 0x1.fffffep+1f;

  // NaNs, and what is so small that the result may be no normal number; zeros are as good as any.
  static __mmask16 is_odd(__m512 x) {
    return is_tiny(x) | _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  }
  static __m512 argument(__m512 x) { return _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(ALL_ONE)); }
  static __m512 result(__m512 x, __m512 y) {
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(sign, _mm512_castps_si512(x), _mm512_castps_si512(y), 0xca));
  }

  // In pairs of f32, as of exp: m times a polynomial in the distance from the nearest of 32 centres, which is exact,
  // with its first two terms in pairs. Within 2^-32 of the result, relatively.
  static __mmask16 shortly(__m512 x, __m512& y) {
    using namespace tfmbs::special;
    const __m512 shifter = _mm512_set1_ps(0x1.8p+20f), margin = _mm512_set1_ps(0x1p-32f);
    const __m512 m = _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(0x1.f7fffep+1f));
    const __m512 shifted = _mm512_add_ps(m, shifter), r = _mm512_sub_ps(m, _mm512_sub_ps(shifted, shifter));
    const __m512i index = _mm512_castps_si512(shifted);
    __m512 p = _mm512_fmadd_ps(looked_up(SHORT_ERF_5, index), r, looked_up(SHORT_ERF_4, index));
    p = _mm512_fmadd_ps(p, r, looked_up(SHORT_ERF_3, index));
    p = _mm512_fmadd_ps(p, r, looked_up(SHORT_ERF_2, index));
    const __m512 first = looked_up(SHORT_ERF_0, index), slope = looked_up(SHORT_ERF_1, index);
    const __m512 product = _mm512_mul_ps(slope, r), lost = _mm512_fmsub_ps(slope, r, product);
    const __m512 sum = _mm512_add_ps(first, product), missing = _mm512_sub_ps(product, _mm512_sub_ps(sum, first));
    const __m512 low = _mm512_fmadd_ps(looked_up(SHORT_ERF_1_LOW, index), r, looked_up(SHORT_ERF_0_LOW, index));
    const __m512 rest =
        _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, _mm512_add_ps(low, _mm512_add_ps(lost, missing)));
    const __m512 high = _mm512_mul_ps(sum, m);
    const __m512 left = _mm512_fmadd_ps(rest, m, _mm512_fmsub_ps(sum, m, high));
    const __m512 below = _mm512_add_ps(high, _mm512_fnmadd_ps(high, margin, left));
    const __m512 above = _mm512_add_ps(high, _mm512_fmadd_ps(high, margin, left));
    y = result(x, below);
    return _mm512_cmp_ps_mask(below, above, _CMP_EQ_OQ);
  }

  // m times a polynomial in the distance from the nearest of 16 centres.
  static __m512d of(__m512d m) {
    using namespace tfmbs::special;
    const auto [r, index] = Nearest(m, 3.875);
    __m512d p = looked_up(ERF_7, index);
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_6, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_5, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_4, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_3, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_2, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_1, index));
    p = _mm512_fmadd_pd(p, r, looked_up(ERF_0, index));
    return _mm512_mul_pd(p, m);
  }
};

// The tail falls too fast for pairs of f32, where results are negative.
struct QuickGelu {
  using Steps = Gelu;
  static constexpr bool SHORTLY = false;
  static constexpr unsigned MARGIN = 35;

  static constexpr float LOWEST = -6.0f;

  // NaNs, what is so small that the result may be no normal number, and where the tail is beyond its table.
  static __mmask16 is_odd(__m512 x) {
    return is_tiny(x) | _mm512_cmp_ps_mask(x, _mm512_set1_ps(LOWEST), _CMP_NGT_UQ);
  }
  static __m512 argument(__m512 x) { return x; }
  static __m512 result(__m512, __m512 y) { return y; }

  // max(x, 0) - m P with m = |x|, and P what a normal distribution has below -m, a polynomial in the distance from the
  // nearest of 16 centres. Above 6 it is too small to count, and taken there. Each table is read once for both.
  static void both(__m512d& first, __m512d& second) {
    using namespace tfmbs::special;
    const __m512d m = magnitude(first), n = magnitude(second);
    const Nearest a(m, 2.5), b(n, 2.5);
    __m512d p = looked_up(NORMAL_TAIL_11, a.index), q = looked_up(NORMAL_TAIL_11, b.index);
    for (const double* table :
         {NORMAL_TAIL_10, NORMAL_TAIL_9, NORMAL_TAIL_8, NORMAL_TAIL_7, NORMAL_TAIL_6, NORMAL_TAIL_5, NORMAL_TAIL_4,
          NORMAL_TAIL_3, NORMAL_TAIL_2, NORMAL_TAIL_1, NORMAL_TAIL_0}) {
      const __m512d low = _mm512_load_pd(table), high = _mm512_load_pd(table + 8);
      p = _mm512_fmadd_pd(p, a.r, _mm512_permutex2var_pd(low, a.index, high));
      q = _mm512_fmadd_pd(q, b.r, _mm512_permutex2var_pd(low, b.index, high));
    }
    first = _mm512_fnmadd_pd(p, m, positive(first));
    second = _mm512_fnmadd_pd(q, n, positive(second));
  }

 private:
  static __m512d magnitude(__m512d x) { return _mm512_min_pd(_mm512_abs_pd(x), _mm512_set1_pd(-LOWEST)); }
  // The larger one of x and 0; of two zeros, x.
  static __m512d positive(__m512d x) { return _mm512_max_pd(_mm512_set1_pd(-0.0), x); }
};

template <class Quick>
[[gnu::noinline]] void by_steps(float* out, const float* x) {
TFMBS_INDEPENDENT
  for (uint32_t i = 0; i < GROUP; ++i) out[i] = Quick::Steps::of(x[i], 0.0f, 0.0f);
}

// Sixteen results by f64, and by the steps where that does not tell.
template <class Quick>
[[gnu::noinline]] __m512 by_doubles(__m512 x) {
  const __m512 argument = Quick::argument(x);
  const __m256d high = _mm512_extractf64x4_pd(_mm512_castps_pd(argument), 1);
  __m512d first = _mm512_cvtps_pd(_mm512_castps512_ps256(argument));
  __m512d second = _mm512_cvtps_pd(_mm256_castpd_ps(high));
  Quick::both(first, second);
  const __m256d low = _mm256_castps_pd(_mm512_cvtpd_ps(first));
  const __m256d top = _mm256_castps_pd(_mm512_cvtpd_ps(second));
  if (are_close<Quick::MARGIN>(first, second) | Quick::is_odd(x)) [[unlikely]] {
    float group[GROUP], results[GROUP];
    _mm512_storeu_ps(group, x);
    by_steps<Quick>(results, group);
    return _mm512_loadu_ps(results);
  }
  return Quick::result(x, _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castpd256_pd512(low), top, 1)));
}
// What machine code calls, which has taken the first approximation itself (siw_chain_quick.h).
template <class Quick>
void group_by_doubles(float* lanes) {
  _mm512_storeu_ps(lanes, by_doubles<Quick>(_mm512_loadu_ps(lanes)));
}
template <class Quick>
[[gnu::always_inline]] inline __m512 quick_group(__m512 x) {
  if constexpr (Quick::SHORTLY) {
    __m512 y;
    const __mmask16 sure = Quick::shortly(x, y);
    if (!(static_cast<__mmask16>(~sure) | Quick::is_odd(x))) [[likely]]
      return y;
  }
  return by_doubles<Quick>(x);
}

template <class Quick>
void quick(void* d, const void* a, const void*, const void*, uint32_t n) {
  float* out = static_cast<float*>(d);
  const float* in = static_cast<const float*>(a);
  if (n == 1) {
    *out = Quick::Steps::of(*in, 0.0f, 0.0f);
    return;
  }
  for (uint32_t i = 0; i < n; i += GROUP) {
    const __m512 y = quick_group<Quick>(_mm512_loadu_ps(in + i));
    if (n - i >= GROUP) _mm512_storeu_ps(out + i, y);
    else _mm512_mask_storeu_ps(out + i, static_cast<__mmask16>((1u << (n - i)) - 1), y);
  }
}

constexpr tfmbs::LaneFn exp_f32 = quick<QuickExp>, erf_f32 = quick<QuickErf>, gelu_f32 = quick<QuickGelu>;

#else

constexpr tfmbs::LaneFn exp_f32 = each_bits<Exp, float>, erf_f32 = each_bits<Erf, float>,
                        gelu_f32 = each_bits<Gelu, float>;

#endif

}  // namespace
