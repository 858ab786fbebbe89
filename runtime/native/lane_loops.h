// Loops over the lanes of registers. Registers are equal or disjoint, or else the operation's result goes to a register
// of its own (siw_order.h).
#pragma once

#include "abi.gen.h"
#include "kernels.h"
#include "lane_bits.h"
#include "lane_ops.h"

namespace {

template <class Op, class In, class Out = In>
void each(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  Out* out = static_cast<Out*>(d);
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
  const Out* z = static_cast<const Out*>(c);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = canonical(Op::of(x[i], y[i], z[i]));
}

// Results whose bits are kept, whatever they mean as floats.
template <class Op, class T>
void each_bits(void* d, const void* a, const void*, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = Op::of(x[i], T{}, T{});
}

template <class Op>
void convert(void* d, const void* a, const void*, const void*, uint32_t n) {
  auto* out = static_cast<typename Op::Out*>(d);
  const auto* x = static_cast<const typename Op::In*>(a);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = canonical(Op::of(x[i]));
}

// `T` is an integer type: the bits of b and c are kept.
template <class T>
void select(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  T* out = static_cast<T*>(d);
  const int32_t* condition = static_cast<const int32_t*>(a);
  const T* yes = static_cast<const T*>(b);
  const T* no = static_cast<const T*>(c);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) {
    const T y = yes[i], z = no[i];
    out[i] = condition[i] != 0 ? y : z;
  }
}

template <class T>
void last(void* d, const void* a, const void*, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T value = static_cast<const T*>(a)[n - 1];
  for (uint32_t i = 0; i < tfmbs::abi::VLMAX; ++i) out[i] = value;
}

// v[i] = first + i * stride, wrapped.
template <class T>
void index(void* d, int64_t first, int64_t stride, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T start = static_cast<T>(first), step = static_cast<T>(stride);
  for (uint32_t i = 0; i < n; ++i) out[i] = start + static_cast<T>(i) * step;
}

template <class T>
void accumulate_trits(void* d, const void* a, const void* b, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  const int32_t* trit = static_cast<const int32_t*>(b);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = AddTrit<T>::of(x[i], trit[i], out[i]);
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
