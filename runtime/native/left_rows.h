// How products of integers take the rows of their left operand: in tiles of a few rows, or in blocks for a unit of
// matrices.
#pragma once

#include "cut.h"
#include "kernels.h"
#include "pack.h"

namespace tfmbs {

struct LeftRows {
  uint64_t tile, depth;           // most rows of a tile, words of a row
  uint64_t group = 1, words = 1;  // as `BlockTiles` has them
  TileFn multiply;                // of integers

  // Of `m` rows, whose reductions have `k` elements each.
  LeftRows(const Kernels& kernels, uint64_t m, uint64_t k, Words form)
      : tile(kernels.rows), depth(depth_of(k, form)), multiply(kernels.integers.activations) {
    const BlockTiles& blocks = kernels.blocks;
    // A block of few rows costs as much as one of `group` rows.
    if (!blocks.rows || form != Words::QUADS || m <= kernels.rows) return;
    tile = blocks.rows;
    group = blocks.group;
    words = blocks.words;
    depth = ceil_div(depth, words) * words;
    multiply = blocks.tile;
  }

  bool in_blocks() const { return words > 1; }
  // Of a tile, with those that fill it up.
  uint64_t padded(uint64_t rows) const { return ceil_div(rows, group) * group; }
};

}  // namespace tfmbs
