// Minima and maxima of floats. AVX-512 has an instruction for all but NaNs.
#pragma once

#include "lane_loops.h"

namespace {

#if defined(__AVX512F__)

inline __m512 registers(__m512 x) { return x; }
inline __m512d registers(__m512d x) { return x; }
inline __m512 loaded(const float* x) { return _mm512_loadu_ps(x); }
inline __m512d loaded(const double* x) { return _mm512_loadu_pd(x); }
inline void stored(float* to, __m512 x, uint32_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), x);
}
inline void stored(double* to, __m512d x, uint32_t count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), x);
}
inline __m512 canonical(__m512 x) {
  const __m512 nan = _mm512_set1_ps(from_bits<float>(CANONICAL<float>));
  return _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), nan);
}
inline __m512d canonical(__m512d x) {
  const __m512d nan = _mm512_set1_pd(from_bits<double>(CANONICAL<double>));
  return _mm512_mask_mov_pd(x, _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), nan);
}

// The lesser or greater of the pairs, -0 below +0, each with its own sign; some NaN where one of the two is a NaN.
template <bool LEAST>
__m512 extreme(__m512 a, __m512 b) {
  return _mm512_mask_add_ps(_mm512_range_ps(a, b, LEAST ? 4 : 5), _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q), a, b);
}
template <bool LEAST>
__m512d extreme(__m512d a, __m512d b) {
  return _mm512_mask_add_pd(_mm512_range_pd(a, b, LEAST ? 4 : 5), _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q), a, b);
}

template <class Op, class T>
void each_extreme(void* d, const void* a, const void* b, const void*, uint32_t n) {
  constexpr uint32_t LANES_AT_ONCE = 64 / sizeof(T);
  const T *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  T* out = static_cast<T*>(d);
  for (uint32_t i = 0; i < n; i += LANES_AT_ONCE) {
    const auto result = canonical(extreme<std::is_same_v<Op, Min>>(loaded(x + i), loaded(y + i)));
    if (n - i >= LANES_AT_ONCE) std::memcpy(out + i, &result, sizeof result);
    else stored(out + i, result, n - i);
  }
}

#else

template <class Op, class T>
constexpr tfmbs::LaneFn each_extreme = each<Op, T>;

#endif

}  // namespace
