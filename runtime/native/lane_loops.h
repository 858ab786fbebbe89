// Loops over the lanes of registers. Registers are equal or disjoint, or else the operation's result goes to a register
// of its own (siw_order.h).
#pragma once

#include "abi.gen.h"
#include "independent.h"
#include "intrinsics.h"
#include "kernels.h"
#include "lane_bits.h"
#include "lane_ops.h"

namespace {

// Lanes that are computed together. Registers are whole groups of them, so that a group that reaches over VL is
// computed like any other, and the lanes from VL on are left out at the end only: what they hold is anything, and
// harmless.
constexpr uint32_t GROUP = 16;
static_assert(tfmbs::abi::VLMAX % GROUP == 0);

// Copies the first `count` lanes of a group.
template <class T>
void store_first(T* to, const T* from, uint32_t count) {
#if defined(__AVX512F__)
  const uint32_t mask = (1u << count) - 1;
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(mask), _mm512_loadu_si512(from));
  } else {
    _mm512_mask_storeu_epi64(to, static_cast<__mmask8>(mask), _mm512_loadu_si512(from));
    _mm512_mask_storeu_epi64(to + 8, static_cast<__mmask8>(mask >> 8), _mm512_loadu_si512(from + 8));
  }
#else
  std::memcpy(to, from, count * sizeof(T));
#endif
}

// out[i] = lane(i) for i < n. A single lane, as in code that is not vectorized, has a way of its own.
template <class T, class Lane>
[[gnu::always_inline]] inline void each_lane(T* out, uint32_t n, Lane lane) {
  if (n == 1) {
    out[0] = lane(0);
    return;
  }
  const size_t whole = n - n % GROUP;
TFMBS_INDEPENDENT
  for (size_t i = 0; i < whole; ++i) out[i] = lane(i);
  if (whole == n) return;
  T group[GROUP];
TFMBS_INDEPENDENT
#pragma GCC unroll 1
  for (size_t j = 0; j < GROUP; ++j) group[j] = lane(whole + j);
  store_first(out + whole, group, n % GROUP);
}

template <class Op, class In, class Out = In>
void each(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
  const Out* z = static_cast<const Out*>(c);
  each_lane(static_cast<Out*>(d), n,
            [=](size_t i) __attribute__((always_inline)) { return canonical(Op::of(x[i], y[i], z[i])); });
}

// Results whose bits are kept: of moves, and those that are canonical by themselves.
template <class Op, class T>
void each_bits(void* d, const void* a, const void* b, const void*, uint32_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  each_lane(static_cast<T*>(d), n, [=](size_t i) __attribute__((always_inline)) { return Op::of(x[i], y[i], T{}); });
}

template <class Op>
void convert(void* d, const void* a, const void*, const void*, uint32_t n) {
  const auto* x = static_cast<const typename Op::In*>(a);
  each_lane(static_cast<typename Op::Out*>(d), n,
            [=](size_t i) __attribute__((always_inline)) { return canonical(Op::of(x[i])); });
}

// `T` is an integer type: the bits of b and c are kept.
template <class T>
void select(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  const int32_t* condition = static_cast<const int32_t*>(a);
  const T* yes = static_cast<const T*>(b);
  const T* no = static_cast<const T*>(c);
  each_lane(static_cast<T*>(d), n, [=](size_t i) __attribute__((always_inline)) {
    const T y = yes[i], z = no[i];
    return condition[i] != 0 ? y : z;
  });
}

template <class T>
void last(void* d, const void* a, const void*, const void*, uint32_t n) {
  *static_cast<T*>(d) = static_cast<const T*>(a)[n - 1];
}

// v[i] = first + i * stride, wrapped.
template <class T>
void index(void* d, int64_t first, int64_t stride, uint32_t n) {
  const T start = static_cast<T>(first), step = static_cast<T>(stride);
  each_lane(static_cast<T*>(d), n,
            [=](size_t i) __attribute__((always_inline)) { return static_cast<T>(start + static_cast<T>(i) * step); });
}

template <class T>
void accumulate_trits(void* d, const void* a, const void* b, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  const int32_t* trit = static_cast<const int32_t*>(b);
  each_lane(out, n, [=](size_t i) __attribute__((always_inline)) { return AddTrit<T>::of(x[i], trit[i], out[i]); });
}

template <class T>
tfmbs::LaneBounds bounds(const void* lanes, uint32_t n) {
  const T* x = static_cast<const T*>(lanes);
  T low = x[0], high = x[0];
  for (uint32_t i = 1; i < n; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  return {low, high};
}

}  // namespace
