// f16 and bf16: rounding of wider floats, and their 16 bits to and from the f32 lanes that hold them.
#pragma once

#include "lane_bits.h"

namespace {

constexpr uint32_t INFINITE = 0x7f800000u;    // f32 bits
constexpr uint32_t F16_NORMAL = 0x38800000u;  // 2^-14, the least normal f16
constexpr uint32_t F16_SHIFT = 13;            // mantissa bits of f32 that f16 lacks
constexpr uint32_t F16_REBIAS = 112u << 23;   // exponent bias of f32 less that of f16
constexpr uint32_t BF16_SHIFT = 16;

// Prepares bits `m` for cutting off `shift` of them, to nearest even; a carry may reach the exponent.
inline uint32_t rounded_up(uint32_t m, uint32_t shift) { return m + (1u << (shift - 1)) - 1 + (m >> shift & 1u); }

// The f16 code of a magnitude (f32 bits without sign, no NaN), to nearest even.
inline uint32_t f16_code(uint32_t m) {
  // Between 0.5 and 1, f32 counts in 2^-24, as f16 does below its normal numbers.
  const uint32_t tiny = bits_of(from_bits<float>(m) + 0.5f) - bits_of(0.5f);
  const uint32_t normal = (rounded_up(m, F16_SHIFT) >> F16_SHIFT) - (F16_REBIAS >> F16_SHIFT);
  const uint32_t code = m < F16_NORMAL ? tiny : normal;
  return code < 0x7c00u ? code : 0x7c00u;
}

// The magnitude bits of an f16 code without sign; a NaN keeps its payload.
inline uint32_t f16_magnitude(uint32_t code) {
  const uint32_t tiny = bits_of(static_cast<float>(static_cast<int32_t>(code)) * 0x1p-24f);
  const uint32_t moved = code << F16_SHIFT;
  const uint32_t normal = moved + F16_REBIAS;
  return code < 0x400u ? tiny : code < 0x7c00u ? normal : moved | INFINITE;
}

// --- lanes ---

// Mantissa bits, the least normal number and the greatest number of a format.
struct F16Numbers {
  static constexpr unsigned mantissa = 10;
  static constexpr double least = 0x1p-14, most = 65504;
};
struct BF16Numbers {
  static constexpr unsigned mantissa = 7;
  static constexpr double least = 0x1p-126, most = 0x1.fep127;
};

// Rounds once to a format, and keeps the type; a NaN stays one.
template <class Numbers, class T>
T rounded_to(T x) {
  constexpr unsigned mantissa = sizeof(T) == 8 ? 52 : 23, shift = mantissa - Numbers::mantissa;
  constexpr Bits<T> unit = Bits<T>{1} << shift;
  const Bits<T> sign = bits_of(x) & SIGN_BIT<T>, magnitude = bits_of(x) & ~SIGN_BIT<T>;
  // To nearest even at a bit; a carry may reach the exponent.
  const Bits<T> rounded = (magnitude + (unit / 2 - 1) + (magnitude >> shift & 1u)) & ~(unit - 1);
  // Below the normal numbers steps are all alike: those of T above this constant.
  constexpr T base = static_cast<T>(Numbers::least * static_cast<double>(unit));
  const T m = from_bits<T>(magnitude), tiny = (m + base) - base;
  const T near = m < static_cast<T>(Numbers::least) ? tiny : from_bits<T>(rounded);
  const T result = near > static_cast<T>(Numbers::most) ? static_cast<T>(INFINITY) : near;
  return x == x ? from_bits<T>(bits_of(result) | sign) : x;
}

// --- memory ---

struct F16 {
  static uint32_t widen(uint16_t x) { return (x & 0x8000u) << 16 | f16_magnitude(x & 0x7fffu); }
  static uint16_t narrow(uint32_t lane) {
    const uint32_t m = lane & ~SIGN_BIT<float>, payload = m >> F16_SHIFT & 0x3ffu;
    const uint32_t nan = 0x7c00u | (payload ? payload : 0x200u);
    return static_cast<uint16_t>((lane >> 16 & 0x8000u) | (m > INFINITE ? nan : f16_code(m)));
  }
};

struct BF16 {
  static uint32_t widen(uint16_t x) { return static_cast<uint32_t>(x) << BF16_SHIFT; }
  static uint16_t narrow(uint32_t lane) {
    const uint32_t m = lane & ~SIGN_BIT<float>, top = lane >> BF16_SHIFT;
    const uint32_t nan = top | (top & 0x7fu ? 0u : 0x40u);
    return static_cast<uint16_t>(m > INFINITE ? nan : rounded_up(lane, BF16_SHIFT) >> BF16_SHIFT);
  }
};

}  // namespace
