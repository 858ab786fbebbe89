// Lanes and their bits: unsigned twins, canonical NaNs, sign bits. Everything has internal linkage.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "abi.gen.h"

namespace {

// The unsigned integer of the size of a lane.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
constexpr bool is_real = std::is_floating_point_v<T>;

template <class T>
Bits<T> bits_of(T x) {
  Bits<T> bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

template <class T>
T from_bits(Bits<T> bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
constexpr Bits<T> SIGN_BIT = Bits<T>{1} << (8 * sizeof(T) - 1);

template <class T>
constexpr Bits<T> CANONICAL = sizeof(T) == 8 ? static_cast<Bits<T>>(0x7ff8000000000000u) : Bits<T>{0x7fc00000u};

// Arithmetic that gives a NaN gives this one.
template <class T>
T canonical(T x) {
  if constexpr (is_real<T>) return x == x ? x : from_bits<T>(CANONICAL<T>);
  else return x;
}

// Integers wrap: computed unsigned, read as the lane's type.
template <class T>
Bits<T> u(T x) {
  return static_cast<Bits<T>>(x);
}

template <class T>
T wrap(Bits<T> x) {
  return static_cast<T>(x);
}

}  // namespace
