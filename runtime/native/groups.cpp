// GROUP_GEMM: products whose weights have a scale for each group of the reduction.
//
// Integers: the products of a group are summed in i32, and fma(f32(sum), scale, out) takes them in, in ascending order
// of groups. F32: weights are f32(weight) * scale, rounded, and the reduction is that of a GEMM.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"
#include "launch.h"

namespace tfmbs {
namespace {

constexpr uint64_t MOST_TILES = 8;  // of rows that a unit keeps the sums of
constexpr unsigned MOST_PANEL = 32, MOST_ROWS = 8;

constexpr float LARGEST = 127.0f, LEAST_MAGNITUDE = 1e-5f;

uint64_t up(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit; }

// x as i8, rounded half to even (in the mode of `FloatEnvironment`) and saturated; 0 for a NaN.
int8_t saturate(float x) {
  if (!(x > -128.0f)) return x <= -128.0f ? int8_t{-128} : int8_t{0};
  return x >= LARGEST ? int8_t{127} : static_cast<int8_t>(std::nearbyint(x));
}

class GroupProduct {
 public:
  GroupProduct(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.groups),
        words_(bound.launch.words),
        length_(words_ == Words::F32 ? g_.k : g_.group),
        groups_(g_.k / length_),
        depth_(depth_of(length_, words_)),
        tile_(engine.kernels.rows),
        tiles_(up(g_.m, tile_)),
        blocks_(up(tiles_, MOST_TILES)),
        absmax_(g_.activations == abi::Activations::ABSMAX) {}

  // Words of the packed left operand, and behind them the factor of each row.
  uint64_t lhs_words() const {
    return product({tiles_ * tile_, product({groups_, depth_}, bound_.launch.name) + 1}, bound_.launch.name);
  }
  uint64_t tiles() const { return tiles_; }
  uint64_t units() const { return up(g_.n, abi::VLMAX) * blocks_; }

  void pack(uint64_t tile, Worker& worker) const {
    const uint64_t row = tile * tile_;
    const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(tile_, g_.m - row));
    Vectors lhs;
    lhs.stride = g_.lhs_m_stride;
    lhs.k_stride = g_.lhs_k_stride;
    if (bound_.launch.integer && !absmax_) lhs.i8 = reinterpret_cast<const int8_t*>(bound_.lhs);
    else lhs.f32 = reinterpret_cast<const float*>(bound_.lhs);
    lhs = lhs.at(row * g_.lhs_m_stride);
    if (absmax_) {
      worker.quantized.resize(rows * static_cast<uint64_t>(g_.k));
      for (unsigned r = 0; r < rows; ++r)
        factors()[row + r] = quantize(lhs.f32 + r * lhs.stride, worker.quantized.data() + r * uint64_t{g_.k});
      lhs = {nullptr, worker.quantized.data(), g_.k, 1};
    }
    for (uint64_t group = 0; group < groups_; ++group)
      pack_activations(lhs.at(group * length_ * lhs.k_stride), rows, rows, length_, g_.lhs_zero, words_,
                       packed(tile, group, rows));
  }

  void unit(uint64_t unit, Worker& worker) const {
    const uint64_t column = unit / blocks_ * abi::VLMAX, first = unit % blocks_ * MOST_TILES;
    const uint64_t end = std::min(tiles_, first + MOST_TILES), row = first * tile_;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, g_.n - column));
    const uint64_t rows = std::min<uint64_t>(end * tile_, g_.m) - row;
    worker.accumulators.assign(rows * abi::VLMAX, 0);
    uint32_t* sums = worker.accumulators.data();
    for (uint32_t lane = 0; lane < lanes; lane += engine_.kernels.panel)
      for (uint64_t tile = first; tile < end; ++tile)
        add(tile, (column + lane) / engine_.kernels.panel,
            reinterpret_cast<float*>(sums + (tile - first) * tile_ * abi::VLMAX + lane));
    for (uint64_t r = 0; r < rows; ++r) {
      float* line = reinterpret_cast<float*>(sums + r * abi::VLMAX);
      if (absmax_) divide(line, factors()[row + r], lanes);
      finish_chunk(engine_, bound_, worker, line,
                   {(row + r) * g_.n + column, static_cast<uint32_t>(column), 1, lanes});
    }
  }

 private:
  float* factors() const { return reinterpret_cast<float*>(engine_.lhs.data() + tiles_ * tile_ * groups_ * depth_); }

  uint32_t* packed(uint64_t tile, uint64_t group, unsigned rows) const {
    return engine_.lhs.data() + tile * tile_ * groups_ * depth_ + group * depth_ * rows;
  }

  // A row as i8 by its largest magnitude (a NaN has none); returns the factor.
  float quantize(const float* row, int8_t* out) const {
    float most = 0.0f;
    for (uint64_t k = 0; k < g_.k; ++k) {
      const float magnitude = std::fabs(row[k * g_.lhs_k_stride]);
      if (magnitude > most) most = magnitude;
    }
    const float factor = LARGEST / std::max(most, LEAST_MAGNITUDE);
    for (uint64_t k = 0; k < g_.k; ++k) out[k] = saturate(row[k * g_.lhs_k_stride] * factor);
    return factor;
  }

  void divide(float* line, float factor, uint32_t lanes) const {
    for (uint32_t i = 0; i < lanes; ++i) {
      const float value = line[i] / factor;
      line[i] = value == value ? value : float_of(CANONICAL);
    }
  }

  void add(uint64_t tile, uint64_t panel, float* out) const {
    const Kernels& kernels = engine_.kernels;
    const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(tile_, g_.m - tile * tile_));
    const unsigned width = kernels.panel;
    alignas(64) int32_t parts[MOST_ROWS * MOST_PANEL];
    for (uint64_t group = 0; group < groups_; ++group) {
      const uint64_t block = (panel * groups_ + group) * width;
      const uint32_t* b = weights_.words.data() + block * depth_;
      const uint32_t* a = packed(tile, group, rows);
      if (words_ == Words::F32) {
        kernels.tile_f32(rows, depth_, reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b), nullptr,
                         out, abi::VLMAX);
        continue;
      }
      for (unsigned j = 0; j < width; ++j) {
        const uint32_t start = words_ == Words::QUADS ? start_of(words_, g_.lhs_zero, weights_.sums[block + j]) : 0;
        for (unsigned r = 0; r < rows; ++r) parts[r * width + j] = static_cast<int32_t>(start);
      }
      kernels.integers.activations(rows, depth_, a, b, parts, width);
      kernels.add_scaled(rows, parts, reinterpret_cast<const float*>(weights_.scales.data() + block), out, abi::VLMAX);
    }
  }

  static constexpr uint32_t CANONICAL = 0x7fc00000u;

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::GroupGeometry& g_;
  const Words words_;
  const uint64_t length_, groups_, depth_, tile_, tiles_, blocks_;
  const bool absmax_;
};

}  // namespace

uint64_t groups_buffer_bytes(const Engine& engine, const Launch& launch) {
  const abi::GroupGeometry& g = launch.groups;
  const uint64_t rows = std::min<uint64_t>(MOST_TILES * engine.kernels.rows, g.m);
  return rows * abi::VLMAX * sizeof(uint32_t) + product({engine.kernels.rows, g.k}, launch.name);
}

uint64_t groups_lhs_bytes(const Engine& engine, const Bound& bound) {
  const PackedWeights& none = *bound.launch.weights;
  return product({GroupProduct(engine, bound, none).lhs_words(), sizeof(uint32_t)}, bound.launch.name);
}

void run_groups(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const GroupProduct product(engine, bound, weights);
  engine.lhs.resize(product.lhs_words());
  engine.workers.run(product.tiles(), [&](uint64_t tile, unsigned worker) {
    product.pack(tile, *engine.buffers[worker]);
  });
  engine.workers.run(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
