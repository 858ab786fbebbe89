#include "residues.h"

#include <algorithm>
#include <array>

namespace tfmbs {
namespace {

constexpr unsigned DIGITS = 5, CODES = 243;
static_assert(RESIDUE_BYTES * DIGITS == RESIDUE_TRITS, "five trits are a byte");

// Of each byte: how many of its trits are not 0 in the higher half, the sum of its digits, which are trits plus 1, in
// the lower one; so that one addition counts both.
std::array<uint64_t, 256> counts_of_bytes() {
  std::array<uint64_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned residue = byte;
    for (unsigned i = 0; i < DIGITS; ++i, residue = 3 * residue % 256) {
      const uint64_t digit = 3 * residue / 256;
      table[byte] += digit + (uint64_t{digit != 1} << 32);
    }
  }
  return table;
}

}  // namespace

void pack_residues(const int8_t* trits, uint64_t length, uint8_t* out) {
  for (uint64_t first = 0; first < length; first += RESIDUE_TRITS)
    for (uint64_t j = 0; j < RESIDUE_BYTES; ++j) {
      unsigned number = 0;
      for (unsigned digit = 0; digit < DIGITS; ++digit) {
        const uint64_t at = first + digit * RESIDUE_BYTES + j;
        number = 3 * number + static_cast<unsigned>((at < length ? trits[at] : 0) + 1);
      }
      *out++ = static_cast<uint8_t>((256 * number + CODES - 1) / CODES);
    }
}

TritCounts count_residues(const uint8_t* bytes, uint64_t count) {
  static const std::array<uint64_t, 256> table = counts_of_bytes();
  constexpr uint64_t TOGETHER = uint64_t{1} << 28;  // whose sum of digits fits 32 bits
  static_assert(TOGETHER * DIGITS * 2 < uint64_t{1} << 32, "both halves are counted apart");
  TritCounts counts;
  for (uint64_t first = 0; first < count; first += TOGETHER) {
    const uint64_t end = std::min(count, first + TOGETHER);
    uint64_t totals[4] = {};  // so that no addition waits for the one before it
    for (uint64_t i = first; i < end; ++i) totals[i % 4] += table[bytes[i]];
    const uint64_t total = totals[0] + totals[1] + totals[2] + totals[3];
    const uint32_t sum = static_cast<uint32_t>(total) - static_cast<uint32_t>(DIGITS * (end - first));
    counts.sum = static_cast<int32_t>(static_cast<uint32_t>(counts.sum) + sum);  // wraps
    counts.nonzero += total >> 32;
  }
  return counts;
}

}  // namespace tfmbs
