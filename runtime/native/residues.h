// Rows of trits as residues, five to a byte: what products of trits read. See trit_tiles.h.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace tfmbs {

inline uint64_t residue_blocks(uint64_t trits) { return trits / RESIDUE_TRITS + (trits % RESIDUE_TRITS != 0); }
inline uint64_t residue_row_bytes(uint64_t trits) { return residue_blocks(trits) * RESIDUE_BYTES; }

// The residues of `length` trits; what fills up the last block are trits 0.
void pack_residues(const int8_t* trits, uint64_t length, uint8_t* out);

// Of `count` bytes: the sum of their trits, and how many are not 0. Bytes that are no residues count as anything.
struct TritCounts {
  int32_t sum = 0;
  uint64_t nonzero = 0;
};
TritCounts count_residues(const uint8_t* bytes, uint64_t count);

}  // namespace tfmbs
