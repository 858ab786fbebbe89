// Trits as products take them, the packing A5: five to a byte, 64 rows abreast.
//
// A byte is the residue X_0 of the number v whose five ternary digits are trits plus 1, the most significant first:
// floor(256 v / 243) + 1 up to v = 121, and 256 less that of 242 - v above, so that the byte of opposite trits is the
// opposite one. With X_{k+1} = 3 X_k mod 256, digit k is d_k = (3 X_k - X_{k+1}) / 256 = floor(3 X_k / 256), so
//   sum d_k a_k = (3 sum X_k a_k - sum X_{k+1} a_k) / 256
// which needs no digit where bytes are multiplied as they are. Byte j of a block of 64 holds trits 64 k + j of the
// block's 320; the bytes j of all rows of a group are a line of 64.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace tfmbs {

constexpr size_t ABREAST_ROWS = 64, ABREAST_BYTES = ABREAST_ROWS * RESIDUE_BYTES;  // of a group, of a block of it

// Where in a line a row of a group lies: row 16 a + 4 b + c at 16 b + 4 a + c, so that interleaving the bytes of four
// lines, as vectors do in 128 bits each, leaves the rows in order. It is the row at a place, too.
constexpr uint64_t abreast_place(uint64_t row) { return row / 4 % 4 * 16 + row / 16 % 4 * 4 + row % 4; }

constexpr uint64_t residue_blocks(uint64_t trits) { return trits / RESIDUE_TRITS + (trits % RESIDUE_TRITS != 0); }
constexpr uint64_t residue_row_bytes(uint64_t trits) { return residue_blocks(trits) * RESIDUE_BYTES; }
constexpr uint64_t rows_abreast(uint64_t rows) {  // of whole groups
  return (rows / ABREAST_ROWS + (rows % ABREAST_ROWS != 0)) * ABREAST_ROWS;
}

// The bytes of `rows` rows of `length` trits; what fills up blocks and groups are trits 0.
void pack_abreast(const int8_t* trits, uint64_t rows, uint64_t length, uint8_t* out);

// Of a group of rows of `blocks` blocks: sums of the trits of each row; returns how many of all are not 0. Bytes that
// are no codes count as anything.
uint64_t count_abreast(const uint8_t* lines, uint64_t blocks, uint32_t (&sums)[ABREAST_ROWS]);

}  // namespace tfmbs
