// How an ATTENTION is cut into blocks, and the buffers that a thread needs for one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "abi.gen.h"
#include "checks.h"

namespace tfmbs {

// `count`, filled up to whole units.
constexpr uint64_t whole(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit * unit; }

// How the buffers of one thread are cut.
struct AttentionLayout {
  // Tiles of rows that pass a panel while it is in the first cache, and the bytes that their scores may take of the
  // second one; fewer tiles of values than LEAST_PACKED read them where they lie.
  static constexpr uint64_t MOST_TILES = 8, SCORE_BYTES = 1u << 18, LEAST_PACKED = 4;

  uint64_t columns;  // of a row of scores
  uint64_t tiles;    // of rows in a block
  bool once;         // one tile of rows needs each panel of keys once
  uint64_t packed;   // columns of values, from which one on they are packed
  // Scores of a block of rows; queries and results of a block; a mask row; packed keys; packed values.
  uint64_t scores, queries, results, mask, keys, values, total;

  AttentionLayout(const abi::AttentionGeometry& g, unsigned rows, unsigned panel, const std::string& where) {
    constexpr uint64_t LINE = 16;  // floats
    const uint64_t all = static_cast<uint64_t>(g.shared) * g.rows, blocks = (all + rows - 1) / rows;
    columns = whole(g.columns, panel);
    const uint64_t fitting = SCORE_BYTES / sizeof(float) / (rows * columns);
    tiles = std::min(std::clamp<uint64_t>(fitting, 1, MOST_TILES), blocks);
    scores = product({tiles, rows, columns}, where);
    queries = g.lhs_stride == 1 ? 0 : whole(product({tiles, rows, g.width}, where), LINE);
    results = rows * panel;
    mask = g.mask == abi::MaskMode::NONE && !g.causal ? 0 : whole(g.columns, 64);
    once = blocks <= 1;
    keys = product({once ? panel : columns, g.width}, where);
    packed = g.value_stride == 1 && blocks < LEAST_PACKED ? g.value_width / panel * panel : 0;
    values = product({g.columns, whole(g.value_width - packed, panel)}, where);
    total = scores + queries + results + 2 * mask + keys + values;
  }
};

}  // namespace tfmbs
