// How a product is cut into units of work: blocks of rows by chunks of columns.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"

namespace tfmbs {

// Rows whose sums are kept at once, in tiles.
constexpr uint64_t MOST_TILES = 8;
// Units for each thread, so that none waits long for the last one, as long as a unit keeps the least of both.
constexpr uint64_t UNITS_OF_A_THREAD = 4, LEAST_TILES = 4, LEAST_COLUMNS = 128;

// Words of a line of a cache.
constexpr uint64_t LINE_WORDS = 16;

inline uint64_t ceil_div(uint64_t count, uint64_t unit) { return count / unit + (count % unit != 0); }

// Words for the sums of a unit: rows of VLMAX.
inline uint64_t sum_words(uint64_t m, uint64_t tile) { return std::min(MOST_TILES * tile, m) * abi::VLMAX; }

// Rows of weights of a unit where all of these meet `turns` parts of the activations: `most`, or halves of that so that
// each thread has some units, but no fewer than LEAST_WEIGHTS.
constexpr uint64_t LEAST_WEIGHTS = 64;
inline uint64_t weights_of_unit(uint64_t n, uint64_t turns, uint64_t threads, uint64_t most) {
  uint64_t rows = most;
  while (threads > 1 && rows > LEAST_WEIGHTS && ceil_div(n, rows) * turns < UNITS_OF_A_THREAD * threads) rows /= 2;
  return rows;
}

struct Cut {
  uint64_t tiles, panels;   // of a product
  uint64_t blocks, chunks;  // blocks of rows, chunks of columns
  uint64_t block, chunk;    // tiles of a block, panels of a chunk; the last ones may have fewer

  struct Sizes {
    uint64_t batch, m, n;
  };
  // Of a block and of a chunk.
  struct Most {
    uint64_t tiles = MOST_TILES, columns = abi::VLMAX;
  };

  // Tiles of `tile` rows, panels of `panel` columns, the latter of which divides `most.columns`.
  Cut(const Sizes& sizes, uint64_t tile, uint64_t panel, uint64_t threads, const Most& most)
      : tiles(ceil_div(sizes.m, tile)), panels(ceil_div(sizes.n, panel)) {
    divide(most.tiles, most.columns / panel);
    const uint64_t wanted = threads > 1 ? UNITS_OF_A_THREAD * threads : 1;
    const auto is_wanted = [&] { return sizes.batch * blocks * chunks < wanted; };
    while (is_wanted() && chunk * panel > LEAST_COLUMNS) divide(block, ceil_div(chunk, 2));
    while (is_wanted() && block > LEAST_TILES) divide(ceil_div(block, 2), chunk);
  }
  Cut(const Sizes& sizes, uint64_t tile, uint64_t panel, uint64_t threads) : Cut(sizes, tile, panel, threads, Most{}) {}

 private:
  // In parts of at most so many tiles and panels, as even as can be.
  void divide(uint64_t most_tiles, uint64_t most_panels) {
    block = ceil_div(tiles, ceil_div(tiles, most_tiles));
    chunk = ceil_div(panels, ceil_div(panels, most_panels));
    blocks = ceil_div(tiles, block);
    chunks = ceil_div(panels, chunk);
  }
};

}  // namespace tfmbs
