// GROUP_GEMM: products whose weights have a scale for each group of the reduction.
//
// Integers: the products of a group are summed in i32, and fma(f32(sum), scale, out) takes them in, in ascending order
// of groups. F32: weights are f32(weight) * scale, rounded, and the reduction is that of a GEMM.
#include <algorithm>
#include <cstring>

#include "byte_product.h"
#include "checks.h"
#include "cut.h"
#include "launch.h"
#include "left_rows.h"
#include "trit_product.h"

namespace tfmbs {
namespace {

constexpr unsigned MOST_PANEL = 32, MOST_ROWS = 32;
constexpr uint64_t REAL_STEPS = 256;  // of weights that are made f32 at once and stay in the first cache

class GroupProduct {
 public:
  GroupProduct(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.groups),
        words_(bound.launch.words),
        real_(!bound.launch.integer),
        absmax_(g_.activations == abi::Activations::ABSMAX),
        length_(real_ ? g_.k : g_.group),
        groups_(g_.k / length_),
        left_(engine.kernels, g_.m, length_, real_ ? Words::F32 : words_),
        words_of_group_(depth_of(length_, words_)),
        depth_(words_ == Words::NIBBLES && !real_ ? 2 * words_of_group_ : left_.depth),
        whole_(!real_ && words_ != Words::NIBBLES && groups_ == 1),
        tile_(!real_ && words_ == Words::NIBBLES ? engine.kernels.nibbles.rows : left_.tile),
        cut_({1, g_.m, g_.n}, tile_, engine.kernels.panel, engine.buffers.size()) {}

  // Words of the packed left operand, behind them the start of each row's sum of each group, and the factor of each
  // row.
  uint64_t lhs_words() const {
    return product({cut_.tiles * tile_, product({groups_, depth_ + 1}, bound_.launch.name) + 1}, bound_.launch.name);
  }
  uint64_t tiles() const { return cut_.tiles; }
  uint64_t units() const { return cut_.chunks * cut_.blocks; }

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
        factors()[row + r] = engine_.kernels.groups.quantize(lhs.f32 + r * lhs.stride, lhs.k_stride, g_.k,
                                                             worker.quantized.data() + r * uint64_t{g_.k});
      lhs = {nullptr, worker.quantized.data(), g_.k, 1};
    }
    for (uint64_t group = 0; group < groups_; ++group)
      pack_group(lhs.at(group * length_ * lhs.k_stride), tile, group, rows);
  }

  void unit(uint64_t unit, Worker& worker) const {
    const unsigned panel = engine_.kernels.panel;
    const uint64_t width = cut_.chunk * panel, column = unit / cut_.blocks * width;
    const uint64_t first = unit % cut_.blocks * cut_.block, end = std::min(cut_.tiles, first + cut_.block);
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(width, g_.n - column));
    const uint64_t row = first * tile_, rows = std::min<uint64_t>(end * tile_, g_.m) - row;
    worker.accumulators.resize(rows * abi::VLMAX);
    float* sums = reinterpret_cast<float*>(worker.accumulators.data());
    if (whole_) {
      multiply(first, end, column, ceil_div(lanes, panel), worker.accumulators.data());
    } else if (real_ && end - first == 1) {
      add_tile(first, column / panel, ceil_div(lanes, panel), sums);
    } else {
      std::fill_n(worker.accumulators.data(), rows * abi::VLMAX, 0u);
      for (uint32_t lane = 0; lane < lanes; lane += panel)
        add({first, end, (column + lane) / panel}, worker, sums + lane);
    }
    const GroupFns& fns = engine_.kernels.groups;
    for (uint64_t r = 0; r < rows; ++r) {
      float* line = sums + r * abi::VLMAX;
      const float factor = absmax_ ? factors()[row + r] : 1.0f;
      if (whole_) fns.scale(reinterpret_cast<uint32_t*>(line), scales_of(column / panel), factor, lanes);
      else if (absmax_) fns.divide(line, factor, lanes);
      finish_chunk(engine_, bound_, worker, line,
                   {(row + r) * g_.n + column, static_cast<uint32_t>(column), 1, lanes});
    }
  }

 private:
  // Tiles of rows of a unit and a panel of columns.
  struct Part {
    uint64_t first, end, panel;
  };

  int32_t* starts() const {
    return reinterpret_cast<int32_t*>(engine_.lhs.data() + cut_.tiles * tile_ * groups_ * depth_);
  }
  float* factors() const { return reinterpret_cast<float*>(starts() + cut_.tiles * tile_ * groups_); }

  uint32_t* packed(uint64_t tile, uint64_t group, unsigned rows) const {
    return engine_.lhs.data() + tile * tile_ * groups_ * depth_ + group * depth_ * left_.padded(rows);
  }
  int32_t* starts(uint64_t tile, uint64_t group, unsigned rows) const {
    return starts() + tile * tile_ * groups_ + group * rows;
  }
  unsigned rows_of(uint64_t tile) const {
    return static_cast<unsigned>(std::min<uint64_t>(tile_, g_.m - tile * tile_));
  }

  void pack_group(const Vectors& lhs, uint64_t tile, uint64_t group, unsigned rows) const {
    uint32_t* to = packed(tile, group, rows);
    if (real_) return pack_activations(lhs, rows, rows, length_, 0, Words::F32, to);
    if (left_.in_blocks()) return pack_blocks(lhs, rows, left_.padded(rows), length_, left_.words, to);
    if (words_ == Words::NIBBLES && length_ % step_of(words_)) std::fill_n(to, depth_ * rows, 0u);
    pack_activations(lhs, rows, rows, length_, g_.lhs_zero, words_, to);
    if (words_ != Words::NIBBLES) return;
    for (unsigned r = 0; r < rows; ++r) {
      const Vectors line = lhs.at(r * lhs.stride);
      int32_t sum = 0;
      if (line.k_stride == 1) sum = engine_.kernels.groups.sum(line.i8, length_);
      else
        for (uint64_t i = 0; i < length_; ++i) sum += line.i8[i * line.k_stride];
      starts(tile, group, rows)[r] = -8 * sum;
    }
  }

  // Scales of a panel, of its first group.
  const float* scales_of(uint64_t panel) const {
    return reinterpret_cast<const float*>(weights_.scales.data()) + panel * (g_.k / g_.group) * engine_.kernels.panel;
  }

  // Sums of i32 over the only group, of tiles by panels from `column` on.
  void multiply(uint64_t first, uint64_t end, uint64_t column, uint64_t panels, uint32_t* sums) const {
    const Kernels& kernels = engine_.kernels;
    const uint64_t width = panels * kernels.panel, rows = std::min<uint64_t>(end * tile_, g_.m) - first * tile_;
    if (words_ == Words::QUADS)
      for (uint64_t i = 0; i < width; ++i) sums[i] = start_of(words_, g_.lhs_zero, weights_.sums[column + i]);
    else std::fill_n(sums, width, 0u);
    for (uint64_t r = 1; r < rows; ++r) std::memcpy(sums + r * abi::VLMAX, sums, width * sizeof *sums);
    for (uint64_t lane = 0; lane < width; lane += kernels.panel)
      for (uint64_t tile = first; tile < end; ++tile)
        left_.multiply(rows_of(tile), words_of_group_, packed(tile, 0, rows_of(tile)),
                       weights_.words.data() + (column + lane) * words_of_group_,
                       reinterpret_cast<int32_t*>(sums + (tile - first) * tile_ * abi::VLMAX + lane), abi::VLMAX);
  }

  void add(const Part& part, Worker& worker, float* sums) const {
    if (real_) return add_real(part, worker, sums);
    for (uint64_t tile = part.first; tile < part.end; ++tile, sums += tile_ * abi::VLMAX) {
      if (words_ == Words::NIBBLES) add_nibbles(tile, part.panel, sums);
      else add_integers(tile, part.panel, sums);
    }
  }

  // Steps of the reduction from `step` on.
  void add_product(uint64_t tile, uint64_t step, uint64_t steps, const float* b, float* sums) const {
    const unsigned rows = rows_of(tile);
    const float* a = reinterpret_cast<const float*>(packed(tile, 0, rows)) + step * rows;
    engine_.kernels.tile_f32(rows, steps, a, b, nullptr, sums, abi::VLMAX);
  }

  // The only tile of rows: its weights are made f32 in registers.
  void add_tile(uint64_t tile, uint64_t panel, uint64_t panels, float* sums) const {
    const unsigned rows = rows_of(tile), width = engine_.kernels.panel;
    const uint64_t groups = g_.k / g_.group, block = panel * groups;
    RealTile operands{};
    operands.panels = panels;
    operands.groups = groups;
    operands.length = g_.group;
    operands.a = reinterpret_cast<const float*>(packed(tile, 0, rows));
    operands.b = weights_.words.data() + block * depth_of(g_.group, words_) * width;
    operands.scales = scales_of(panel);
    operands.tiny = weights_.tiny;
    real_fns().tile(rows, operands, sums, abi::VLMAX);
  }

  const RealFns& real_fns() const {
    const GroupFns& fns = engine_.kernels.groups;
    return words_ == Words::NIBBLES ? fns.nibbles : fns.bytes;
  }

  // A block of weights as f32 serves all tiles.
  void add_real(const Part& part, Worker& worker, float* sums) const {
    const unsigned width = engine_.kernels.panel;
    worker.panel.resize(REAL_STEPS * width);
    float* real = reinterpret_cast<float*>(worker.panel.data());
    for (uint64_t k = 0; k < g_.k;) {
      const uint64_t steps = real_weights(part.panel, k, real);
      for (uint64_t tile = part.first; tile < part.end; ++tile)
        add_product(tile, k, steps, real, sums + (tile - part.first) * tile_ * abi::VLMAX);
      k += steps;
    }
  }

  // Steps from `k` on; returns how many.
  uint64_t real_weights(uint64_t panel, uint64_t k, float* out) const {
    const unsigned width = engine_.kernels.panel;
    const uint64_t words = depth_of(g_.group, words_), groups = g_.k / g_.group;
    uint64_t steps = 0;
    while (k + steps < g_.k) {
      const uint64_t group = (k + steps) / g_.group, within = (k + steps) % g_.group;
      const uint64_t room = (REAL_STEPS - steps) / step_of(words_) * step_of(words_);
      const uint64_t count = std::min<uint64_t>(g_.group - within, room);
      if (!count) break;
      const uint64_t block = panel * groups + group;
      real_fns().weights(count, weights_.words.data() + (block * words + within / step_of(words_)) * width,
                         scales_of(panel) + group * width, out + steps * width);
      steps += count;
    }
    return steps;
  }

  void add_nibbles(uint64_t tile, uint64_t panel, float* sums) const {
    const unsigned rows = rows_of(tile);
    const uint64_t words = depth_ / 2, block = panel * groups_ * engine_.kernels.panel;
    NibbleTile operands{};
    operands.groups = groups_;
    operands.words = words;
    operands.a = packed(tile, 0, rows);
    operands.b = weights_.words.data() + block * words;
    operands.starts = starts(tile, 0, rows);
    operands.scales = reinterpret_cast<const float*>(weights_.scales.data()) + block;
    operands.zero = g_.lhs_zero;
    if (g_.lhs_zero) operands.sums = reinterpret_cast<const int32_t*>(weights_.sums.data()) + block;
    engine_.kernels.nibbles.tile(rows, operands, sums, abi::VLMAX);
  }

  void add_integers(uint64_t tile, uint64_t panel, float* sums) const {
    const Kernels& kernels = engine_.kernels;
    const unsigned rows = rows_of(tile), width = kernels.panel;
    alignas(64) int32_t parts[MOST_ROWS * MOST_PANEL];
    for (uint64_t group = 0; group < groups_; ++group) {
      const uint64_t block = (panel * groups_ + group) * width;
      for (unsigned j = 0; j < width; ++j) {
        const uint32_t start = words_ == Words::QUADS ? start_of(words_, g_.lhs_zero, weights_.sums[block + j]) : 0;
        for (unsigned r = 0; r < rows; ++r) parts[r * width + j] = static_cast<int32_t>(start);
      }
      left_.multiply(rows, words_of_group_, packed(tile, group, rows), weights_.words.data() + block * words_of_group_,
                     parts, width);
      kernels.add_scaled(rows, parts, reinterpret_cast<const float*>(weights_.scales.data() + block), sums, abi::VLMAX);
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::GroupGeometry& g_;
  const Words words_;
  const bool real_, absmax_;
  const uint64_t length_, groups_;
  const LeftRows left_;
  const uint64_t words_of_group_, depth_;  // of a vector of weights, and of a row of the left operand, in a group
  const bool whole_;  // integers of a single group: the sums are made where the results are
  const uint64_t tile_;
  const Cut cut_;
};

}  // namespace

uint64_t groups_buffer_bytes(const Engine& engine, const Launch& launch) {
  if (launch.words == Words::RESIDUES) return trits_buffer_bytes(engine, launch);
  if (launch.words == Words::BYTE_ROWS) return byte_rows_buffer_bytes(engine, launch);
  const abi::GroupGeometry& g = launch.groups;
  const uint64_t least = std::max(engine.kernels.rows, engine.kernels.nibbles.rows);
  const uint64_t tile = std::max<uint64_t>(least, LeftRows(engine.kernels, g.m, g.group, launch.words).tile);
  return (sum_words(g.m, tile) + REAL_STEPS * engine.kernels.panel) * sizeof(uint32_t) +
         product({tile, g.k}, launch.name);
}

uint64_t groups_lhs_bytes(const Engine& engine, const Bound& bound) {
  if (bound.launch.words == Words::RESIDUES) return trits_lhs_bytes(engine, bound.launch);
  if (bound.launch.words == Words::BYTE_ROWS) return byte_rows_lhs_bytes(engine, bound.launch);
  const PackedWeights none;
  return product({GroupProduct(engine, bound, none).lhs_words(), sizeof(uint32_t)}, bound.launch.name);
}

void run_groups(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  if (bound.launch.words == Words::RESIDUES) return run_trits(engine, bound, weights);
  if (bound.launch.words == Words::BYTE_ROWS) return run_byte_rows(engine, bound, weights);
  const GroupProduct product(engine, bound, weights);
  grow(engine.lhs, product.lhs_words());
  if (!bound.keeps_rows)
    engine.workers.spread(product.tiles(), [&](uint64_t tile, unsigned worker) {
      product.pack(tile, *engine.buffers[worker]);
    });
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
