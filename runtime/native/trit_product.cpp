// GEMM, GEMV and GROUP_GEMM of i8 by rows of trits as residues.
//
// A few rows of activations are multiplied by the residues themselves, which a core takes as fast as memory gives them.
// For more of them, digits are made of the residues of some rows of weights, and stay in the first cache while all
// activations of a block pass.
#include "trit_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"
#include "residues.h"

namespace tfmbs {
namespace {

constexpr uint64_t FEW = 3;            // rows of activations that are multiplied by residues
constexpr uint64_t MOST_TOKENS = 128;  // rows of activations of a unit
constexpr uint64_t DIGIT_ROWS = 4;     // of weights whose digits are made at once
// Activations of a part of the reduction stay in the second cache, digits of it in the first.
constexpr uint64_t ACTIVATION_BYTES = 400 * 1024, MOST_PART = 16;
constexpr uint64_t UNITS_OF_A_THREAD = 4, LEAST_ROWS = 64;
constexpr uint32_t CANONICAL = 0x7fc00000u;

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
        tokens_(s_.m <= FEW ? s_.m : even(s_.m, MOST_TOKENS)),
        part_(even(blocks_, std::clamp<uint64_t>(ACTIVATION_BYTES / (tokens_ * RESIDUE_TRITS), 2, MOST_PART))),
        chunk_(chunk_of(s_.n, up(s_.m, tokens_), engine.buffers.size())) {}

  // Bytes of activations, behind them their sums and factors.
  uint64_t lhs_bytes() const {
    return product({s_.m, padded_ + sizeof(int32_t) + sizeof(float)}, launch_.name);
  }
  uint64_t buffer_bytes() const {
    return tokens_ * abi::VLMAX * sizeof(int32_t) + DIGIT_ROWS * part_ * RESIDUE_TRITS;
  }
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

  void unit(const Bound& bound, const PackedWeights& weights, uint64_t unit, Worker& worker) const {
    const uint64_t turns = up(s_.m, tokens_);
    const uint64_t first = unit / turns * chunk_, token = unit % turns * tokens_;
    const uint64_t rows = std::min(chunk_, s_.n - first), tokens = std::min(tokens_, s_.m - token);
    worker.accumulators.assign(tokens * abi::VLMAX, 0);
    int32_t* out = reinterpret_cast<int32_t*>(worker.accumulators.data());
    const uint8_t* residues = weights.residues + first * blocks_ * RESIDUE_BYTES;
    if (s_.m <= FEW) multiply_residues(residues, rows, token, tokens, out);
    else multiply_digits(residues, rows, token, tokens, worker, out);
    for (uint64_t t = 0; t < tokens; ++t, out += abi::VLMAX) {
      correct(weights, first, rows, token + t, out);
      if (grouped_) scale(weights, first, rows, token + t, out);
      finish_chunk(engine_, bound, worker, out,
                   {(token + t) * s_.n + first, static_cast<uint32_t>(first), 1, static_cast<uint32_t>(rows)});
    }
  }

 private:
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

  void multiply_residues(const uint8_t* residues, uint64_t rows, uint64_t token, uint64_t tokens, int32_t* out) const {
    const uint64_t row_bytes = blocks_ * RESIDUE_BYTES;
    for (uint64_t r = 0; r < rows; r += fns_.rows) {
      const unsigned count = static_cast<unsigned>(std::min<uint64_t>(fns_.rows, rows - r));
      for (uint64_t t = 0; t < tokens; ++t)
        fns_.residue_dots(count, blocks_, residues + r * row_bytes, row_bytes, activations() + (token + t) * padded_,
                          out + t * abi::VLMAX + r);
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
    float* real = reinterpret_cast<float*>(out);
    for (uint64_t r = 0; r < rows; ++r) real[r] = static_cast<float>(out[r]) * scales[r] + 0.0f;
    if (absmax_) {
      const float factor = factors()[token];
      for (uint64_t r = 0; r < rows; ++r) real[r] /= factor;
    }
    for (uint64_t r = 0; r < rows; ++r)
      if (std::isnan(real[r])) std::memcpy(real + r, &CANONICAL, sizeof CANONICAL);
  }

  const Engine& engine_;
  const Launch& launch_;
  const TritFns& fns_;
  const Shape s_;
  const bool grouped_, absmax_;
  const uint64_t blocks_, padded_, tokens_, part_, chunk_;
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
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(bound, weights, unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
