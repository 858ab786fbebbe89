// Quotients and remainders of one lane.
#pragma once

#include "lane_bits.h"

namespace {

// The quotient truncated, for a divisor that is neither 0 nor -1.
template <class T>
T quotient(T a, T b) {
  // A quotient of f64 that is rounded correctly never reaches the next integer for 32-bit operands, and vectorizes.
  if constexpr (sizeof(T) == 4) return static_cast<T>(static_cast<double>(a) / static_cast<double>(b));
  else return a / b;
}

struct Div {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) {
      return a / b;
    } else if constexpr (std::is_signed_v<T>) {
      const bool plain = b != 0 && b != -1;
      const T q = quotient<T>(a, plain ? b : T{1});
      return plain ? q : b == 0 ? T{0} : wrap<T>(Bits<T>{0} - u(a));
    } else {
      const T q = quotient<T>(a, b != 0 ? b : T{1});
      return b != 0 ? q : T{0};
    }
  }
};

struct Rem {
  template <class T>
  static T of(T a, T b, T) {
    if constexpr (is_real<T>) return std::fmod(a, b);
    else return wrap<T>(u(a) - u(Div::of(a, b, T{})) * u(b));
  }
};

}  // namespace
