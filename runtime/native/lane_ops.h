// What each vector opcode computes in one lane: `of` takes a lane of va, vb and vc.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "abi.gen.h"
#include "simd.h"
#include "special.gen.h"

namespace {

using tfmbs::abi::DType;
using tfmbs::abi::Predicate;

inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline float canonical(float x) { return x == x ? x : canonical_nan(); }
inline int32_t canonical(int32_t x) { return x; }

inline int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }
inline uint32_t u(int32_t x) { return static_cast<uint32_t>(x); }

struct Mov {
  static int32_t of(int32_t a, int32_t, int32_t) { return a; }
};
struct Add {
  static float of(float a, float b, float) { return a + b; }
  static int32_t of(int32_t a, int32_t b, int32_t) { return wrap(u(a) + u(b)); }
};
struct Sub {
  static float of(float a, float b, float) { return a - b; }
  static int32_t of(int32_t a, int32_t b, int32_t) { return wrap(u(a) - u(b)); }
};
struct Mul {
  static float of(float a, float b, float) { return a * b; }
  static int32_t of(int32_t a, int32_t b, int32_t) { return wrap(u(a) * u(b)); }
};
struct Fma {
  static float of(float a, float b, float c) { return std::fma(a, b, c); }
  static int32_t of(int32_t a, int32_t b, int32_t c) { return wrap(u(a) * u(b) + u(c)); }
};
struct Div {
  static float of(float a, float b, float) { return a / b; }
  static int32_t of(int32_t a, int32_t b, int32_t) {
    if (b == 0) return 0;
    return b == -1 ? wrap(0u - u(a)) : a / b;
  }
};
struct Min {
  static float of(float a, float b, float) {
    const float least = a < b ? a : a == b ? float_of(bits_of(a) | bits_of(b)) : b;
    return a == a ? least : a;
  }
  static int32_t of(int32_t a, int32_t b, int32_t) { return a < b ? a : b; }
};
struct Max {
  static float of(float a, float b, float) {
    const float most = a > b ? a : a == b ? float_of(bits_of(a) & bits_of(b)) : b;
    return a == a ? most : a;
  }
  static int32_t of(int32_t a, int32_t b, int32_t) { return a > b ? a : b; }
};
struct Neg {
  static int32_t of(int32_t a, int32_t, int32_t) { return wrap(0u - u(a)); }
};
struct FlipSign {
  static int32_t of(int32_t a, int32_t, int32_t) { return wrap(u(a) ^ 0x80000000u); }
};
struct Abs {
  static int32_t of(int32_t a, int32_t, int32_t) { return a < 0 ? wrap(0u - u(a)) : a; }
};
struct ClearSign {
  static int32_t of(int32_t a, int32_t, int32_t) { return a & 0x7fffffff; }
};
struct Sel {
  static int32_t of(int32_t a, int32_t b, int32_t c) { return a != 0 ? b : c; }
};
struct And {
  static int32_t of(int32_t a, int32_t b, int32_t) { return a & b; }
};
struct Or {
  static int32_t of(int32_t a, int32_t b, int32_t) { return a | b; }
};
struct Xor {
  static int32_t of(int32_t a, int32_t b, int32_t) { return a ^ b; }
};
struct Shl {
  static int32_t of(int32_t a, int32_t b, int32_t) { return u(b) < 32 ? wrap(u(a) << (u(b) & 31)) : 0; }
};
struct Shra {
  static int32_t of(int32_t a, int32_t b, int32_t) { return a >> (u(b) < 32 ? u(b) : 31u); }
};
struct Shrl {
  static int32_t of(int32_t a, int32_t b, int32_t) { return u(b) < 32 ? wrap(u(a) >> (u(b) & 31)) : 0; }
};
struct Floor {
  static float of(float a, float, float) { return std::floor(a); }
};
struct Ceil {
  static float of(float a, float, float) { return std::ceil(a); }
};
struct Round {
  static float of(float a, float, float) { return std::rint(a); }  // ties to even: the context sets the rounding mode
};
struct Trunc {
  static float of(float a, float, float) { return std::trunc(a); }
};
struct Sqrt {
  static float of(float a, float, float) { return std::sqrt(a); }
};
struct Rsqrt {
  static float of(float a, float, float) { return tfmbs::special::rsqrt(a); }
};
struct Exp {
  static float of(float a, float, float) { return tfmbs::special::exp(a); }
};
struct Log {
  static float of(float a, float, float) { return tfmbs::special::log(a); }
};
struct Tanh {
  static float of(float a, float, float) { return tfmbs::special::tanh(a); }
};
struct Erf {
  static float of(float a, float, float) { return tfmbs::special::erf(a); }
};

template <Predicate P>
struct Compare {
  static int32_t of(float a, float b, int32_t) {
    const bool unordered = !(a == a) || !(b == b);
    switch (P) {
      case Predicate::FALSE: return 0;
      case Predicate::OEQ: return a == b;
      case Predicate::OGT: return a > b;
      case Predicate::OGE: return a >= b;
      case Predicate::OLT: return a < b;
      case Predicate::OLE: return a <= b;
      case Predicate::ONE: return a < b || a > b;
      case Predicate::ORD: return !unordered;
      case Predicate::UEQ: return unordered || a == b;
      case Predicate::UGT: return unordered || a > b;
      case Predicate::UGE: return unordered || a >= b;
      case Predicate::ULT: return unordered || a < b;
      case Predicate::ULE: return unordered || a <= b;
      case Predicate::UNE: return !(a == b);
      case Predicate::UNO: return unordered;
      case Predicate::TRUE: return 1;
    }
    return 0;
  }
  static int32_t of(int32_t a, int32_t b, int32_t) {
    switch (P) {
      case Predicate::OEQ: return a == b;
      case Predicate::OGT: return a > b;
      case Predicate::OGE: return a >= b;
      case Predicate::OLT: return a < b;
      case Predicate::OLE: return a <= b;
      case Predicate::ONE: return a != b;
      case Predicate::UGT: return u(a) > u(b);
      case Predicate::UGE: return u(a) >= u(b);
      case Predicate::ULT: return u(a) < u(b);
      case Predicate::ULE: return u(a) <= u(b);
      case Predicate::TRUE: return 1;
      default: return 0;
    }
  }
};

struct Ternarize {
  static int32_t of(float a, float b, int32_t) { return a > b ? 1 : a < -b ? -1 : 0; }
  static int32_t of(int32_t a, int32_t b, int32_t) {
    // -INT_MIN is above every i32.
    return a > b ? 1 : static_cast<int64_t>(a) < -static_cast<int64_t>(b) ? -1 : 0;
  }
};

// --- conversions: the source is read as its type, integers from the low bits of the lane ---

template <DType T>
int32_t narrow(int32_t lane) {
  switch (T) {
    case DType::BOOL: return lane != 0;
    case DType::I8: return static_cast<int8_t>(lane);
    case DType::U8: return static_cast<uint8_t>(lane);
    case DType::I16: return static_cast<int16_t>(lane);
    case DType::U16: return static_cast<uint16_t>(lane);
    default: return lane;
  }
}

template <DType T>
struct Bounds {
  static constexpr float low = T == DType::I8    ? -128.0f
                               : T == DType::I16 ? -32768.0f
                               : T == DType::I32 ? -0x1p31f
                                                 : 0.0f;
  // The first value that is too large; below 2**31 every bound is exact.
  static constexpr float end = T == DType::I8    ? 128.0f
                               : T == DType::U8  ? 256.0f
                               : T == DType::I16 ? 32768.0f
                               : T == DType::U16 ? 65536.0f
                                                 : 0x1p31f;
  static constexpr int32_t last = static_cast<int32_t>(static_cast<int64_t>(end) - 1);
};

template <DType From, DType To>
struct Convert {
  static float of(int32_t a, int32_t, float) { return static_cast<float>(narrow<From>(a)); }
};
template <DType To>
struct ConvertFloat {
  static int32_t of(float a, float, int32_t) {
    if (To == DType::BOOL) return !(a == 0.0f);
    using B = Bounds<To>;
    const bool inside = a >= B::low && a < B::end;
    const int32_t whole = static_cast<int32_t>(inside ? a : 0.0f);
    return a >= B::end ? B::last : a < B::low ? static_cast<int32_t>(B::low) : whole;
  }
};
template <DType From, DType To>
struct ConvertInteger {
  static int32_t of(int32_t a, int32_t, int32_t) { return narrow<To>(narrow<From>(a)); }
};

}  // namespace
