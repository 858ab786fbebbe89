#include "abreast.h"

#include <algorithm>
#include <array>

namespace tfmbs {
namespace {

constexpr unsigned DIGITS = 5, CODES = 243;
static_assert(RESIDUE_BYTES * DIGITS == RESIDUE_TRITS, "five trits are a byte");

constexpr uint8_t code_of(unsigned number) {
  const unsigned opposite = CODES - 1 - number, least = std::min(number, opposite);
  const unsigned code = 256 * least / CODES + 1;
  return static_cast<uint8_t>(number <= opposite ? code : 256 - code);
}

// Of each byte: how many of its trits are not 0 in the higher half, the sum of its digits, which are trits plus 1, in
// the lower one; so that one addition counts both.
std::array<uint32_t, 256> counts_of_bytes() {
  std::array<uint32_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned residue = byte;
    for (unsigned i = 0; i < DIGITS; ++i, residue = 3 * residue % 256) {
      const uint32_t digit = 3 * residue / 256;
      table[byte] += digit + (uint32_t{digit != 1} << 16);
    }
  }
  return table;
}

// The bytes of a row whose lines begin at `out`.
void pack_row(const int8_t* trits, uint64_t length, uint8_t* out) {
  static const std::array<uint8_t, CODES> codes = [] {
    std::array<uint8_t, CODES> table{};
    for (unsigned number = 0; number < CODES; ++number) table[number] = code_of(number);
    return table;
  }();
  for (uint64_t first = 0; first < length; first += RESIDUE_TRITS)
    for (uint64_t j = 0; j < RESIDUE_BYTES; ++j, out += ABREAST_ROWS) {
      unsigned number = 0;
      for (unsigned digit = 0; digit < DIGITS; ++digit) {
        const uint64_t at = first + digit * RESIDUE_BYTES + j;
        number = 3 * number + static_cast<unsigned>((at < length ? trits[at] : 0) + 1);
      }
      *out = codes[number];
    }
}

}  // namespace

void pack_abreast(const int8_t* trits, uint64_t rows, uint64_t length, uint8_t* out) {
  const uint64_t row_bytes = residue_row_bytes(length);
  for (uint64_t row = 0; row < rows_abreast(rows); ++row) {
    uint8_t* to = out + row / ABREAST_ROWS * ABREAST_ROWS * row_bytes + abreast_place(row % ABREAST_ROWS);
    if (row < rows) pack_row(trits + row * length, length, to);
    else for (uint64_t j = 0; j < row_bytes; ++j) to[j * ABREAST_ROWS] = code_of(CODES / 2);
  }
}

uint64_t count_abreast(const uint8_t* lines, uint64_t blocks, uint32_t (&sums)[ABREAST_ROWS]) {
  static const std::array<uint32_t, 256> table = counts_of_bytes();
  constexpr uint64_t TOGETHER = 64;  // blocks whose sum of digits fits 16 bits
  static_assert(TOGETHER * RESIDUE_TRITS * 2 < uint64_t{1} << 16, "both halves are counted apart");
  uint64_t nonzero = 0;
  std::fill_n(sums, ABREAST_ROWS, 0u);
  for (uint64_t first = 0; first < blocks; first += TOGETHER) {
    const uint64_t count = std::min(TOGETHER, blocks - first) * RESIDUE_BYTES;
    uint32_t totals[ABREAST_ROWS] = {};
    for (uint64_t line = 0; line < count; ++line, lines += ABREAST_ROWS)
      for (uint64_t r = 0; r < ABREAST_ROWS; ++r) totals[r] += table[lines[r]];
    for (uint64_t r = 0; r < ABREAST_ROWS; ++r) {
      const uint32_t total = totals[abreast_place(r)];
      sums[r] += (total & 0xffffu) - static_cast<uint32_t>(DIGITS * count);  // wraps
      nonzero += total >> 16;
    }
  }
  return nonzero;
}

}  // namespace tfmbs
