// Reductions over lanes: into 16 partials, of the 16 partials, and inclusive scans. A NaN stays a NaN on the way, so
// making it canonical at the end gives the bits of making it so at each step.
#pragma once

#include <cstring>
#include <utility>

#include "lane_bits.h"
#include "lane_extreme.h"
#include "lane_ops.h"

namespace {

constexpr uint32_t PARTIALS = tfmbs::abi::REDUCTION_LANES;

#if defined(__AVX512F__)
constexpr uint32_t VECTOR_BYTES = 64;
#elif defined(__AVX2__)
constexpr uint32_t VECTOR_BYTES = 32;
#else
constexpr uint32_t VECTOR_BYTES = 16;
#endif

template <class T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(VECTOR_BYTES)));
};
template <class T>
using Vector = typename VectorOf<T>::Type;

// An operation on vectors of processor registers; the compiler keeps them there, which it does not for arrays.
template <class Op, class T>
[[gnu::always_inline]] inline void combine(Vector<T>& a, Vector<T> b) {
  using U = Vector<Bits<T>>;
  if constexpr (std::is_same_v<Op, Min> || std::is_same_v<Op, Max>) {
    constexpr bool least = std::is_same_v<Op, Min>;
#if defined(__AVX512F__)
    if constexpr (is_real<T>) {
      a = (Vector<T>)extreme<least>(registers(a), registers(b));
      return;
    }
#endif
    const Vector<T> one = (least ? a < b : a > b) ? a : b;
    if constexpr (is_real<T>) {
      const Vector<T> other = (least ? b < a : b > a) ? b : a;
      const auto bits = least ? (U)one | (U)other : (U)one & (U)other;
      a = ((a == a) & (b == b)) ? (Vector<T>)bits : a + b;
    } else {
      a = one;
    }
  } else if constexpr (is_real<T>) {
    a = std::is_same_v<Op, Add> ? a + b : a * b;
  } else if constexpr (std::is_same_v<Op, Add>) {
    a = (Vector<T>)((U)a + (U)b);
  } else if constexpr (std::is_same_v<Op, Mul>) {
    a = (Vector<T>)((U)a * (U)b);
  } else if constexpr (std::is_same_v<Op, And>) {
    a &= b;
  } else if constexpr (std::is_same_v<Op, Or>) {
    a |= b;
  } else {
    static_assert(std::is_same_v<Op, Xor>);
    a ^= b;
  }
}

// Whether the order does not matter. Then several sets of partials hide how long an operation takes.
template <class Op, class T>
constexpr bool is_free = !is_real<T> || std::is_same_v<Op, Min> || std::is_same_v<Op, Max>;

template <class Op, class T, uint32_t COUNT>
[[gnu::always_inline]] inline void combine_all(Vector<T>* sums, const void* lanes) {
  for (uint32_t j = 0; j < COUNT; ++j) {
    Vector<T> next;
    // Lanes may be lent memory: a pointer to vectors would promise their alignment.
    std::memcpy(&next, static_cast<const char*>(lanes) + j * sizeof next, sizeof next);
    combine<Op, T>(sums[j], next);
  }
}

template <class Op, class T>
void reduce(void* d, const void* a, const void*, const void*, uint32_t n) {
  constexpr uint32_t COUNT = PARTIALS * sizeof(T) / VECTOR_BYTES, SETS = is_free<Op, T> && COUNT < 4 ? 4 / COUNT : 1;
  T* partial = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  uint32_t i = 0;
  if (n >= PARTIALS) {
    Vector<T> sums[SETS * COUNT];
    std::memcpy(sums, partial, PARTIALS * sizeof(T));
    if (SETS > 1 && n >= 2 * SETS * PARTIALS) {
      i = (SETS - 1) * PARTIALS;
      std::memcpy(sums + COUNT % (SETS * COUNT), x, i * sizeof(T));
      for (; i + SETS * PARTIALS <= n; i += SETS * PARTIALS) combine_all<Op, T, SETS * COUNT>(sums, x + i);
      for (uint32_t set = 1; set < SETS; ++set) combine_all<Op, T, COUNT>(sums, sums + set * COUNT);
    }
    for (; i + PARTIALS <= n; i += PARTIALS) combine_all<Op, T, COUNT>(sums, x + i);
    std::memcpy(partial, sums, PARTIALS * sizeof(T));
  }
  for (uint32_t j = 0; i + j < n; ++j) partial[j] = Op::of(partial[j], x[i + j], T{});
  if constexpr (is_real<T>) {
    const uint32_t changed = n < PARTIALS ? n : PARTIALS;
    for (uint32_t j = 0; j < changed; ++j) partial[j] = canonical(partial[j]);
  }
}

template <uint32_t BY, class T, size_t... LANES>
[[gnu::always_inline]] inline Vector<T> rotated(Vector<T> from, std::index_sequence<LANES...>) {
  return __builtin_shufflevector(from, from, ((LANES + BY) % sizeof...(LANES))...);
}

// Combines the lanes of a vector with those that are HALF behind, and so on, into the first.
template <class Op, class T, uint32_t HALF>
[[gnu::always_inline]] inline void fold_vector(Vector<T>& partial) {
  if constexpr (HALF > 0) {
    combine<Op, T>(partial, rotated<HALF, T>(partial, std::make_index_sequence<sizeof partial / sizeof(T)>()));
    fold_vector<Op, T, HALF / 2>(partial);
  }
}

template <class Op, class T>
T folded(const void* partials) {
  constexpr uint32_t COUNT = PARTIALS * sizeof(T) / VECTOR_BYTES;
  Vector<T> partial[COUNT];
  std::memcpy(partial, partials, sizeof partial);
  for (uint32_t half = COUNT / 2; half; half /= 2)
    for (uint32_t j = 0; j < half; ++j) combine<Op, T>(partial[j], partial[j + half]);
  fold_vector<Op, T, VECTOR_BYTES / sizeof(T) / 2>(partial[0]);
  return canonical(static_cast<T>(partial[0][0]));
}

// Into the first lane.
template <class Op, class T>
void fold(void* d, const void* a, const void*, const void*, uint32_t) {
  *static_cast<T*>(d) = folded<Op, T>(a);
}

template <class Op, class T>
void scan(void* d, const void* a, const void* b, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  T carry = *static_cast<const T*>(b);
  for (uint32_t i = 0; i < n; ++i) {
    carry = Op::of(carry, x[i], T{});
    out[i] = canonical(carry);
  }
}

// Counts lanes that are not 0, into 16 partials.
inline void count_nonzero(void* d, const void* a, const void*, const void*, uint32_t n) {
  uint32_t* count = static_cast<uint32_t*>(d);
  const int32_t* x = static_cast<const int32_t*>(a);
  for (uint32_t i = 0; i < n; ++i) count[i % PARTIALS] += x[i] != 0;
}

}  // namespace
