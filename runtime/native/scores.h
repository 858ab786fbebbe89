// Rows of scores as an attention has them: scaled, masked, made weights of. Each step is the lane operation of that
// name, with the same bits.
#pragma once

#include "lane_quick.h"
#include "lane_quotient.h"
#include "lane_reduce.h"
#include "squares.h"
#include "tile.h"

namespace {

// out[i * PANEL + j] = from[j * stride + i * step] for i < k and j < count, 0 for the other j < PANEL.
inline void panel_of(const float* from, size_t stride, size_t step, unsigned count, size_t k, float* out) {
  size_t i = 0;
#if defined(__AVX2__)
  if (step == 1) {
    for (; i + LANES <= k; i += LANES) {
      for (unsigned part = 0; part < PANEL; part += LANES) {
        VecI rows[LANES];
#pragma GCC unroll 16
        for (unsigned j = 0; j < LANES; ++j)
          rows[j] = part + j < count ? load_i(from + (part + j) * stride + i) : zero_i();
        transpose_words(rows);
#pragma GCC unroll 16
        for (unsigned c = 0; c < LANES; ++c) store_i(out + (i + c) * PANEL + part, rows[c]);
      }
    }
  }
#endif
  for (; i < k; ++i)
    for (unsigned j = 0; j < PANEL; ++j) out[i * PANEL + j] = j < count ? from[j * stride + i * step] : 0.0f;
}

// Whether n floats are finite: 0 times anything else is a NaN.
inline bool are_finite(const float* x, uint32_t n) {
  VecF sums[2] = {zero_f(), zero_f()};
  uint32_t i = 0;
  for (; i + PANEL <= n; i += PANEL) {
    sums[0] = fma_f(load_f(x + i), zero_f(), sums[0]);
    sums[1] = fma_f(load_f(x + i + LANES), zero_f(), sums[1]);
  }
  float lanes[PANEL], sum = 0.0f;
  store_canonical(lanes, sums[0]);
  store_canonical(lanes + LANES, sums[1]);
  for (const float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += x[i] * 0.0f;
  return sum == sum;
}

inline bool has_minus_zero(const float* x, uint32_t n) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    found |= bits == 0x80000000u;
  }
  return found;
}

inline void scale_row(float* x, float factor, uint32_t n) {
  each_lane(x, n, [=](size_t i) __attribute__((always_inline)) { return canonical(x[i] * factor); });
}

inline void add_row(float* x, const float* mask, uint32_t n) {
  each_lane(x, n, [=](size_t i) __attribute__((always_inline)) { return canonical(x[i] + mask[i]); });
}

// x[i] = shown[i] ? x[i] : fill.
inline void hide_row(float* x, const uint8_t* shown, float fill, uint32_t n) {
  each_lane(x, n, [=](size_t i) __attribute__((always_inline)) { return shown[i] ? x[i] : fill; });
}

#if defined(__AVX512F__)

// x[i] = exp(x[i] - top); returns their sum.
inline float exp_row(float* x, float top, uint32_t n) {
  // What is below vanishes, as what is hidden by a mask does: often whole groups.
  const __m512 tops = _mm512_set1_ps(top), vanishes = _mm512_set1_ps(-128.0f);
  __m512 sums = _mm512_setzero_ps();
  for (uint32_t i = 0; i < n; i += GROUP) {
    const auto lanes = static_cast<__mmask16>(n - i < GROUP ? (1u << (n - i)) - 1 : 0xffffu);
    __m512 y = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), tops);
    y = _mm512_mask_cmp_ps_mask(lanes, y, vanishes, _CMP_NLT_UQ) ? quick_group<QuickExp>(y) : _mm512_setzero_ps();
    _mm512_mask_storeu_ps(x + i, lanes, y);
    sums = _mm512_mask_add_ps(sums, lanes, sums, y);
  }
  float partials[PARTIALS];
  _mm512_storeu_ps(partials, sums);
  return folded<Add, float>(partials);
}

inline void divide_by(float* x, float total, uint32_t n) {
  const Quotients quotients(total);
  for (uint32_t i = 0; i < n; i += GROUP) {
    const auto lanes = static_cast<__mmask16>(n - i < GROUP ? (1u << (n - i)) - 1 : 0xffffu);
    _mm512_mask_storeu_ps(x + i, lanes, canonical_f(quotients(_mm512_maskz_loadu_ps(lanes, x + i))));
  }
}

#else

inline float exp_row(float* x, float top, uint32_t n) {
  each_lane(x, n, [=](size_t i) __attribute__((always_inline)) { return canonical(x[i] - top); });
  exp_f32(x, x, x, x, n);
  float partials[PARTIALS] = {};
  reduce<Add, float>(partials, x, nullptr, nullptr, n);
  return folded<Add, float>(partials);
}

inline void divide_by(float* x, float total, uint32_t n) {
  each_lane(x, n, [=](size_t i) __attribute__((always_inline)) { return canonical(x[i] / total); });
}

#endif

// The softmax of x[0 … n) as it would be with the least score `also` behind it, in place. Returns whether the weight of
// `also` is +0, and so adds nothing; where it is not, what x holds then means nothing.
inline bool soften_row(float* x, float also, uint32_t n) {
  float partials[PARTIALS];
  for (float& partial : partials) partial = also;
  reduce<Max, float>(partials, x, nullptr, nullptr, n);
  const float top = folded<Max, float>(partials);
  const float total = exp_row(x, top, n);
  divide_by(x, total, n);
  return total == total && Exp::of(canonical(also - top), 0.0f, 0.0f) == 0.0f;
}

}  // namespace
