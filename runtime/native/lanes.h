// The vector opcodes as loops over lanes, one function per opcode, element type and `aux`.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "abi.gen.h"
#include "kernels.h"
#include "simd.h"
#include "special.gen.h"

namespace {

using tfmbs::LaneFn;
using tfmbs::abi::DOp;
using tfmbs::abi::DType;
using tfmbs::abi::Predicate;
using tfmbs::abi::Reduce;

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

// --- scalar meaning of each opcode: `of` takes a lane of va, vb, vc ---

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
  static constexpr float low = T == DType::I8 ? -128.0f : T == DType::I16 ? -32768.0f : T == DType::I32 ? -0x1p31f : 0.0f;
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

// --- loops ---

template <class Op, class In, class Out = In>
void each(void* d, const void* a, const void* b, const void* c, uint32_t n) {
  Out* out = static_cast<Out*>(d);
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
  const Out* z = static_cast<const Out*>(c);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = canonical(Op::of(x[i], y[i], z[i]));
}

template <class Op, class T>
void reduce(void* d, const void* a, const void*, const void*, uint32_t n) {
  constexpr uint32_t WIDTH = tfmbs::abi::REDUCTION_LANES;
  T* partial = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  uint32_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH)
#pragma GCC ivdep
    for (uint32_t j = 0; j < WIDTH; ++j) partial[j] = canonical(Op::of(partial[j], x[i + j], T{}));
  for (uint32_t j = 0; i + j < n; ++j) partial[j] = canonical(Op::of(partial[j], x[i + j], T{}));
}

template <class Op, class T>
void fold(void* d, const void* a, const void*, const void*, uint32_t) {
  T partial[tfmbs::abi::REDUCTION_LANES];
  std::memcpy(partial, a, sizeof partial);
  for (uint32_t half = tfmbs::abi::REDUCTION_LANES / 2; half; half /= 2)
    for (uint32_t j = 0; j < half; ++j) partial[j] = canonical(Op::of(partial[j], partial[j + half], T{}));
  T* out = static_cast<T*>(d);
  for (uint32_t i = 0; i < tfmbs::abi::VLMAX; ++i) out[i] = partial[0];
}

inline void count_nonzero(void* d, const void* a, const void*, const void*, uint32_t n) {
  uint32_t* count = static_cast<uint32_t*>(d);
  const int32_t* x = static_cast<const int32_t*>(a);
  for (uint32_t i = 0; i < n; ++i) count[i % tfmbs::abi::REDUCTION_LANES] += x[i] != 0;
}

struct AddTrit {
  static float of(float a, int32_t trit, float d) { return trit == 1 ? canonical(d + a) : trit == -1 ? canonical(d - a) : d; }
  static int32_t of(int32_t a, int32_t trit, int32_t d) {
    return trit == 1 ? wrap(u(d) + u(a)) : trit == -1 ? wrap(u(d) - u(a)) : d;
  }
};

template <class T>
void accumulate_trits(void* d, const void* a, const void* b, const void*, uint32_t n) {
  T* out = static_cast<T*>(d);
  const T* x = static_cast<const T*>(a);
  const int32_t* trit = static_cast<const int32_t*>(b);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = AddTrit::of(x[i], trit[i], out[i]);
}

// --- lookup ---

template <class Op>
LaneFn typed(DType type) {
  if (type == DType::F32) return each<Op, float>;
  return type == DType::I32 ? each<Op, int32_t> : nullptr;
}

template <class Op>
LaneFn of_float(DType type) {
  return type == DType::F32 ? each<Op, float> : nullptr;
}

template <class Op>
LaneFn of_int(DType type) {
  return type == DType::I32 ? each<Op, int32_t> : nullptr;
}

template <class Op>
LaneFn reduction(DOp op, DType type) {
  if (type == DType::F32) return op == DOp::RED ? reduce<Op, float> : fold<Op, float>;
  if (type == DType::I32) return op == DOp::RED ? reduce<Op, int32_t> : fold<Op, int32_t>;
  return nullptr;
}

inline LaneFn reduction(DOp op, DType type, uint8_t aux) {
  switch (static_cast<Reduce>(aux)) {
    case Reduce::SUM: return reduction<Add>(op, type);
    case Reduce::MAX: return reduction<Max>(op, type);
    case Reduce::MIN: return reduction<Min>(op, type);
  }
  return nullptr;
}

template <unsigned P = 0>
LaneFn comparison(DType type, uint8_t aux) {
  if constexpr (P > static_cast<unsigned>(Predicate::TRUE)) {
    return nullptr;
  } else {
    constexpr Predicate predicate = static_cast<Predicate>(P);
    if (aux != P) return comparison<P + 1>(type, aux);
    if (type == DType::F32) return each<Compare<predicate>, float, int32_t>;
    constexpr bool needs_float = predicate == Predicate::ORD || predicate == Predicate::UEQ ||
                                 predicate == Predicate::UNE || predicate == Predicate::UNO;
    return type == DType::I32 && !needs_float ? each<Compare<predicate>, int32_t> : nullptr;
  }
}

template <DType From>
LaneFn conversion_from(DType to) {
  constexpr bool from_float = From == DType::F32;
  using In = std::conditional_t<from_float, float, int32_t>;
#define TFMBS_TO(type) \
  case DType::type: \
    return each<std::conditional_t<from_float, ConvertFloat<DType::type>, ConvertInteger<From, DType::type>>, In, int32_t>
  switch (to) {
    TFMBS_TO(BOOL);
    TFMBS_TO(I8);
    TFMBS_TO(U8);
    TFMBS_TO(I16);
    TFMBS_TO(U16);
    TFMBS_TO(I32);
    case DType::F32:
      // A conversion to the same type moves the bits.
      if constexpr (from_float) return each<Mov, int32_t>;
      else return each<Convert<From, DType::F32>, int32_t, float>;
    default: return nullptr;
  }
#undef TFMBS_TO
}

inline LaneFn conversion(DType to, uint8_t aux) {
  switch (static_cast<DType>(aux)) {
    case DType::BOOL: return conversion_from<DType::BOOL>(to);
    case DType::I8: return conversion_from<DType::I8>(to);
    case DType::U8: return conversion_from<DType::U8>(to);
    case DType::I16: return conversion_from<DType::I16>(to);
    case DType::U16: return conversion_from<DType::U16>(to);
    case DType::I32: return conversion_from<DType::I32>(to);
    case DType::F32: return conversion_from<DType::F32>(to);
    default: return nullptr;
  }
}

inline LaneFn lane(DOp op, DType type, uint8_t aux) {
  const bool is_float = type == DType::F32;
  switch (op) {
    case DOp::NOP: return nullptr;
    case DOp::MOV: return each<Mov, int32_t>;
    case DOp::ADD: return typed<Add>(type);
    case DOp::SUB: return typed<Sub>(type);
    case DOp::MUL: return typed<Mul>(type);
    case DOp::FMA: return typed<Fma>(type);
    case DOp::DIV: return typed<Div>(type);
    case DOp::MIN: return typed<Min>(type);
    case DOp::MAX: return typed<Max>(type);
    case DOp::NEG: return is_float ? each<FlipSign, int32_t> : of_int<Neg>(type);
    case DOp::ABS: return is_float ? each<ClearSign, int32_t> : of_int<Abs>(type);
    case DOp::CMP: return comparison(type, aux);
    case DOp::SEL: return each<Sel, int32_t>;
    case DOp::AND: return of_int<And>(type);
    case DOp::OR: return of_int<Or>(type);
    case DOp::XOR: return of_int<Xor>(type);
    case DOp::SHL: return of_int<Shl>(type);
    case DOp::SHRA: return of_int<Shra>(type);
    case DOp::SHRL: return of_int<Shrl>(type);
    case DOp::FLOOR: return of_float<Floor>(type);
    case DOp::CEIL: return of_float<Ceil>(type);
    case DOp::ROUND: return of_float<Round>(type);
    case DOp::TRUNC: return of_float<Trunc>(type);
    case DOp::CVT: return conversion(type, aux);
    case DOp::RED:
    case DOp::FOLD: return reduction(op, type, aux);
    case DOp::SQRT: return of_float<Sqrt>(type);
    case DOp::RSQRT: return of_float<Rsqrt>(type);
    case DOp::EXP: return of_float<Exp>(type);
    case DOp::LOG: return of_float<Log>(type);
    case DOp::TANH: return of_float<Tanh>(type);
    case DOp::ERF: return of_float<Erf>(type);
    case DOp::TERNARY:
      if (is_float) return each<Ternarize, float, int32_t>;
      return of_int<Ternarize>(type);
    case DOp::TPOP: return count_nonzero;
    case DOp::TACC:
      if (is_float) return accumulate_trits<float>;
      return type == DType::I32 ? accumulate_trits<int32_t> : nullptr;
  }
  return nullptr;
}

}  // namespace
