// GEMM and GEMV of integers: rows of lhs against panels of rhs.
#include <algorithm>
#include <cstring>

#include "checks.h"
#include "cut.h"
#include "float_product.h"
#include "left_rows.h"
#include "trit_product.h"

namespace tfmbs {

namespace {

// Steps of the reduction that a panel stays in the second cache for while several tiles of rows pass.
constexpr uint64_t MOST_STEPS = 1024;

class Product {
 public:
  Product(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.gemm),
        words_(bound.launch.words),
        rows_(engine.kernels, g_.m, g_.k, words_),
        cut_({g_.batch, g_.m, g_.n}, rows_.tile, engine.kernels.panel, engine.buffers.size()),
        depth_(depth_of(g_.k, words_)),
        tile_(rows_.tile),
        columns_(cut_.panels * engine.kernels.panel),
        stores_sums_(!bound.launch.program && bound.out_type == abi::DType::I32) {}

  // Tiles of rows of the batch.
  uint64_t tiles() const { return g_.batch * cut_.tiles; }

  void pack(uint64_t tile) const {
    const uint64_t batch = tile / cut_.tiles, row = tile % cut_.tiles * tile_;
    const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(tile_, g_.m - row));
    Vectors lhs;
    lhs.stride = g_.lhs_m_stride;
    lhs.k_stride = g_.lhs_k_stride;
    lhs.i8 = reinterpret_cast<const int8_t*>(bound_.lhs);
    lhs = lhs.at(batch * g_.lhs_batch_stride + row * g_.lhs_m_stride);
    uint32_t* to = engine_.lhs.data() + tile * tile_ * rows_.depth;
    if (rows_.in_blocks()) pack_blocks(lhs, rows, rows_.padded(rows), g_.k, rows_.words, to);
    else pack_activations(lhs, rows, rows, g_.k, g_.lhs_zero, words_, to);
  }

  // A block of rows by a chunk of columns. Blocks of the same columns follow each other: their weights stay in a cache.
  uint64_t units() const { return g_.batch * cut_.chunks * cut_.blocks; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t width = cut_.chunk * engine_.kernels.panel, height = cut_.block * tile_;
    const uint64_t batch = unit / cut_.blocks / cut_.chunks, column = unit / cut_.blocks % cut_.chunks * width;
    const uint64_t row = unit % cut_.blocks * height;
    const uint64_t rows = std::min(height, g_.m - row);
    const uint32_t lanes = static_cast<uint32_t>(std::min(width, g_.n - column));
    const uint32_t padded = static_cast<uint32_t>(std::min(width, columns_ - column));
    const uint64_t element = (batch * g_.m + row) * g_.n + column;
    if (stores_sums_ && padded == lanes)
      return multiply({batch, row, rows, column, padded}, reinterpret_cast<uint32_t*>(bound_.out) + element, g_.n);
    worker.accumulators.resize(std::min<uint64_t>(height, g_.m) * abi::VLMAX);
    multiply({batch, row, rows, column, padded}, worker.accumulators.data(), abi::VLMAX);
    for (uint64_t r = 0; r < rows; ++r)
      finish_chunk(engine_, bound_, worker, worker.accumulators.data() + r * abi::VLMAX,
                   {element + r * g_.n, static_cast<uint32_t>(column), 1, lanes});
  }

 private:
  // Rows of a tile, columns of a panel, and steps of the reduction.
  struct Tile {
    uint64_t batch, row, rows, column, step, steps;
  };

  // Rows by whole panels of columns.
  struct Block {
    uint64_t batch, row, rows, column;
    uint32_t columns;
  };

  // Sums of a block, whose rows are `stride` apart.
  void multiply(const Block& block, uint32_t* sums, uint64_t stride) const {
    start(block, sums, stride);
    const uint64_t steps = block.rows > tile_ ? std::min(MOST_STEPS, depth_) : depth_;
    for (uint64_t k = 0; k < depth_; k += steps)
      for (uint64_t lane = 0; lane < block.columns; lane += engine_.kernels.panel)
        for (uint64_t r = 0; r < block.rows; r += tile_)
          add({block.batch, block.row + r, std::min<uint64_t>(tile_, block.rows - r), block.column + lane, k,
               std::min(steps, depth_ - k)},
              sums + r * stride + lane, stride);
  }

  // Products of the weights that come before those of number `batch`.
  uint64_t product(uint64_t batch) const { return g_.rhs_batch_stride ? batch : 0; }

  void start(const Block& block, uint32_t* sums, uint64_t stride) const {
    if (words_ != Words::QUADS) {
      for (uint64_t r = 0; r < block.rows; ++r) std::fill_n(sums + r * stride, block.columns, 0u);
      return;
    }
    const uint32_t* weights = weights_.sums.data() + product(block.batch) * columns_ + block.column;
    for (uint32_t i = 0; i < block.columns; ++i) sums[i] = start_of(words_, g_.lhs_zero, weights[i]);
    for (uint64_t r = 1; r < block.rows; ++r) std::memcpy(sums + r * stride, sums, block.columns * sizeof(uint32_t));
  }

  void add(const Tile& tile, uint32_t* sums, uint64_t stride) const {
    const Kernels& kernels = engine_.kernels;
    const unsigned rows = static_cast<unsigned>(tile.rows);
    const uint32_t* a = engine_.lhs.data() + (tile.batch * cut_.tiles * tile_ + tile.row) * rows_.depth +
                        tile.step * rows_.padded(rows);
    const uint32_t* b = weights_.words.data() + (product(tile.batch) * columns_ + tile.column) * depth_ +
                        tile.step * kernels.panel;
    rows_.multiply(rows, tile.steps, a, b, reinterpret_cast<int32_t*>(sums), stride);
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::GemmGeometry& g_;
  const Words words_;
  const LeftRows rows_;
  const Cut cut_;
  const uint64_t depth_, tile_, columns_;
  const bool stores_sums_;  // as they are, without an epilogue
};

}  // namespace

uint64_t gemm_buffer_bytes(const Engine& engine, const Launch& launch) {
  if (launch.words == Words::RESIDUES) return trits_buffer_bytes(engine, launch);
  if (launch.words == Words::F32) return floats_buffer_bytes(engine, launch);
  const LeftRows rows(engine.kernels, launch.gemm.m, launch.gemm.k, launch.words);
  return sum_words(launch.gemm.m, rows.tile) * sizeof(uint32_t);
}

uint64_t gemm_lhs_bytes(const Engine& engine, const Launch& launch) {
  if (launch.words == Words::RESIDUES) return trits_lhs_bytes(engine, launch);
  if (launch.words == Words::F32) return floats_lhs_bytes(launch);
  const LeftRows rows(engine.kernels, launch.gemm.m, launch.gemm.k, launch.words);
  const uint64_t tiles = ceil_div(launch.gemm.m, rows.tile);
  return product({launch.gemm.batch, tiles * rows.tile, rows.depth, sizeof(uint32_t)}, launch.name);
}

void run_gemm(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  if (bound.launch.words == Words::RESIDUES) return run_trits(engine, bound, weights);
  if (bound.launch.words == Words::F32) return run_floats(engine, bound, weights);
  const Product product(engine, bound, weights);
  grow(engine.lhs, gemm_lhs_bytes(engine, bound.launch) / sizeof(uint32_t));
  if (!bound.keeps_rows)
    engine.workers.spread(product.tiles(), [&](uint64_t tile, unsigned) { product.pack(tile); });
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) { product.unit(unit, worker); });
}

}  // namespace tfmbs
