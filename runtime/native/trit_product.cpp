// GEMM, GEMV and GROUP_GEMM of i8 by rows of trits abreast.
//
// Up to three rows of activations are multiplied by look-ups where the instruction set has them, which a core makes as
// fast as memory gives it weights, more of them in strips (trit_blocks.h).
#include "trit_product.h"

#include <algorithm>
#include <cstring>

#include "abreast.h"
#include "checks.h"
#include "cut.h"
#include "plane_cut.h"
#include "trit_blocks.h"

namespace tfmbs {
namespace {

static_assert(LEAST_WEIGHTS % ABREAST_ROWS == 0, "units are whole groups");
// Groups of rows that are worth tables of a thread's own.
constexpr uint64_t LEAST_GROUPS = 4;
constexpr uint64_t MOST_FETCHED = 1 << 18;  // bytes, while tables are made
constexpr uint64_t MOST_TABLES = 3 << 19;  // bytes, of several rows: about what the caches of a core hold
// Rows of weights from which on tables of one row pay; of m rows m * m as many, as digits are made for all of them.
constexpr uint64_t LEAST_LOOKED_UP = 192;
constexpr uint64_t FINISHED = 8;  // tokens whose epilogue is applied at once

uint64_t even(uint64_t count, uint64_t most) { return ceil_div(count, ceil_div(count, most)); }

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

bool pays(const TritFns& fns, const Shape& s) {
  return s.m <= fns.most_rows && s.n >= s.m * s.m * LEAST_LOOKED_UP &&
         (s.m == 1 || s.m * residue_blocks(s.k) * fns.table_bytes <= MOST_TABLES);
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
        in_strips_(!pays(fns_, s_)),
        unit_(engine.kernels.integers.strips, s_.m, blocks_),
        tokens_(in_strips_ ? strip_tokens(s_.m) : s_.m),
        chunks_(in_strips_ ? strip_chunks() : look_up_chunks()),
        stride_(in_strips_ ? TritBlocks::stride(unit_.most_rows()) : abi::VLMAX) {}

  // Bytes of activations, before them their sums and factors.
  uint64_t lhs_bytes() const {
    return head_bytes() + product({in_strips_ ? unit_.padded(s_.m) : s_.m, padded_}, launch_.name);
  }
  uint64_t buffer_bytes() const {
    const uint64_t sums = product({sum_rows(), stride_, sizeof(int32_t)}, launch_.name);
    return sums + (in_strips_ ? std::max(unit_.strip_bytes(), padded_) : product({s_.m, table_bytes()}, launch_.name));
  }
  uint64_t tokens() const { return s_.m; }
  uint64_t units() const { return chunks_ * ceil_div(s_.m, tokens_); }

  // A row of activations, filled up with zeros.
  void pack(const uint8_t* lhs, uint64_t token, Worker& worker) const {
    const uint64_t first = offset_of(token);
    const int8_t* x = reinterpret_cast<const int8_t*>(lhs) + first;
    const bool copies = absmax_ || s_.k_stride != 1;
    if (in_strips_ && !copies) {
      unit_.place(token, x, s_.k, reinterpret_cast<uint8_t*>(activations()));
      sums()[token] = engine_.kernels.groups.sum(x, s_.k);
      return;
    }
    int8_t* out = activations() + token * padded_;
    if (in_strips_) {
      grow(worker.panel, ceil_div(padded_, sizeof(uint32_t)));
      out = reinterpret_cast<int8_t*>(worker.panel.data());
    }
    if (absmax_) {
      const float* const row = reinterpret_cast<const float*>(lhs) + first;
      factors()[token] = engine_.kernels.groups.quantize(row, s_.k_stride, s_.k, out);
    } else if (s_.k_stride == 1) {
      std::memcpy(out, x, s_.k);
    } else {
      for (uint64_t i = 0; i < s_.k; ++i) out[i] = x[i * s_.k_stride];
    }
    sums()[token] = engine_.kernels.groups.sum(out, s_.k);
    if (in_strips_) unit_.place(token, out, s_.k, reinterpret_cast<uint8_t*>(activations()));
    else std::memset(out + s_.k, 0, padded_ - s_.k);
  }

  void unit(const Bound& bound, const PackedWeights& weights, uint64_t unit, Worker& worker) const {
    const uint64_t turns = ceil_div(s_.m, tokens_);
    const Range range = part_of(s_.n, unit / turns, chunks_, ABREAST_ROWS);
    const uint64_t first = range.first, rows = range.end - first;
    const uint64_t token = unit % turns * tokens_, tokens = std::min(tokens_, s_.m - token);
    grow(worker.accumulators, sum_rows() * stride_);
    int32_t* out = reinterpret_cast<int32_t*>(worker.accumulators.data());
    const uint8_t* lines = weights.residues + first * blocks_ * RESIDUE_BYTES;
    if (in_strips_) {
      grow(worker.panel, ceil_div(unit_.strip_bytes(), sizeof(uint32_t)));
      unit_.multiply(lines, rows_abreast(rows), reinterpret_cast<const uint8_t*>(activations()), token, tokens,
                     sums() + token, reinterpret_cast<uint8_t*>(worker.panel.data()), out, stride_);
    } else {
      look_up(lines, rows_abreast(rows) / ABREAST_ROWS, worker, out);
    }
    for (uint64_t t = 0; t < tokens; t += FINISHED) {
      const uint64_t count = std::min(FINISHED, tokens - t);
      int32_t* sums = out + t * stride_;
      for (uint64_t i = 0; i < count; ++i) {
        correct(weights, first, rows, sums + i * stride_);
        if (grouped_) scale(weights, first, rows, token + t + i, sums + i * stride_);
      }
      finish_chunks(engine_, bound, worker, reinterpret_cast<const uint32_t*>(sums),
                    {(token + t) * s_.n + first, static_cast<uint32_t>(first), 1, static_cast<uint32_t>(rows)},
                    {count, stride_, s_.n, 0});
    }
  }

 private:
  uint64_t strip_chunks() const {
    return ceil_div(s_.n, weights_of_unit(s_.n, ceil_div(s_.m, tokens_), engine_.buffers.size(), unit_.most_rows()));
  }
  // As many as all threads share evenly, of groups that pass at once.
  uint64_t look_up_chunks() const {
    const uint64_t groups = ceil_div(s_.n, ABREAST_ROWS), threads = engine_.buffers.size();
    const uint64_t wanted = threads > 1 ? std::min(UNITS_OF_A_THREAD * threads, groups / LEAST_GROUPS) : 1;
    const uint64_t chunks = std::max(wanted, ceil_div(groups, fns_.together));
    return chunks > threads ? ceil_div(chunks, threads) * threads : chunks;
  }
  uint64_t table_bytes() const { return blocks_ * fns_.table_bytes; }  // of a token

  // Activations of a unit of work: whole blocks, unless there are few.
  uint64_t strip_tokens(uint64_t m) const { return std::min(m, unit_.padded(even(m, TritBlocks::MOST_TOKENS))); }
  uint64_t sum_rows() const { return in_strips_ ? unit_.padded(tokens_) : tokens_; }

  uint64_t offset_of(uint64_t token) const {
    if (grouped_) return token * s_.m_stride;
    const abi::GemmGeometry& g = launch_.gemm;
    return token / g.m * g.lhs_batch_stride + token % g.m * s_.m_stride;
  }

  // Sums and factors of activations, up to a cache line.
  uint64_t head_bytes() const {
    return ceil_div(product({s_.m, sizeof(int32_t) + sizeof(float)}, launch_.name), 64) * 64;
  }
  int8_t* activations() const { return reinterpret_cast<int8_t*>(engine_.lhs.data()) + head_bytes(); }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(engine_.lhs.data()); }
  float* factors() const { return reinterpret_cast<float*>(sums() + s_.m); }

  // Each thread makes tables of its own, which cost less than those that lie in another one's cache; `lines` are what
  // it reads then.
  void make_tables(const uint8_t* lines, uint64_t groups, Worker& worker) const {
    grow(worker.tables, ceil_div(s_.m * table_bytes(), sizeof(uint32_t)));
    for (uint64_t token = 0; token < s_.m; ++token) {
      const uint64_t fetched = token ? 0 : MOST_FETCHED / (groups * ABREAST_BYTES);
      fns_.tables(blocks_, activations() + token * padded_, tables(worker) + token * table_bytes(),
                  {lines, fetched, groups, blocks_ * ABREAST_BYTES});
    }
    worker.has_tables = true;
  }
  static uint8_t* tables(Worker& worker) { return reinterpret_cast<uint8_t*>(worker.tables.data()); }

  // All tokens; their groups stay in a cache.
  void look_up(const uint8_t* lines, uint64_t groups, Worker& worker, int32_t* out) const {
    if (!worker.has_tables) make_tables(lines, groups, worker);
    for (uint64_t token = 0; token < s_.m; ++token)
      fns_.look_up(groups, blocks_, lines, tables(worker) + token * table_bytes(), out + token * stride_);
  }

  // Sums of products with activations become those of activations less their zero point, wrapped.
  void correct(const PackedWeights& weights, uint64_t first, uint64_t rows, int32_t* out) const {
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
  const bool in_strips_;
  const TritBlocks unit_;
  const uint64_t tokens_, chunks_, stride_;  // words from one row of sums to the next
};

}  // namespace

bool looks_up(const Launch& launch) { return pays(launch.kernels->integers.trits, shape_of(launch)); }

uint64_t trits_buffer_bytes(const Engine& engine, const Launch& launch) {
  return TritProduct(engine, launch).buffer_bytes();
}

uint64_t trits_lhs_bytes(const Engine& engine, const Launch& launch) { return TritProduct(engine, launch).lhs_bytes(); }

void run_trits(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const TritProduct product(engine, bound.launch);
  grow(engine.lhs, ceil_div(product.lhs_bytes(), sizeof(uint32_t)));
  if (!bound.keeps_rows) {
    for (const auto& worker : engine.buffers) worker->has_tables = false;
    engine.workers.spread(product.tokens(), [&](uint64_t token, unsigned worker) {
      product.pack(bound.lhs, token, *engine.buffers[worker]);
    });
  }
  engine.workers.spread(product.units(), [&](uint64_t unit, unsigned worker) {
    product.unit(bound, weights, unit, *engine.buffers[worker]);
  });
}

}  // namespace tfmbs
