// What products of trits on a unit for matrices take, and how they are called.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tfmbs {

// Rows of activations by STRIP_COLUMNS columns of trits, in steps of STRIP_STEP elements of the reduction, on a unit for
// matrices. The rows of a block of 32 follow each other in each step; the last block is filled up.
constexpr size_t STRIP_COLUMNS = 32, STRIP_STEP = 64;
struct Strip {
  size_t rows, steps;
  const uint8_t* a;
  size_t apart;  // bytes from one block of 32 rows to the next
  const uint8_t* b;
  int32_t* out;
  size_t stride;
  bool fresh;    // sums start from 0, not from what is there; of the rows that fill up a block 15 are stored, too
  // What is read next: at each step of block i, `lines` more lines behind fetch + i * fetch_apart.
  const uint8_t* fetch;
  size_t fetch_apart, lines;
};
using StripFn = void (*)(const Strip& strip);

// Residues X_0 … X_5 of a block of up to 32 rows are planes: two tiles of 16 rows each, of as many words.
constexpr int RESIDUE_PLANES = 6;
constexpr size_t PLANE_BYTES = STRIP_COLUMNS * STRIP_STEP;
// Up to 16 rows of activations by residues. own[r * 32 + c] and next[r * 32 + c] become sums of X_k a_k and of X_{k+1} a_k.
struct ResidueStrip {
  unsigned rows, columns;
  size_t blocks;
  const uint8_t* a;  // i8: in each step of STRIP_STEP all rows
  const uint8_t* residues;
  size_t apart;
  void (*make)(unsigned rows, const uint8_t* residues, size_t apart, uint8_t* out);  // StripFns::make_residues
  uint8_t* buffer;   // of a block's planes
  int32_t *own, *next;
};
struct StripFns {
  StripFn trits = nullptr;   // b: of signed trits, two tiles of 16 words x 16 columns for each step; a is i8
  void (*few)(const ResidueStrip& strip) = nullptr;
  // Tiles for `trits`, of blocks of up to 32 rows of residues that are `apart` bytes apart.
  void (*make_trits)(unsigned rows, size_t blocks, const uint8_t* residues, size_t apart, uint8_t* out) = nullptr;
  // Planes of one block for `few`.
  void (*make_residues)(unsigned rows, const uint8_t* residues, size_t apart, uint8_t* out) = nullptr;
};

}  // namespace tfmbs
