// Quotients and remainders: of one lane, and loops that take blocks of lanes a faster way where all of a block allow
// it.
#pragma once

#include "lane_bits.h"
#include "lane_loops.h"

namespace {

// The quotient truncated, for a divisor that is neither 0 nor -1.
template <class T>
T quotient(T a, T b) {
  // A quotient of f64 that is rounded correctly never reaches the next integer for 32-bit operands, and vectorizes.
  if constexpr (sizeof(T) == 4) return static_cast<T>(static_cast<double>(a) / static_cast<double>(b));
  else return a / b;
}

// The rules about divisors for any way to get at a quotient.
template <class T, class Quotient>
T divided(T a, T b, Quotient q) {
  const bool negates = std::is_signed_v<T> && b == static_cast<T>(-1);
  const T safe = q(a, b == 0 || negates ? T{1} : b);
  return b == 0 ? T{0} : negates ? wrap<T>(Bits<T>{0} - u(a)) : safe;
}

struct Div {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return a / b;
    else return divided(a, b, quotient<T>);
  }
};

struct Rem {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return std::fmod(a, b);
    else return wrap<T>(u(a) - u(Div::of(a, b, T{})) * u(b));
  }
};

constexpr uint32_t BLOCK = 64, LEAST = 8;

template <class Op, class T>
void one_by_one(T* out, const T* x, const T* y, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) out[i] = canonical(Op::of(x[i], y[i], T{}));
}

// `way(out, x, y, n)` computes a block elsewhere and says whether the results are right; if not, `Op` computes them.
template <class Op, class T, class Way>
void by_blocks(void* d, const void* a, const void* b, uint32_t n, Way way) {
  if (n < LEAST) return one_by_one<Op, T>(static_cast<T*>(d), static_cast<const T*>(a), static_cast<const T*>(b), n);
  for (uint32_t i = 0; i < n; i += BLOCK) {
    T* out = static_cast<T*>(d) + i;
    const T* x = static_cast<const T*>(a) + i;
    const T* y = static_cast<const T*>(b) + i;
    const uint32_t lanes = n - i < BLOCK ? n - i : BLOCK;
    T results[BLOCK];
    if (way(results, x, y, lanes)) std::memcpy(out, results, lanes * sizeof(T));
    else one_by_one<Op>(out, x, y, lanes);
  }
}

// Float remainders where all quotients are below 2^52: the quotient rounded is the right integer or the next one, and
// what is left is exact in either case.
template <class T>
bool remainders(T* out, const T* x, const T* y, uint32_t n) {
  uint64_t wrong = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const double dividend = std::fabs(static_cast<double>(x[i])), divisor = std::fabs(static_cast<double>(y[i]));
    const double whole = std::trunc(dividend / divisor);
    const double rest = std::fma(-whole, divisor, dividend);
    out[i] = std::copysign(static_cast<T>(rest < 0 ? rest + divisor : rest), x[i]);
    wrong |= whole < 0x1p52 && divisor < static_cast<double>(INFINITY) ? uint64_t{0} : uint64_t{1};
  }
  return wrong == 0;
}

template <class T>
void float_remainder(void* d, const void* a, const void* b, const void*, uint32_t n) {
#if defined(__FMA__) || defined(__AVX512F__)
  by_blocks<Rem, T>(d, a, b, n, remainders<T>);
#else
  one_by_one<Rem>(static_cast<T*>(d), static_cast<const T*>(a), static_cast<const T*>(b), n);
#endif
}

// Operations on integers of 64 bits whose magnitudes are all below 2^53: their quotients of f64 never reach the next
// integer either. Worth it where the processor converts vectors of them.
template <class Op, class T>
void wide_division(void* d, const void* a, const void* b, const void*, uint32_t n) {
#if defined(__AVX512DQ__)
  by_blocks<Op, T>(d, a, b, n, [](T* out, const T* x, const T* y, uint32_t lanes) {
    const auto by_f64 = [](T p, T q) { return static_cast<T>(static_cast<double>(p) / static_cast<double>(q)); };
    Bits<T> bits = 0;
    for (uint32_t i = 0; i < lanes; ++i) {
      // Negative numbers by their complement: -2^53 is exact in f64 too.
      bits |= u(x[i]) ^ (std::is_signed_v<T> && x[i] < 0 ? ~Bits<T>{0} : Bits<T>{0});
      bits |= u(y[i]) ^ (std::is_signed_v<T> && y[i] < 0 ? ~Bits<T>{0} : Bits<T>{0});
    }
    if (bits >> 53) return false;
    for (uint32_t i = 0; i < lanes; ++i) {
      const T q = divided(x[i], y[i], by_f64);
      out[i] = std::is_same_v<Op, Div> ? q : wrap<T>(u(x[i]) - u(q) * u(y[i]));
    }
    return true;
  });
#else
  one_by_one<Op>(static_cast<T*>(d), static_cast<const T*>(a), static_cast<const T*>(b), n);
#endif
}

}  // namespace
