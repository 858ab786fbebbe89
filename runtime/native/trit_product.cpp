// GEMM, GEMV and GROUP_GEMM of i8 by rows of trits as residues.
//
// A few rows of activations are multiplied by the residues themselves, which a core takes as fast as memory gives them.
// For more of them, digits are made of the residues of some rows of weights, and stay in the first cache while all
// activations of a block pass. A unit for matrices takes digits as its left operand, and tokens as panels of columns.
#include "trit_product.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "interleave.h"
#include "residues.h"

namespace tfmbs {
namespace {

constexpr uint64_t MOST_TOKENS = 128;  // rows of activations of a unit
constexpr uint64_t DIGIT_ROWS = 4;     // of weights whose digits are made at once
// Activations of a part of the reduction stay in the second cache, digits of it in the first.
constexpr uint64_t ACTIVATION_BYTES = 400 * 1024, MOST_PART = 16;
constexpr uint64_t MOST_RESIDUE_ROWS = 4;  // `TritFns::rows` of any instruction set
constexpr uint64_t UNITS_OF_A_THREAD = 4, LEAST_ROWS = 64;

uint64_t up(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit; }
uint64_t even(uint64_t count, uint64_t most) { return up(count, up(count, most)); }

uint32_t u(int32_t x) { return static_cast<uint32_t>(x); }

// What both kinds of products are.
struct Shape {
  uint64_t m, n, k, m_stride, k_stride;
  int32_t zero;
};

Shape shape_of(const Launch& launch) {
  const abi::GemmGeometry& g = launch.gemm;
  const abi::GroupGeometry& h = launch.groups;
  if (launch.record.kind == abi::Kind::GROUP_GEMM) return {h.m, h.n, h.k, h.lhs_m_stride, h.lhs_k_stride, h.lhs_zero};
  return {uint64_t{g.batch} * g.m, g.n, g.k, g.lhs_m_stride, g.lhs_k_stride, g.lhs_zero};
}

class TritProduct {
 public:
  TritProduct(const Engine& engine, const Launch& launch)
      : engine_(engine),
        launch_(launch),
        fns_(engine.kernels.integers.trits),
        s_(shape_of(launch)),
        grouped_(launch.record.kind == abi::Kind::GROUP_GEMM),
        absmax_(grouped_ && launch.groups.activations == abi::Activations::ABSMAX),
        blocks_(residue_blocks(s_.k)),
        padded_(blocks_ * RESIDUE_TRITS),
        in_blocks_(engine.kernels.blocks.rows != 0 && s_.m > engine.kernels.rows),
        tokens_(s_.m <= few() ? s_.m : in_blocks_ ? std::min(s_.m, MOST_TOKENS) : even(s_.m, MOST_TOKENS)),
        part_(even(blocks_, std::clamp<uint64_t>(ACTIVATION_BYTES / (tokens_ * RESIDUE_TRITS), 2, MOST_PART))),
        chunk_(chunk_of(s_.n, up(s_.m, tokens_), engine.buffers.size())) {}

  // Bytes of activations, behind them their sums and factors, and panels of them.
  uint64_t lhs_bytes() const {
    const uint64_t rows = product({s_.m, padded_ + sizeof(int32_t) + sizeof(float)}, launch_.name);
    return rows + product({panels() * width(), padded_}, launch_.name);
  }
  uint64_t buffer_bytes() const {
    const uint64_t sums = tokens_ * abi::VLMAX, digits = DIGIT_ROWS * part_ * RESIDUE_TRITS;
    if (!in_blocks_) return sums * sizeof(int32_t) + digits;
    return (sums + block_sums()) * sizeof(int32_t) + block_digits() + part_ * RESIDUE_TRITS;
  }
  // Panels of tokens, which are made of the packed activations.
  uint64_t panels() const { return in_blocks_ ? up(s_.m, width()) : 0; }
  uint64_t tokens() const { return s_.m; }
  uint64_t units() const { return up(s_.n, chunk_) * up(s_.m, tokens_); }

  // A row of activations, filled up with zeros.
  void pack(const uint8_t* lhs, uint64_t token) const {
    int8_t* out = activations() + token * padded_;
    const uint64_t first = offset_of(token);
    if (absmax_) {
      const float* x = reinterpret_cast<const float*>(lhs) + first;
      factors()[token] = engine_.kernels.groups.quantize(x, s_.k_stride, s_.k, out);
    } else {
      const int8_t* x = reinterpret_cast<const int8_t*>(lhs) + first;
      if (s_.k_stride == 1) std::memcpy(out, x, s_.k);
      else
        for (uint64_t i = 0; i < s_.k; ++i) out[i] = x[i * s_.k_stride];
    }
    std::memset(out + s_.k, 0, padded_ - s_.k);
    sums()[token] = engine_.kernels.groups.sum(out, s_.k);
  }

  void pack_panel(uint64_t panel) const {
    const uint64_t token = panel * width();
    interleave(reinterpret_cast<const uint8_t*>(activations() + token * padded_), padded_,
               static_cast<unsigned>(std::min(width(), s_.m - token)), static_cast<unsigned>(width()),
               padded_ / sizeof(uint32_t), 0, panel_of(panel));
  }

  void unit(const Bound& bound, const PackedWeights& weights, uint64_t unit, Worker& worker) const {
    const uint64_t turns = up(s_.m, tokens_);
    const uint64_t first = unit / turns * chunk_, token = unit % turns * tokens_;
    const uint64_t rows = std::min(chunk_, s_.n - first), tokens = std::min(tokens_, s_.m - token);
    worker.accumulators.assign(tokens * abi::VLMAX, 0);
    int32_t* out = reinterpret_cast<int32_t*>(worker.accumulators.data());
    const uint8_t* residues = weights.residues + first * blocks_ * RESIDUE_BYTES;
    if (s_.m <= few()) multiply_residues(residues, rows, token, tokens, out);
    else if (in_blocks_) multiply_blocks(residues, rows, token, tokens, worker, out);
    else multiply_digits(residues, rows, token, tokens, worker, out);
    for (uint64_t t = 0; t < tokens; ++t, out += abi::VLMAX) {
      correct(weights, first, rows, token + t, out);
      if (grouped_) scale(weights, first, rows, token + t, out);
      finish_chunk(engine_, bound, worker, out,
                   {(token + t) * s_.n + first, static_cast<uint32_t>(first), 1, static_cast<uint32_t>(rows)});
    }
  }

 private:
  // Rows of activations that are multiplied by residues; without VNNI these take more than digits made once.
  uint64_t few() const { return engine_.kernels.integers.words == Words::QUADS ? 3 : 1; }

  // Rows of weights of a unit: all lanes of an epilogue, or so many that each thread has some units.
  static uint64_t chunk_of(uint64_t n, uint64_t turns, uint64_t threads) {
    uint64_t chunk = abi::VLMAX;
    while (threads > 1 && chunk > LEAST_ROWS && up(n, chunk) * turns < UNITS_OF_A_THREAD * threads) chunk /= 2;
    return chunk;
  }

  uint64_t offset_of(uint64_t token) const {
    if (grouped_) return token * s_.m_stride;
    const abi::GemmGeometry& g = launch_.gemm;
    return token / g.m * g.lhs_batch_stride + token % g.m * s_.m_stride;
  }

  int8_t* activations() const { return reinterpret_cast<int8_t*>(engine_.lhs.data()); }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(activations() + s_.m * padded_); }
  float* factors() const { return reinterpret_cast<float*>(sums() + s_.m); }

  // Rows that are multiplied together are as far apart as a unit allows: memory answers faster where its pages are many.
  void multiply_residues(const uint8_t* residues, uint64_t rows, uint64_t token, uint64_t tokens, int32_t* out) const {
    const uint64_t row_bytes = blocks_ * RESIDUE_BYTES, part = rows / fns_.rows;
    for (uint64_t r = 0; r < part; ++r) dots(fns_.rows, part, residues + r * row_bytes, token, tokens, out + r);
    const uint64_t done = part * fns_.rows;
    if (done < rows) dots(rows - done, 1, residues + done * row_bytes, token, tokens, out + done);
  }

  // Of `rows` rows that are `apart` rows apart.
  void dots(uint64_t rows, uint64_t apart, const uint8_t* residues, uint64_t token, uint64_t tokens, int32_t* out) const {
    int32_t sums[MOST_RESIDUE_ROWS];
    for (uint64_t t = 0; t < tokens; ++t, out += abi::VLMAX) {
      fns_.residue_dots(static_cast<unsigned>(rows), blocks_, residues, apart * blocks_ * RESIDUE_BYTES,
                        activations() + (token + t) * padded_, sums);
      for (uint64_t r = 0; r < rows; ++r) out[r * apart] = sums[r];
    }
  }

  void multiply_digits(const uint8_t* residues, uint64_t rows, uint64_t token, uint64_t tokens, Worker& worker,
                       int32_t* out) const {
    const uint64_t row_bytes = blocks_ * RESIDUE_BYTES;
    worker.panel.resize(DIGIT_ROWS * part_ * RESIDUE_TRITS / sizeof(uint32_t));
    uint8_t* digits = reinterpret_cast<uint8_t*>(worker.panel.data());
    for (uint64_t block = 0; block < blocks_; block += part_) {
      const uint64_t count = std::min(part_, blocks_ - block), bytes = count * RESIDUE_TRITS;
      const int8_t* a = activations() + token * padded_ + block * RESIDUE_TRITS;
      for (uint64_t r = 0; r < rows; r += DIGIT_ROWS) {
        const uint64_t together = std::min(DIGIT_ROWS, rows - r);
        for (uint64_t i = 0; i < together; ++i)
          fns_.digits(count, residues + (r + i) * row_bytes + block * RESIDUE_BYTES, digits + i * bytes);
        fns_.digit_dots(static_cast<unsigned>(together), static_cast<unsigned>(tokens), bytes, digits, bytes, a,
                        padded_, out + r, abi::VLMAX);
      }
    }
  }

  uint64_t width() const { return engine_.kernels.panel; }
  uint32_t* panel_of(uint64_t panel) const {
    return reinterpret_cast<uint32_t*>(factors() + s_.m) + panel * width() * padded_ / sizeof(uint32_t);
  }
  // Of a unit: sums of rows of weights by tokens, and bytes of the digits of a block of rows.
  uint64_t block_sums() const {
    const uint64_t tile = engine_.kernels.blocks.rows;
    return up(chunk_, tile) * tile * up(tokens_, width()) * width();
  }
  uint64_t block_digits() const { return engine_.kernels.blocks.rows * part_ * RESIDUE_TRITS; }

  // Digits of a block of rows as `BlockTiles` takes them.
  void make_digits(const uint8_t* residues, uint64_t rows, uint64_t blocks, uint8_t* line, uint8_t* out) const {
    const BlockTiles& tiles = engine_.kernels.blocks;
    const uint64_t step = tiles.words * sizeof(uint32_t), padded = up(rows, tiles.group) * tiles.group;
    for (uint64_t r = 0; r < rows; ++r) {
      fns_.digits(blocks, residues + r * blocks_ * RESIDUE_BYTES, line);
      for (uint64_t i = 0; i < blocks * RESIDUE_TRITS / step; ++i)
        std::memcpy(out + (i * padded + r) * step, line + i * step, step);
    }
  }

  void multiply_blocks(const uint8_t* residues, uint64_t rows, uint64_t token, uint64_t tokens, Worker& worker,
                       int32_t* out) const {
    const BlockTiles& tiles = engine_.kernels.blocks;
    const uint64_t columns = up(tokens, width()) * width();
    worker.panel.resize(block_sums() + (block_digits() + part_ * RESIDUE_TRITS) / sizeof(uint32_t));
    uint32_t* sums = worker.panel.data();
    uint32_t* digits = sums + block_sums();
    uint8_t* line = reinterpret_cast<uint8_t*>(digits) + block_digits();
    std::fill_n(sums, rows * columns, 0u);
    for (uint64_t block = 0; block < blocks_; block += part_) {
      const uint64_t count = std::min(part_, blocks_ - block), words = count * RESIDUE_TRITS / sizeof(uint32_t);
      const uint64_t step = block * RESIDUE_TRITS / sizeof(uint32_t);
      for (uint64_t r = 0; r < rows; r += tiles.rows) {
        const uint64_t together = std::min<uint64_t>(tiles.rows, rows - r);
        make_digits(residues + (r * blocks_ + block) * RESIDUE_BYTES, together, count, line,
                    reinterpret_cast<uint8_t*>(digits));
        for (uint64_t t = 0; t < columns; t += width())
          tiles.tile(static_cast<unsigned>(together), words, digits, panel_of((token + t) / width()) + step * width(),
                     reinterpret_cast<int32_t*>(sums + r * columns + t), columns);
      }
    }
    interleave(reinterpret_cast<const uint8_t*>(sums), columns * sizeof(uint32_t), static_cast<unsigned>(rows),
               abi::VLMAX, tokens, 0, reinterpret_cast<uint32_t*>(out));
  }

  // Sums of digits become those of trits and of activations less their zero point, wrapped.
  void correct(const PackedWeights& weights, uint64_t first, uint64_t rows, uint64_t token, int32_t* out) const {
    const uint32_t sum = u(sums()[token]);
    for (uint64_t r = 0; r < rows; ++r) out[r] = static_cast<int32_t>(u(out[r]) - sum);
    if (!s_.zero) return;
    const uint32_t* own = weights.sums.data() + first;
    for (uint64_t r = 0; r < rows; ++r) out[r] = static_cast<int32_t>(u(out[r]) - u(s_.zero) * own[r]);
  }

  // fma(f32(sum), scale, +0.0), divided by the factor of activations that were quantized.
  void scale(const PackedWeights& weights, uint64_t first, uint64_t rows, uint64_t token, int32_t* out) const {
    const float* scales = reinterpret_cast<const float*>(weights.scales.data()) + first;
    engine_.kernels.groups.scale(reinterpret_cast<uint32_t*>(out), scales, absmax_ ? factors()[token] : 1.0f, rows);
  }

  const Engine& engine_;
  const Launch& launch_;
  const TritFns& fns_;
  const Shape s_;
  const bool grouped_, absmax_;
  const uint64_t blocks_, padded_;
  const bool in_blocks_;  // of a unit for matrices
  const uint64_t tokens_, part_, chunk_;
};

}  // namespace

uint64_t trits_buffer_bytes(const Engine& engine, const Launch& launch) {
  return TritProduct(engine, launch).buffer_bytes();
}

uint64_t trits_lhs_bytes(const Engine& engine, const Launch& launch) { return TritProduct(engine, launch).lhs_bytes(); }

void run_trits(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const TritProduct product(engine, bound.launch);
  engine.lhs.resize(up(product.lhs_bytes(), sizeof(uint32_t)));
  engine.workers.spread(product.tokens(), [&](uint64_t token, unsigned) { product.pack(bound.lhs, token); });
  if (product.panels())
    engine.workers.spread(product.panels(), [&](uint64_t panel, unsigned) { product.pack_panel(panel); });
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(bound, weights, unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
