// What products of rows of activations with strips of trits take, and how they are called.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tfmbs {

// Rows of activations by STRIP_COLUMNS columns of trits, in steps of STRIP_STEP elements of the reduction. Rows of a
// block (`StripFns::block`) follow each other in each step; the last block is filled up.
constexpr size_t STRIP_COLUMNS = 32, STRIP_STEP = 64;
struct Strip {
  size_t rows, steps;
  const uint8_t* a;
  size_t apart;  // bytes from one block of rows to the next
  const uint8_t* b;
  int32_t* out;
  size_t stride;
  bool fresh;    // sums do not start from what is there; those of rows that fill up a block may be stored, too
  const int32_t* sums;  // of the rows' activations
  // What is read next: at each step of block i, `lines` more lines behind fetch + i * fetch_apart.
  const uint8_t* fetch;
  size_t fetch_apart, lines;
};
using StripFn = void (*)(const Strip& strip);

// Residues X_0 … X_5 of a block of 32 rows are planes: tiles of as many rows as a vector has lanes.
constexpr int RESIDUE_PLANES = 6;
constexpr size_t PLANE_BYTES = STRIP_COLUMNS * STRIP_STEP;
// A few rows of activations, MOST_FEW at most, by the 64 columns of rows abreast: sums[r * 64 + c] become those of
// products of digits and a.
constexpr unsigned MOST_FEW = 16;
struct FewRows {
  unsigned rows;
  size_t blocks;
  const uint8_t* a;      // i8: in each step of STRIP_STEP all rows
  const uint8_t* lines;
  uintptr_t ahead;       // where what is read after these lines begins, as many
  void (*make)(const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out);  // StripFns::make_residues
  uint8_t* buffer;       // of a block's planes
  int32_t* sums;
};
struct StripFns {
  unsigned rows;   // of trits whose sums with many activations are kept at once
  unsigned block;  // rows of activations
  StripFn trits;   // products of trits and i8; b is what `make_trits` makes of them
  unsigned most_few;  // rows of activations for which `few` pays
  void (*few)(const FewRows& few);
  // Tiles for `trits`, of blocks of the first or second half of 64 rows abreast: for each step, of 16 words of four by
  // as many columns as a vector has lanes, side by side. A unit for matrices takes signed trits, others digits. The
  // lines `ahead` bytes further on are fetched.
  void (*make_trits)(size_t blocks, const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out);
  // Planes of one block for `few` of a unit for matrices; fetches as `make_trits`.
  void (*make_residues)(const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out);
};

}  // namespace tfmbs
