// GROUP_GEMM of a few rows of i8 by rows of i8 weights, which are read from the file as they are.
#include "byte_product.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "cut.h"

namespace tfmbs {
namespace {

constexpr uint64_t MOST_TOKENS = 2;
constexpr uint64_t LINE = 64;        // bytes of a line of a cache

uint64_t lines(uint64_t bytes) { return ceil_div(bytes, LINE) * LINE; }

class ByteProduct {
 public:
  ByteProduct(const Engine& engine, const Launch& launch)
      : engine_(engine),
        launch_(launch),
        g_(launch.groups),
        absmax_(g_.activations == abi::Activations::ABSMAX),
        groups_(g_.k / g_.group),
        factor_bytes_(lines(g_.m * sizeof(float))),
        start_bytes_(lines(groups_ * BYTE_ROWS * sizeof(int32_t))),
        row_bytes_(lines(uint64_t{g_.k} + GROUP_PADDING)),
        chunk_(weights_of_unit(g_.n, 1, engine.buffers.size(), abi::VLMAX)) {}

  uint64_t lhs_bytes() const {
    return factor_bytes_ + product({g_.m, start_bytes_ + row_bytes_}, launch_.name);
  }
  uint64_t buffer_bytes() const { return product({g_.m, abi::VLMAX, sizeof(float)}, launch_.name); }
  uint64_t tokens() const { return g_.m; }
  uint64_t units() const { return ceil_div(g_.n, chunk_); }

  // A row of activations, filled up with zeros, and what sums of its groups start with.
  void pack(const uint8_t* lhs, uint64_t token) const {
    int8_t* const out = activations(token);
    const uint64_t first = token * g_.lhs_m_stride;
    if (absmax_) {
      const float* const row = reinterpret_cast<const float*>(lhs) + first;
      factors()[token] = engine_.kernels.groups.quantize(row, g_.lhs_k_stride, g_.k, out);
    } else {
      const int8_t* const row = reinterpret_cast<const int8_t*>(lhs) + first;
      for (uint64_t i = 0; i < g_.k; ++i) out[i] = row[i * g_.lhs_k_stride];
    }
    std::memset(out + g_.k, 0, row_bytes_ - g_.k);
    for (uint64_t group = 0; group < groups_; ++group) {
      const uint32_t sum = static_cast<uint32_t>(engine_.kernels.groups.sum(out + group * g_.group, g_.group));
      std::fill_n(starts(token) + group * BYTE_ROWS, BYTE_ROWS, static_cast<int32_t>(0u - 128u * sum));
    }
  }

  // Results of a chunk of rows of weights.
  void unit(const Bound& bound, const PackedWeights& weights, uint64_t unit, Worker& worker) const {
    const uint64_t first = unit * chunk_, rows = std::min(chunk_, g_.n - first);
    grow(worker.accumulators, g_.m * abi::VLMAX);
    float* const out = reinterpret_cast<float*>(worker.accumulators.data());
    const int8_t* const bytes = weights.bytes + first * g_.k;
    const float* const scales = weights.factors + first * groups_;
    // Rows that are multiplied together lie as far apart as a unit allows: each is the beginning of a stream that goes
    // on to the next one, which processors fetch by themselves.
    const uint64_t part = rows / BYTE_ROWS;
    for (uint64_t r = 0; r < part; ++r) multiply(bytes + r * g_.k, scales + r * groups_, part, out + r);
    for (uint64_t r = part * BYTE_ROWS; r < rows; ++r) multiply(bytes + r * g_.k, scales + r * groups_, 0, out + r);
    for (uint64_t token = 0; absmax_ && token < g_.m; ++token)
      engine_.kernels.groups.divide(out + token * abi::VLMAX, factors()[token], rows);
    finish_chunks(engine_, bound, worker, worker.accumulators.data(),
                  {first, static_cast<uint32_t>(first), 1, static_cast<uint32_t>(rows)},
                  {g_.m, abi::VLMAX, g_.n, 0});
  }

 private:
  float* factors() const { return reinterpret_cast<float*>(engine_.lhs.data()); }
  uint8_t* of_token(uint64_t token) const {
    return reinterpret_cast<uint8_t*>(engine_.lhs.data()) + factor_bytes_ + token * (start_bytes_ + row_bytes_);
  }
  int32_t* starts(uint64_t token) const { return reinterpret_cast<int32_t*>(of_token(token)); }
  int8_t* activations(uint64_t token) const { return reinterpret_cast<int8_t*>(of_token(token) + start_bytes_); }

  // Of all tokens by BYTE_ROWS rows that are `apart` rows apart, as their results are; 0: of one row.
  void multiply(const int8_t* bytes, const float* scales, uint64_t apart, float* out) const {
    float results[BYTE_ROWS];
    for (uint64_t token = 0; token < g_.m; ++token, out += abi::VLMAX) {
      engine_.kernels.integers.byte_rows({groups_, g_.group, bytes, apart * g_.k, scales, apart * groups_,
                                          activations(token), starts(token)},
                                         results);
      out[0] = results[0];
      for (uint64_t r = 1; apart && r < BYTE_ROWS; ++r) out[r * apart] = results[r];
    }
  }

  const Engine& engine_;
  const Launch& launch_;
  const abi::GroupGeometry& g_;
  const bool absmax_;
  const uint64_t groups_;
  const uint64_t factor_bytes_, start_bytes_, row_bytes_;  // of the factors of all tokens, and of a token
  const uint64_t chunk_;
};

}  // namespace

bool takes_byte_rows(const abi::GroupGeometry& g) {
  return g.m <= MOST_TOKENS && !g.lhs_zero && has_byte_rows(g.group);
}

uint64_t byte_rows_buffer_bytes(const Engine& engine, const Launch& launch) {
  return ByteProduct(engine, launch).buffer_bytes();
}

uint64_t byte_rows_lhs_bytes(const Engine& engine, const Launch& launch) {
  return ByteProduct(engine, launch).lhs_bytes();
}

void run_byte_rows(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const ByteProduct product(engine, bound.launch);
  grow(engine.lhs, ceil_div(product.lhs_bytes(), sizeof(uint32_t)));
  if (!bound.keeps_rows)
    for (uint64_t token = 0; token < product.tokens(); ++token) product.pack(bound.lhs, token);
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(bound, weights, unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
