#include "residues.h"

#include <array>

namespace tfmbs {
namespace {

constexpr unsigned DIGITS = 5, CODES = 243;
static_assert(RESIDUE_BYTES * DIGITS == RESIDUE_TRITS, "five trits are a byte");

struct ByteCounts {
  int8_t sum;
  uint8_t nonzero;
};

std::array<ByteCounts, 256> counts_of_bytes() {
  std::array<ByteCounts, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned residue = byte;
    for (unsigned i = 0; i < DIGITS; ++i, residue = 3 * residue % 256) {
      const int trit = static_cast<int>(3 * residue / 256) - 1;
      table[byte].sum = static_cast<int8_t>(table[byte].sum + trit);
      table[byte].nonzero = static_cast<uint8_t>(table[byte].nonzero + (trit != 0));
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
  static const std::array<ByteCounts, 256> table = counts_of_bytes();
  TritCounts counts;
  for (uint64_t i = 0; i < count; ++i) {
    const ByteCounts& one = table[bytes[i]];
    counts.sum += one.sum;
    counts.nonzero += one.nonzero;
  }
  return counts;
}

}  // namespace tfmbs
