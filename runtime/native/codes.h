// Which bytes of packed elements are no codes, see runtime/abi/types.py. Loops over bytes, which become vectors.
#pragma once

#include <algorithm>

#include "kernels.h"

namespace {

// Bytes of which the greatest is looked at: a byte that is no code is looked for in one such block only.
constexpr size_t CODES_TOGETHER = 4096;

// A byte is a code where `of` it is less than LIMIT.
struct BytesOfFive {
  static constexpr uint8_t LIMIT = 243;
  static uint8_t of(uint8_t byte) { return byte; }
};
struct Residues {
  static constexpr uint8_t LIMIT = 243;
  // 243 X in 8 bits: X is the residue of v = floor(243 X / 256) where 243 X exceeds 256 v by less than 243.
  static uint8_t of(uint8_t byte) { return static_cast<uint8_t>((byte << 1) + byte - (byte << 4)); }
};
// Residues whose negative is the code of negated trits.
struct Abreast {
  static constexpr uint8_t LIMIT = 243;
  // X - 1 = floor(256 v / 243) for a v up to 121, where 256 v is less than 243 above 243 (X - 1): 13 (X - 1) in 8 bits.
  static uint8_t of(uint8_t byte) {
    const uint8_t before = static_cast<uint8_t>(std::min<uint8_t>(byte, static_cast<uint8_t>(-byte)) - 1);
    return static_cast<uint8_t>((before << 4) - (before << 1) - before);
  }
};
struct PairsOfBits {
  static constexpr uint8_t LIMIT = 1;
  static uint8_t of(uint8_t byte) { return static_cast<uint8_t>(byte & byte >> 1 & 0x55); }  // both bits of a pair
};
struct TritBytes {
  static constexpr uint8_t LIMIT = 3;
  static uint8_t of(uint8_t byte) { return static_cast<uint8_t>(byte + 1); }
};

template <class Code>
size_t codes_before(const uint8_t* bytes, size_t count) {
  for (size_t first = 0; first < count; first += CODES_TOGETHER) {
    const size_t end = std::min(first + CODES_TOGETHER, count);
    uint8_t most = 0;
    for (size_t i = first; i < end; ++i) most = std::max(most, Code::of(bytes[i]));
    if (most < Code::LIMIT) continue;
    // None where another program has changed the file meanwhile: what was looked at is gone.
    for (size_t i = first; i < end; ++i)
      if (Code::of(bytes[i]) >= Code::LIMIT) return i;
  }
  return count;
}

constexpr tfmbs::CodeFns CODES = {codes_before<BytesOfFive>, codes_before<Residues>, codes_before<Abreast>,
                                  codes_before<PairsOfBits>, codes_before<TritBytes>};

}  // namespace
