// Conversions between element types in one lane.
#pragma once

#include <limits>

#include "lane_bits.h"
#include "small_floats.h"

namespace {

using tfmbs::abi::DType;

constexpr bool is_small_float(DType t) { return t == DType::F16 || t == DType::BF16; }

template <DType D>
struct LaneOf {
  using Type = int32_t;  // also of bool and the narrow integers
};
template <>
struct LaneOf<DType::U32> {
  using Type = uint32_t;
};
template <>
struct LaneOf<DType::I64> {
  using Type = int64_t;
};
template <>
struct LaneOf<DType::U64> {
  using Type = uint64_t;
};
template <>
struct LaneOf<DType::F16> {
  using Type = float;
};
template <>
struct LaneOf<DType::BF16> {
  using Type = float;
};
template <>
struct LaneOf<DType::F32> {
  using Type = float;
};
template <>
struct LaneOf<DType::F64> {
  using Type = double;
};
template <DType D>
using Lane = typename LaneOf<D>::Type;

// The number that an integer lane holds in its low bits.
template <DType D, class T>
Lane<D> low_bits(T lane) {
  switch (D) {
    case DType::BOOL: return static_cast<Lane<D>>(lane != 0);
    case DType::I8: return static_cast<Lane<D>>(static_cast<int8_t>(lane));
    case DType::U8: return static_cast<Lane<D>>(static_cast<uint8_t>(lane));
    case DType::I16: return static_cast<Lane<D>>(static_cast<int16_t>(lane));
    case DType::U16: return static_cast<Lane<D>>(static_cast<uint16_t>(lane));
    default: return static_cast<Lane<D>>(lane);
  }
}

// The range of an integer type: its least value, and the first that is too large. As floats both are exact.
template <DType D>
struct Range {
  static constexpr unsigned bits = tfmbs::abi::dtype_bits(D);
  static constexpr bool is_signed = D == DType::I8 || D == DType::I16 || D == DType::I32 || D == DType::I64;
  static constexpr double end = static_cast<double>(uint64_t{1} << (bits - 1)) * (is_signed ? 1 : 2);
  static constexpr double low = is_signed ? -end : 0;
  static constexpr Lane<D> last = static_cast<Lane<D>>((~uint64_t{0} >> (64 - bits)) >> is_signed);
  static constexpr Lane<D> least = is_signed ? static_cast<Lane<D>>(-static_cast<int64_t>(last) - 1) : Lane<D>{0};
};

// Truncated and saturated; NaN gives 0.
template <DType D, class Real>
Lane<D> saturated(Real x) {
  using R = Range<D>;
  constexpr Real low = static_cast<Real>(R::low), end = static_cast<Real>(R::end);
  if constexpr (R::bits < std::numeric_limits<Real>::digits) {
    // The greatest integer is exact too.
    const Real high = end - 1, above = x < low ? low : x, clamped = high < above ? high : above;
    return static_cast<Lane<D>>(x == x ? clamped : Real{0});
  }
  const Lane<D> whole = static_cast<Lane<D>>(x >= low && x < end ? x : Real{0});
  return x >= end ? R::last : x < low ? R::least : whole;
}

// A float that rounds to f16 or bf16 as the integer does.
template <DType D, class T>
auto before_rounding(T x) {
  if constexpr (D == DType::F16) {
    // Beyond 2^20 all is infinite; below, f32 is exact.
    constexpr T most = T{1} << 20;
    if constexpr (std::is_signed_v<T>) return static_cast<float>(x < -most ? -most : x > most ? most : x);
    else return static_cast<float>(x > most ? most : x);
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<double>(x);
  } else {
    // From 2^40 on, the low 24 bits matter only by being zero or not: without them f64 is exact.
    constexpr uint64_t unit = 1u << 24;
    const bool negative = std::is_signed_v<T> && x < 0;
    const uint64_t magnitude = negative ? uint64_t{0} - u(x) : u(x);
    const uint64_t rest = magnitude & (unit - 1);
    const uint64_t kept = magnitude >> 40 ? (magnitude - rest) | (rest ? unit : 0) : magnitude;
    const double exact = static_cast<double>(kept);
    return negative ? -exact : exact;
  }
}

template <DType From, DType To>
struct Convert {
  using In = Lane<From>;
  using Out = Lane<To>;

  static Out of(In a) {
    if constexpr (is_real<In>) return from_real(a);
    else return from_integer(low_bits<From>(a));
  }

 private:
  static Out from_real(In a) {
    if constexpr (To == DType::BOOL) return !(a == In{0});
    else if constexpr (is_small_float(To)) return rounded(a);
    else if constexpr (is_real<Out>) return static_cast<Out>(a);
    else return saturated<To>(a);
  }
  static Out from_integer(In a) {
    if constexpr (is_small_float(To)) return rounded(before_rounding<To>(a));
    else if constexpr (is_real<Out>) return static_cast<Out>(a);
    else return low_bits<To>(a);
  }
  template <class Real>
  static float rounded(Real x) {
    using Numbers = std::conditional_t<To == DType::F16, F16Numbers, BF16Numbers>;
    return static_cast<float>(rounded_to<Numbers>(x));
  }
};

}  // namespace
