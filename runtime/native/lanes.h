// The vector opcodes as loops over lanes, one function per opcode, element type and `aux`.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "abi.gen.h"
#include "kernels.h"
#include "lane_ops.h"

namespace {

using tfmbs::LaneFn;
using tfmbs::abi::DOp;
using tfmbs::abi::Reduce;

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
  static float of(float a, int32_t trit, float d) {
    return trit == 1 ? canonical(d + a) : trit == -1 ? canonical(d - a) : d;
  }
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
#define TFMBS_TO(type)                                                                                            \
  case DType::type:                                                                                               \
    return each<std::conditional_t<from_float, ConvertFloat<DType::type>, ConvertInteger<From, DType::type>>, In, \
                int32_t>
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
