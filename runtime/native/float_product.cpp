// Products of f32, cut so that what is used again is in the cache that it fits: of a panel as many steps as the first
// one holds while all rows of a block pass; those steps of the rows, and their sums by a few panels, in the second one.
#include "float_product.h"

#include <algorithm>

#include "checks.h"
#include "cut.h"

namespace tfmbs {

namespace {

// Steps of the reduction that a panel stays in the first cache for.
constexpr uint64_t MOST_STEPS = 192;
// Tiles of a block and columns of a chunk, where there is more than one tile of rows.
constexpr uint64_t BLOCK_TILES = 64, CHUNK_COLUMNS = 128;
// Accumulators that an epilogue may read behind the last ones.
constexpr uint64_t SLACK = 16;

class FloatProduct {
 public:
  FloatProduct(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.gemm),
        tile_(engine.kernels.rows),
        panel_(engine.kernels.panel),
        streams_(g_.m <= tile_),
        cut_({g_.batch, g_.m, g_.n}, tile_, panel_, engine.buffers.size(),
             streams_ ? Cut::Most{} : Cut::Most{BLOCK_TILES, CHUNK_COLUMNS}),
        steps_(streams_ ? g_.k : std::min<uint64_t>(MOST_STEPS, g_.k)),
        height_(cut_.block * tile_),
        width_(cut_.chunk * panel_),
        columns_(cut_.panels * panel_),
        stores_sums_(!bound.launch.program && bound.out_type == abi::DType::F32) {}

  uint64_t tiles() const { return g_.batch * cut_.tiles; }

  // Of a block of rows, the tiles of some steps follow each other, then come those of the next steps.
  void pack(uint64_t tile) const {
    const uint64_t batch = tile / cut_.tiles, row = tile % cut_.tiles * tile_, first = row / height_ * height_;
    const unsigned rows = rows_of(row);
    Vectors lhs;
    lhs.stride = g_.lhs_m_stride;
    lhs.k_stride = g_.lhs_k_stride;
    lhs.f32 = reinterpret_cast<const float*>(bound_.lhs);
    lhs = lhs.at(batch * g_.lhs_batch_stride + row * g_.lhs_m_stride);
    const Rows block{batch, first, std::min(height_, g_.m - first)};
    for (uint64_t k = 0; k < g_.k; k += steps_)
      pack_activations(lhs.at(k * g_.lhs_k_stride), rows, rows, steps_from(k), 0, Words::F32,
                       engine_.lhs.data() + packed(block, k, row - first));
  }

  // A block of rows by a chunk of columns. Blocks of the same columns follow each other: their weights stay in a cache.
  uint64_t units() const { return g_.batch * cut_.chunks * cut_.blocks; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t batch = unit / cut_.blocks / cut_.chunks, column = unit / cut_.blocks % cut_.chunks * width_;
    const uint64_t row = unit % cut_.blocks * height_;
    const Rows rows{batch, row, std::min(height_, g_.m - row)};
    const uint64_t lanes = std::min<uint64_t>(width_, g_.n - column), padded = std::min(width_, columns_ - column);
    const uint64_t element = (batch * g_.m + row) * g_.n + column;
    worker.accumulators.resize(std::min<uint64_t>(height_, g_.m) * width_ + SLACK);
    if (stores_sums_ && padded == lanes) {
      multiply(rows, column, padded, worker, {reinterpret_cast<float*>(bound_.out) + element, g_.n});
      return;
    }
    multiply(rows, column, padded, worker, {reinterpret_cast<float*>(worker.accumulators.data()), width_});
    finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                  {element, static_cast<uint32_t>(column), 1, static_cast<uint32_t>(lanes)},
                  {rows.count, width_, g_.n, 0});
  }

 private:
  // Of a product of the batch, a block of rows.
  struct Rows {
    uint64_t batch, first, count;
  };
  // Where sums of a block come to lie, rows `stride` apart.
  struct Sums {
    float* data;
    uint64_t stride;
  };

  unsigned rows_of(uint64_t row) const { return static_cast<unsigned>(std::min<uint64_t>(tile_, g_.m - row)); }
  uint64_t steps_from(uint64_t k) const { return std::min(steps_, g_.k - k); }
  // Words before the tile of row `row` of a block, of the steps from `k` on.
  uint64_t packed(const Rows& block, uint64_t k, uint64_t row) const {
    return (block.batch * g_.m + block.first) * g_.k + k * block.count + row * steps_from(k);
  }

  // Sums of all steps but the last ones stay with the worker.
  void multiply(const Rows& rows, uint64_t column, uint64_t columns, Worker& worker, const Sums& out) const {
    const uint64_t tiles = ceil_div(rows.count, tile_);
    float* const kept = reinterpret_cast<float*>(worker.accumulators.data());
    const float* const weights = reinterpret_cast<const float*>(weights_.words.data()) +
                                 ((g_.rhs_batch_stride ? rows.batch : 0) * columns_ + column) * g_.k;
    FloatBlock block{};
    block.streams = streams_;
    block.apart = panel_ * g_.k;
    block.from_stride = width_;
    for (uint64_t k = 0; k < g_.k; k += steps_) {
      const bool is_last = k + steps_ >= g_.k;
      block.steps = steps_from(k);
      if (streams_) {
        block.panels = static_cast<unsigned>(columns / panel_);
        block.b = weights;
        add(block, rows, k, 0, out);
        continue;
      }
      block.panels = 1;
      // What comes next is fetched in as many parts as there are tiles, each of which has a step for each line.
      const uint64_t share = ceil_div(ceil_div(block.steps * panel_, LINE_WORDS), tiles);
      block.next_lines = std::min(share, block.steps);
      for (uint64_t lane = 0; lane < columns; lane += panel_) {
        block.b = weights + lane * g_.k + k * panel_;
        const float* next = lane + panel_ < columns ? block.b + block.apart : weights + (k + block.steps) * panel_;
        for (uint64_t r = 0; r < rows.count; r += tile_, next += share * LINE_WORDS) {
          block.next = next;
          block.from = k ? kept + r * width_ + lane : nullptr;
          add(block, rows, k, r, is_last ? Sums{out.data + lane, out.stride} : Sums{kept + lane, width_});
        }
      }
    }
  }

  // The tile of rows from `row` of a block on.
  void add(FloatBlock& block, const Rows& rows, uint64_t k, uint64_t row, const Sums& out) const {
    block.a = reinterpret_cast<const float*>(engine_.lhs.data()) + packed(rows, k, row);
    block.out = out.data + row * out.stride;
    block.out_stride = out.stride;
    engine_.kernels.float_block(rows_of(rows.first + row), block);
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::GemmGeometry& g_;
  const uint64_t tile_, panel_;
  const bool streams_;  // a single tile of rows: weights are read once
  const Cut cut_;
  const uint64_t steps_, height_, width_, columns_;
  const bool stores_sums_;  // as they are, without an epilogue
};

}  // namespace

uint64_t floats_buffer_bytes(const Engine& engine, const Launch& launch) {
  const uint64_t tile = engine.kernels.rows, m = launch.gemm.m;
  const uint64_t words = m <= tile ? m * abi::VLMAX : std::min(BLOCK_TILES * tile, m) * CHUNK_COLUMNS;
  return (words + SLACK) * sizeof(uint32_t);
}

uint64_t floats_lhs_bytes(const Launch& launch) {
  const abi::GemmGeometry& g = launch.gemm;
  return product({g.batch, g.m, g.k, sizeof(float)}, launch.name);
}

void run_floats(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const FloatProduct product(engine, bound, weights);
  grow(engine.lhs, floats_lhs_bytes(bound.launch) / sizeof(float));
  if (!bound.keeps_rows)
    engine.workers.spread(product.tiles(), [&](uint64_t tile, unsigned) { product.pack(tile); });
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) { product.unit(unit, worker); });
}

}  // namespace tfmbs
