// What the vector opcodes compute in one lane of any type: `of` takes a lane of va, vb and vc. Results that are NaN are
// made canonical by the loops over lanes.
#pragma once

#include "lane_bits.h"

namespace {

struct Mov {
  template <class T>
  static T of(T a, T, T) {
    return a;
  }
};
struct Add {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return a + b;
    else return wrap<T>(u(a) + u(b));
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return a - b;
    else return wrap<T>(u(a) - u(b));
  }
};
struct Mul {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return a * b;
    else return wrap<T>(u(a) * u(b));
  }
};
struct Fma {
  template <class T>
  static T of(T a, T b, T c) {
    if constexpr (is_real<T>) return std::fma(a, b, c);
    else return wrap<T>(u(a) * u(b) + u(c));
  }
};
struct Min {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) {
      // The processor's minimum is one operand or the other where both are zero: taken both ways, one has the sign.
      const T one = a < b ? a : b, other = b < a ? b : a;
      return std::isunordered(a, b) ? a + b : from_bits<T>(bits_of(one) | bits_of(other));
    } else {
      return a < b ? a : b;
    }
  }
};
struct Max {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) {
      const T one = a > b ? a : b, other = b > a ? b : a;
      return std::isunordered(a, b) ? a + b : from_bits<T>(bits_of(one) & bits_of(other));
    } else {
      return a > b ? a : b;
    }
  }
};

// --- the sign; on floats these move bits, also those of a NaN ---

struct Neg {
  template <class T>
  static T of(T a, T, T) {
    if constexpr (is_real<T>) return from_bits<T>(bits_of(a) ^ SIGN_BIT<T>);
    else return wrap<T>(Bits<T>{0} - u(a));
  }
};
struct Abs {
  template <class T>
  static T of(T a, T, T) {
    if constexpr (is_real<T>) return from_bits<T>(bits_of(a) & ~SIGN_BIT<T>);
    else return a < 0 ? wrap<T>(Bits<T>{0} - u(a)) : a;
  }
};

// --- integers ---

struct And {
  template <class T>
  static T of(T a, T b, T) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T of(T a, T b, T) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T of(T a, T b, T) {
    return a ^ b;
  }
};

template <class T>
constexpr Bits<T> LAST_BIT = 8 * sizeof(T) - 1;

struct Shl {
  template <class T>
  static T of(T a, T b, T) {
    return u(b) <= LAST_BIT<T> ? wrap<T>(u(a) << (u(b) & LAST_BIT<T>)) : T{0};
  }
};
struct Shra {
  template <class T>
  static T of(T a, T b, T) {
    return a >> (u(b) <= LAST_BIT<T> ? u(b) : LAST_BIT<T>);
  }
};
struct Shrl {
  template <class T>
  static T of(T a, T b, T) {
    return u(b) <= LAST_BIT<T> ? wrap<T>(u(a) >> (u(b) & LAST_BIT<T>)) : T{0};
  }
};

// --- rounding to integers; the context sets the rounding mode ---

struct Floor {
  template <class T>
  static T of(T a, T, T) {
    return std::floor(a);
  }
};
struct Ceil {
  template <class T>
  static T of(T a, T, T) {
    return std::ceil(a);
  }
};
struct Round {
  template <class T>
  static T of(T a, T, T) {
    return std::nearbyint(a);
  }
};
struct Trunc {
  template <class T>
  static T of(T a, T, T) {
    return std::trunc(a);
  }
};
struct RoundAway {
  template <class T>
  static T of(T a, T, T) {
    // What truncation cuts off is exact; of an infinity it is NaN, which rounds nothing up.
    const T whole = std::trunc(a);
    return std::copysign(std::fabs(a - whole) >= T{0.5} ? std::fabs(whole) + T{1} : std::fabs(whole), a);
  }
};
struct Sqrt {
  template <class T>
  static T of(T a, T, T) {
    return std::sqrt(a);
  }
};

// --- trits ---

struct Ternarize {
  static int32_t of(float a, float b, int32_t) { return a > b ? 1 : a < -b ? -1 : 0; }
  static int32_t of(int32_t a, int32_t b, int32_t) {
    // -INT_MIN is above every i32.
    return a > b ? 1 : static_cast<int64_t>(a) < -static_cast<int64_t>(b) ? -1 : 0;
  }
};

template <class T>
struct AddTrit {
  static T of(T a, int32_t trit, T d) {
    return trit == 1 ? canonical(Add::of(d, a, T{})) : trit == -1 ? canonical(Sub::of(d, a, T{})) : d;
  }
};

}  // namespace
