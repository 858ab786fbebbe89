// Which function computes an operation: by opcode, element type and aux; nullptr where there is none.
#pragma once

#include "abi.gen.h"
#include "kernels.h"
#include "lane_compare.h"
#include "lane_convert.h"
#include "lane_divide.h"
#include "lane_extreme.h"
#include "lane_loops.h"
#include "lane_ops.h"
#include "lane_quick.h"
#include "lane_quotient.h"
#include "lane_reduce.h"
#include "lane_special.h"

namespace {

using tfmbs::LaneFn;
using tfmbs::abi::DOp;
using tfmbs::abi::DType;
using tfmbs::abi::Reduce;

template <class Op>
LaneFn of_real(DType type) {
  if (type == DType::F32) return each<Op, float>;
  return type == DType::F64 ? each<Op, double> : nullptr;
}

// Special functions give canonical results by themselves.
template <class Op>
LaneFn special(DType type) {
  if (type == DType::F32) return each_bits<Op, float>;
  return type == DType::F64 ? each_bits<Op, double> : nullptr;
}

template <class Op>
LaneFn of_signed(DType type) {
  if (type == DType::I32) return each<Op, int32_t>;
  return type == DType::I64 ? each<Op, int64_t> : nullptr;
}

template <class Op>
LaneFn of_unsigned(DType type) {
  if (type == DType::U32) return each<Op, uint32_t>;
  return type == DType::U64 ? each<Op, uint64_t> : nullptr;
}

template <class Op>
LaneFn of_number(DType type) {
  const LaneFn real = of_real<Op>(type);
  return real ? real : of_signed<Op>(type);
}

template <class Op>
LaneFn of_any(DType type) {
  const LaneFn number = of_number<Op>(type);
  return number ? number : of_unsigned<Op>(type);
}

template <class Op>
LaneFn least_or_greatest(DType type) {
  if (type == DType::F32) return each_extreme<Op, float>;
  return type == DType::F64 ? each_extreme<Op, double> : of_any<Op>(type);
}

// Changes of the sign of a float keep the bits of a NaN.
template <class Op>
LaneFn of_sign(DType type) {
  if (type == DType::F32) return each_bits<Op, float>;
  return type == DType::F64 ? each_bits<Op, double> : of_signed<Op>(type);
}

template <class Op>
LaneFn division(DType type) {
  if (type == DType::I64) return wide_division<Op, int64_t>;
  if (type == DType::U64) return wide_division<Op, uint64_t>;
  if (std::is_same_v<Op, Div> && type == DType::F32) return quotient_f32;
  if (std::is_same_v<Op, Rem> && type == DType::F32) return float_remainder<float>;
  if (std::is_same_v<Op, Rem> && type == DType::F64) return float_remainder<double>;
  return of_any<Op>(type);
}

// --- reductions ---

template <class Op, class T>
LaneFn reduction(DOp op) {
  return op == DOp::RED ? reduce<Op, T> : op == DOp::FOLD ? fold<Op, T> : scan<Op, T>;
}

template <class Op>
LaneFn reduction_of_real(DOp op, DType type) {
  if (type == DType::F32) return reduction<Op, float>(op);
  return type == DType::F64 ? reduction<Op, double>(op) : nullptr;
}

template <class Op>
LaneFn reduction_of_signed(DOp op, DType type) {
  if (type == DType::I32) return reduction<Op, int32_t>(op);
  return type == DType::I64 ? reduction<Op, int64_t>(op) : nullptr;
}

template <class Op>
LaneFn reduction_of_any(DOp op, DType type) {
  if (type == DType::U32) return reduction<Op, uint32_t>(op);
  if (type == DType::U64) return reduction<Op, uint64_t>(op);
  const LaneFn real = reduction_of_real<Op>(op, type);
  return real ? real : reduction_of_signed<Op>(op, type);
}

inline LaneFn product(DOp op, DType type) {
  if (op == DOp::SCAN && type == DType::F32) return scan<Mul, float>;
  if (op == DOp::SCAN && type == DType::F64) return scan<Mul, double>;
  return reduction_of_signed<Mul>(op, type);
}

inline LaneFn sum(DOp op, DType type) {
  const LaneFn real = reduction_of_real<Add>(op, type);
  return real ? real : reduction_of_signed<Add>(op, type);
}

inline LaneFn reduction(DOp op, DType type, uint8_t aux) {
  switch (static_cast<Reduce>(aux)) {
    case Reduce::SUM: return sum(op, type);
    case Reduce::MAX: return reduction_of_any<Max>(op, type);
    case Reduce::MIN: return reduction_of_any<Min>(op, type);
    case Reduce::PROD: return product(op, type);
    case Reduce::AND: return reduction_of_signed<And>(op, type);
    case Reduce::OR: return reduction_of_signed<Or>(op, type);
    case Reduce::XOR: return reduction_of_signed<Xor>(op, type);
  }
  return nullptr;
}

// --- comparisons and conversions ---

template <unsigned P = 0>
LaneFn comparison(DType type, uint8_t aux) {
  if constexpr (P > static_cast<unsigned>(Predicate::TRUE)) {
    return nullptr;
  } else {
    constexpr Predicate predicate = static_cast<Predicate>(P);
    using Op = Compare<predicate>;
    if (aux != P) return comparison<P + 1>(type, aux);
    if (type == DType::F32) return each<Op, float, int32_t>;
    if (type == DType::F64) return each<Op, double, int32_t>;
    if (needs_float(predicate)) return nullptr;
    if (type == DType::I32) return each<Op, int32_t>;
    return type == DType::I64 ? each<Op, int64_t, int32_t> : nullptr;
  }
}

template <DType From, DType To>
LaneFn conversion() {
  using In = Lane<From>;
  // A float type to itself keeps the bits.
  if constexpr (From == To && is_real<In>) return each_bits<Mov, Bits<In>>;
  // f16 and bf16 in their lanes are f32.
  else if constexpr (is_small_float(From)) return convert<Convert<DType::F32, To>>;
  else return convert<Convert<From, To>>;
}

template <DType To, unsigned From = 1>
LaneFn conversion_to(uint8_t from) {
  if constexpr (From > static_cast<unsigned>(DType::F64)) return nullptr;
  else return from == From ? conversion<static_cast<DType>(From), To>() : conversion_to<To, From + 1>(from);
}

template <unsigned To = 1>
LaneFn conversion(DType to, uint8_t from) {
  if constexpr (To > static_cast<unsigned>(DType::F64)) return nullptr;
  else
    return static_cast<unsigned>(to) == To ? conversion_to<static_cast<DType>(To)>(from) : conversion<To + 1>(to, from);
}

// --- all ---

inline LaneFn trits(DOp op, DType type) {
  const bool ternary = op == DOp::TERNARY;
  if (type == DType::F32) return ternary ? each<Ternarize, float, int32_t> : accumulate_trits<float>;
  if (type == DType::I32) return ternary ? each<Ternarize, int32_t> : accumulate_trits<int32_t>;
  return nullptr;
}

inline LaneFn lane(DOp op, DType type, uint8_t aux) {
  switch (op) {
    case DOp::NOP: return nullptr;
    case DOp::MOV: return each_bits<Mov, uint32_t>;
    case DOp::MOV64: return each_bits<Mov, uint64_t>;
    case DOp::SEL: return select<uint32_t>;
    case DOp::SEL64: return select<uint64_t>;
    case DOp::LAST: return last<uint32_t>;
    case DOp::LAST64: return last<uint64_t>;
    case DOp::ADD: return of_number<Add>(type);
    case DOp::SUB: return of_number<Sub>(type);
    case DOp::MUL: return of_number<Mul>(type);
    case DOp::FMA: return of_number<Fma>(type);
    case DOp::DIV: return division<Div>(type);
    case DOp::REM: return division<Rem>(type);
    case DOp::MIN: return least_or_greatest<Min>(type);
    case DOp::MAX: return least_or_greatest<Max>(type);
    case DOp::NEG: return of_sign<Neg>(type);
    case DOp::ABS: return of_sign<Abs>(type);
    case DOp::CMP: return comparison(type, aux);
    case DOp::AND: return of_signed<And>(type);
    case DOp::OR: return of_signed<Or>(type);
    case DOp::XOR: return of_signed<Xor>(type);
    case DOp::SHL: return of_signed<Shl>(type);
    case DOp::SHRA: return of_signed<Shra>(type);
    case DOp::SHRL: return of_signed<Shrl>(type);
    case DOp::FLOOR: return of_real<Floor>(type);
    case DOp::CEIL: return of_real<Ceil>(type);
    case DOp::ROUND: return of_real<Round>(type);
    case DOp::TRUNC: return of_real<Trunc>(type);
    case DOp::ROUNDA: return of_real<RoundAway>(type);
    case DOp::SQRT: return of_real<Sqrt>(type);
    case DOp::CVT: return conversion(type, aux);
    case DOp::RED:
    case DOp::FOLD:
    case DOp::SCAN: return reduction(op, type, aux);
    case DOp::TPOP: return count_nonzero;
    case DOp::TERNARY:
    case DOp::TACC: return trits(op, type);
    case DOp::RSQRT: return special<Rsqrt>(type);
    case DOp::EXP: return type == DType::F32 ? exp_f32 : special<Exp>(type);
    case DOp::LOG: return special<Log>(type);
    case DOp::TANH: return special<Tanh>(type);
    case DOp::ERF: return type == DType::F32 ? erf_f32 : special<Erf>(type);
    case DOp::SIN: return special<Sin>(type);
    case DOp::COS: return special<Cos>(type);
    case DOp::POW: return special<Pow>(type);
    case DOp::SIGMOID: return special<Sigmoid>(type);
    case DOp::GELU: return type == DType::F32 ? gelu_f32 : special<Gelu>(type);
  }
  return nullptr;
}

}  // namespace
