// The instructions of AVX-512 that operations of vector programs become.
#pragma once

#include "abi.gen.h"
#include "jit_x86.h"

namespace tfmbs {

constexpr uint8_t MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3;
constexpr uint8_t NO_PREFIX = 0, P66 = 1, PF3 = 2, PF2 = 3;

constexpr Opcode LOAD_WORDS{MAP_0F, NO_PREFIX, 0x10}, STORE_WORDS{MAP_0F, NO_PREFIX, 0x11};
constexpr Opcode BROADCAST{MAP_0F38, P66, 0x58};
constexpr Opcode WIDEN_I8{MAP_0F38, P66, 0x21}, WIDEN_I16{MAP_0F38, P66, 0x23};
constexpr Opcode WIDEN_U8{MAP_0F38, P66, 0x31}, WIDEN_U16{MAP_0F38, P66, 0x33};
constexpr Opcode NARROW_8{MAP_0F38, PF3, 0x31}, NARROW_16{MAP_0F38, PF3, 0x33};
constexpr Opcode COMPARE_F32{MAP_0F, NO_PREFIX, 0xc2};
constexpr Opcode COMPARE_I32{MAP_0F3A, P66, 0x1f}, COMPARE_U32{MAP_0F3A, P66, 0x1e};
constexpr Opcode TEST{MAP_0F38, P66, 0x27}, BLEND{MAP_0F38, P66, 0x64};
constexpr Opcode RANGE{MAP_0F3A, P66, 0x50};
constexpr Opcode FMA_213{MAP_0F38, P66, 0xa8};   // reg * second + source
constexpr Opcode FMA_231{MAP_0F38, P66, 0xb8};   // second * source + reg
constexpr Opcode FMS_213{MAP_0F38, P66, 0xaa};   // reg * second - source
constexpr Opcode FNMA_231{MAP_0F38, P66, 0xbc};  // reg - second * source
constexpr Opcode ADD_F32{MAP_0F, NO_PREFIX, 0x58}, SUB_F32{MAP_0F, NO_PREFIX, 0x5c}, MUL_F32{MAP_0F, NO_PREFIX, 0x59};
constexpr Opcode ADD_I32{MAP_0F, P66, 0xfe}, AND_BITS{MAP_0F, P66, 0xdb};
constexpr Opcode SCALE{MAP_0F38, P66, 0x2c};        // by a power of two
constexpr Opcode PERMUTE{MAP_0F38, P66, 0x16};      // element `second` of a table
constexpr Opcode PERMUTE_TWO{MAP_0F38, P66, 0x7f};  // or of one of 32 elements that begins in reg
constexpr Opcode BIT_BY_BIT{MAP_0F3A, P66, 0x25};
constexpr Opcode PLAIN_MIN{MAP_0F, NO_PREFIX, 0x5d}, PLAIN_MAX{MAP_0F, NO_PREFIX, 0x5f};
constexpr Opcode REAL_OF_I32{MAP_0F, NO_PREFIX, 0x5b}, REAL_OF_U32{MAP_0F, PF2, 0x7a};
constexpr Opcode WHOLE_OF_REAL{MAP_0F, PF3, 0x5b};
constexpr Opcode SHIFT_BY{MAP_0F, P66, 0x72};  // its register field says how
constexpr unsigned SHIFT_LEFT = 6, SHIFT_RIGHT = 4;

// Immediates: of comparisons of f32, and of ranges (with the sign of what is chosen).
constexpr int UNORDERED = 3, ORDERED = 7, UNEQUAL = 4, NOT_BELOW_ORDERED = 0x1d, LEAST = 4, GREATEST = 5;

inline Opcode opcode_of(abi::DOp op, abi::DType type) {
  using abi::DOp;
  using abi::DType;
  const bool real = type == DType::F32, is_unsigned = type == DType::U32;
  switch (op) {
    case DOp::ADD: return real ? Opcode{MAP_0F, NO_PREFIX, 0x58} : Opcode{MAP_0F, P66, 0xfe};
    case DOp::SUB: return real ? Opcode{MAP_0F, NO_PREFIX, 0x5c} : Opcode{MAP_0F, P66, 0xfa};
    case DOp::MUL: return real ? Opcode{MAP_0F, NO_PREFIX, 0x59} : Opcode{MAP_0F38, P66, 0x40};
    case DOp::DIV: return {MAP_0F, NO_PREFIX, 0x5e};
    case DOp::SQRT: return {MAP_0F, NO_PREFIX, 0x51};
    case DOp::MIN: return {MAP_0F38, P66, static_cast<uint8_t>(is_unsigned ? 0x3b : 0x39)};
    case DOp::MAX: return {MAP_0F38, P66, static_cast<uint8_t>(is_unsigned ? 0x3f : 0x3d)};
    case DOp::ABS: return {MAP_0F38, P66, 0x1e};
    case DOp::AND: return {MAP_0F, P66, 0xdb};
    case DOp::OR: return {MAP_0F, P66, 0xeb};
    case DOp::XOR: return {MAP_0F, P66, 0xef};
    case DOp::SHL: return {MAP_0F38, P66, 0x47};
    case DOp::SHRL: return {MAP_0F38, P66, 0x45};
    case DOp::SHRA: return {MAP_0F38, P66, 0x46};
    default: return {MAP_0F3A, P66, 0x08};  // rounded to an integer
  }
}

inline bool is_unary(abi::DOp op) {
  using abi::DOp;
  switch (op) {
    case DOp::NEG:
    case DOp::ABS:
    case DOp::SQRT:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC: return true;
    default: return false;
  }
}

// The immediate of an operation that rounds to integers, -1 for others.
inline int rounding_of(abi::DOp op) {
  using abi::DOp;
  switch (op) {
    case DOp::ROUND: return 8;
    case DOp::FLOOR: return 9;
    case DOp::CEIL: return 10;
    case DOp::TRUNC: return 11;
    default: return -1;
  }
}

// The operation that adds a lane to a sum.
inline abi::DOp operation_of(abi::Reduce kind) {
  using abi::DOp;
  using abi::Reduce;
  switch (kind) {
    case Reduce::SUM: return DOp::ADD;
    case Reduce::MAX: return DOp::MAX;
    case Reduce::MIN: return DOp::MIN;
    case Reduce::PROD: return DOp::MUL;
    case Reduce::AND: return DOp::AND;
    case Reduce::OR: return DOp::OR;
    case Reduce::XOR: return DOp::XOR;
  }
  return DOp::NOP;
}

struct Comparison {
  Opcode opcode;
  int immediate;
};
inline Comparison comparison_of(abi::Predicate predicate, abi::DType type) {
  using abi::Predicate;
  // By predicate, of floats; signed and unsigned integers have one without NaNs.
  constexpr uint8_t REAL[] = {0x0b, 0x00, 0x1e, 0x1d, 0x11, 0x12, 0x0c, 0x07,
                              0x08, 0x16, 0x15, 0x19, 0x1a, 0x04, 0x03, 0x0f};
  constexpr uint8_t WHOLE[] = {3, 0, 6, 5, 1, 2, 4, 7, 0, 6, 5, 1, 2, 4, 3, 7};
  const auto number = static_cast<unsigned>(predicate);
  if (type == abi::DType::F32) return {COMPARE_F32, REAL[number]};
  const bool is_unsigned = predicate >= Predicate::UGT && predicate <= Predicate::ULE;
  return {is_unsigned ? COMPARE_U32 : COMPARE_I32, WHOLE[number]};
}

// The bits of the least and the greatest f32 that narrow integers hold.
struct Limits {
  uint32_t low, high;
};
inline Limits limits_of(abi::DType type) {
  switch (type) {
    case abi::DType::I8: return {0xc3000000u, 0x42fe0000u};   // -128, 127
    case abi::DType::U8: return {0x00000000u, 0x437f0000u};   // 0, 255
    case abi::DType::I16: return {0xc7000000u, 0x46fffe00u};  // -32768, 32767
    default: return {0x00000000u, 0x477fff00u};               // 0, 65535
  }
}

}  // namespace tfmbs
