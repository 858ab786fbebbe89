// Tiles of products in an array: the kernels of the emulator on bytes of L1, in the order of the contract.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "error.h"
#include "gather.h"
#include "kpu_jobs.h"
#include "pack.h"
#include "trits.h"

namespace tfmbs::kpu {
namespace {

// One tile of a product and what it needs: elements of lhs, rows of rhs, and sums as they lie in L1.
class Fold {
 public:
  Fold(const Kernels& kernels, const Launch& launch, const movement::Fold& p, const void* lhs, const Vectors& rhs,
       uint32_t* sums, Scratchpad& scratchpad)
      : kernels_(kernels), launch_(launch), p_(p), pad_(scratchpad), rhs_(rhs), sums_(sums) {
    words_ = p.is_float ? Words::F32 : kernels.integers.words;
    k_ = static_cast<uint64_t>(p.depth);
    depth_ = depth_of(k_, words_);
    if (p.is_float) lhs_.f32 = static_cast<const float*>(lhs);
    else lhs_.i8 = static_cast<const int8_t*>(lhs);
    lhs_.stride = p.is_window ? 1 : static_cast<uint64_t>(p.lhs_stride);
    lhs_.k_stride = p.is_window ? static_cast<uint64_t>(p.rows) : 1;
    const int64_t lines = p.is_window ? p.columns : p.rows, line = p.is_window ? p.rows : p.columns;
    for (int64_t i = 0; p.is_first && i < lines; ++i) std::fill_n(sums_ + i * p.sums_stride, line, 0u);
    if (words_ != Words::QUADS) return;
    pad_.sums.assign(static_cast<size_t>(p.columns), 0);
    for (size_t j = 0; j < pad_.sums.size(); ++j)
      for (uint64_t i = 0; i < k_; ++i) pad_.sums[j] += static_cast<uint32_t>(rhs_.i8[j * rhs_.stride + i]);
  }

  void run() {
    if (p_.is_window) windows();
    else matrix();
  }

 private:
  // Rows of activations against panels of weights.
  void matrix() {
    const unsigned panel = kernels_.panel;
    const uint64_t rows = static_cast<uint64_t>(p_.rows), columns = static_cast<uint64_t>(p_.columns);
    pad_.rhs.assign((columns + panel - 1) / panel * panel * depth_, 0);
    for (uint64_t c = 0; c < columns; c += panel)
      pack_weights(rhs_.at(c * rhs_.stride), width(columns - c, panel), panel, k_, words_,
                   pad_.rhs.data() + c * depth_);
    for (uint64_t r = 0; r < rows; r += kernels_.rows) {
      const unsigned height = width(rows - r, kernels_.rows);
      pad_.lhs.assign(depth_ * height, 0);
      pack_activations(lhs_.at(r * lhs_.stride), height, height, k_, lhs_zero(), words_, pad_.lhs.data());
      for (uint64_t c = 0; c < columns; c += panel)
        tile({r, c, height, width(columns - c, panel), static_cast<uint64_t>(p_.sums_stride)},
             kernels_.integers.activations, pad_.lhs.data(), pad_.rhs.data() + c * depth_, nullptr);
    }
  }

  // Blocks of channels against panels of pixels.
  void windows() {
    const unsigned panel = kernels_.panel;
    const uint64_t pixels = static_cast<uint64_t>(p_.rows), channels = static_cast<uint64_t>(p_.columns);
    const WindowRows rows(launch_.volume);
    pad_.lhs.assign(channels * depth_, 0);
    for (uint64_t c = 0; c < channels; c += kernels_.rows) {
      const unsigned height = width(channels - c, kernels_.rows);
      pack_weights(rhs_.at(c * rhs_.stride), height, height, k_, words_, pad_.lhs.data() + c * depth_);
    }
    Segments segments;
    for (uint64_t x = 0; x < pixels; x += panel) {
      const unsigned count = width(pixels - x, panel);
      pad_.rhs.assign(depth_ * panel, 0);
      pack_activations(lhs_.at(x), count, panel, k_, lhs_zero(), words_, pad_.rhs.data());
      const uint32_t* valid = nullptr;
      if (words_ == Words::F32) {
        segments.find(launch_.volume, rows, static_cast<uint64_t>(p_.pixel) + x, count);
        if (!segments.whole) valid = absent(segments);
      }
      for (uint64_t c = 0; c < channels; c += kernels_.rows) {
        const unsigned height = width(channels - c, kernels_.rows);
        tile({c, x, height, count, static_cast<uint64_t>(p_.sums_stride)}, kernels_.integers.weights,
             pad_.lhs.data() + c * depth_, pad_.rhs.data(), valid);
      }
    }
  }

  // Rows and columns of the sums as they lie in L1.
  struct Block {
    uint64_t row, column;
    unsigned rows, columns;
    uint64_t stride;
  };

  static unsigned width(uint64_t left, unsigned most) { return static_cast<unsigned>(std::min<uint64_t>(left, most)); }
  int32_t lhs_zero() const { return static_cast<int32_t>(p_.lhs_zero); }

  // Of each step, the pixels that its tap reaches.
  const uint32_t* absent(const Segments& segments) {
    const uint64_t taps = segments.columns.size();
    pad_.valid.resize(k_);
    for (uint64_t k = 0; k < k_; ++k) pad_.valid[k] = segments.columns[k % taps];
    return pad_.valid.data();
  }

  void tile(const Block& block, TileFn integers, const uint32_t* a, const uint32_t* b, const uint32_t* valid) {
    const unsigned panel = kernels_.panel;
    pad_.out.assign(block.rows * panel, 0);
    const auto sum = [&](unsigned r) { return sums_ + (block.row + r) * block.stride + block.column; };
    if (words_ == Words::F32) {
      for (unsigned r = 0; r < block.rows; ++r) std::memcpy(&pad_.out[r * panel], sum(r), block.columns * 4);
      kernels_.tile_f32(block.rows, depth_, reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b), valid,
                        reinterpret_cast<float*>(pad_.out.data()), panel);
      for (unsigned r = 0; r < block.rows; ++r) std::memcpy(sum(r), &pad_.out[r * panel], block.columns * 4);
      return;
    }
    integers(block.rows, depth_, a, b, reinterpret_cast<int32_t*>(pad_.out.data()), panel);
    for (unsigned r = 0; r < block.rows; ++r)
      for (unsigned c = 0; c < block.columns; ++c) {
        const uint64_t channel = p_.is_window ? block.row + r : block.column + c;
        const uint32_t start = words_ == Words::QUADS ? start_of(words_, lhs_zero(), pad_.sums[channel]) : 0;
        sum(r)[c] += pad_.out[r * panel + c] + start;
      }
  }

  const Kernels& kernels_;
  const Launch& launch_;
  const movement::Fold& p_;
  Scratchpad& pad_;
  Vectors rhs_;
  uint32_t* sums_;
  Words words_;
  uint64_t k_, depth_;
  Vectors lhs_;
};

// Rows of a packing as elements, in `out` where they are not elements yet.
Vectors elements(const movement::Fold& p, const uint8_t* data, const std::string& name, std::vector<int8_t>& out) {
  const uint64_t k = static_cast<uint64_t>(p.depth);
  const auto packing = static_cast<abi::Packing>(p.packing);
  Vectors rhs;
  rhs.stride = k;
  rhs.k_stride = 1;
  if (packing != abi::Packing::DENSE) {
    // What lies abreast of the last rows may be rows of others.
    out = unpack_elements(data, packed_rows(packing, static_cast<uint64_t>(p.columns)), k, packing, name);
    rhs.i8 = out.data();
  } else if (p.rhs_is_float) {
    rhs.f32 = reinterpret_cast<const float*>(data);
  } else {
    rhs.i8 = reinterpret_cast<const int8_t*>(data);
  }
  return rhs;
}

// The same product of the k with a weight in some column, side by side. Throws Error where these are not as many as
// their time was reckoned for.
Vectors compacted(movement::Fold& p, const int8_t*& lhs, const Vectors& rhs, Scratchpad& pad) {
  const size_t rows = static_cast<size_t>(p.rows), columns = static_cast<size_t>(p.columns);
  std::vector<size_t> kept;
  for (size_t k = 0; k < static_cast<size_t>(p.depth); ++k)
    for (size_t j = 0; j < columns; ++j)
      if (rhs.i8[j * rhs.stride + k]) {
        kept.push_back(k);
        break;
      }
  if (kept.empty()) kept.push_back(0);
  const size_t count = kept.size();
  if (static_cast<int64_t>(count) != p.kept)
    throw Error("device", "kpu",
                "a fold has weights at " + std::to_string(count) + " k, not at " + std::to_string(p.kept));
  pad.lhs_kept.resize(rows * count);
  pad.rhs_kept.resize(columns * count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < columns; ++j) pad.rhs_kept[j * count + i] = rhs.i8[j * rhs.stride + kept[i]];
    for (size_t r = 0; r < rows; ++r)
      if (p.is_window) pad.lhs_kept[i * rows + r] = lhs[kept[i] * rows + r];
      else pad.lhs_kept[r * count + i] = lhs[r * static_cast<size_t>(p.lhs_stride) + kept[i]];
  }
  p.depth = p.lhs_stride = static_cast<int64_t>(count);
  lhs = pad.lhs_kept.data();
  return {nullptr, pad.rhs_kept.data(), count, 1};
}

// Weights with scales as they lie in L1: those of as many columns as lie abreast, and behind them their scales.
struct GroupRows {
  abi::Packing packing;
  size_t groups, row, abreast;

  explicit GroupRows(const movement::Fold& p)
      : packing(static_cast<abi::Packing>(p.packing)),
        groups(static_cast<size_t>(std::max<int64_t>(1, p.depth / p.group))),
        row(static_cast<size_t>(p.rhs_row_bytes) / groups - sizeof(float)),
        abreast(packed_rows(packing, 1)) {}

  size_t packed(size_t columns) const { return packed_rows(packing, columns * groups) * row; }
  size_t scales(size_t columns) const { return columns * groups * sizeof(float); }
};

// Bytes of the weights of a tile.
int64_t rhs_bytes(const movement::Fold& p) {
  const size_t columns = static_cast<size_t>(p.columns);
  const auto packing = static_cast<abi::Packing>(p.packing);
  if (!p.group) return static_cast<int64_t>(packed_rows(packing, columns)) * p.rhs_row_bytes;
  const GroupRows rows(p);
  return static_cast<int64_t>(rows.packed(columns) + rows.scales(columns));
}

// A product whose weights have a scale for each group of k, see groups.cpp.
class GroupFold {
 public:
  GroupFold(const Kernels& kernels, const Launch& launch, const movement::Fold& p, const uint8_t* lhs,
            const uint8_t* rhs, float* sums, Scratchpad& pad)
      : kernels_(kernels),
        launch_(launch),
        p_(p),
        lhs_(lhs),
        sums_(sums),
        pad_(pad),
        groups_(std::max<int64_t>(1, p.depth / p.group)) {
    const GroupRows own(p);
    const size_t columns = static_cast<size_t>(p.columns), groups = static_cast<size_t>(groups_);
    pad.rows.resize(own.packed(columns));
    scales_.resize(columns * groups);
    uint8_t* to = pad.rows.data();
    for (size_t j = 0; j < columns; j += own.abreast) {
      const size_t count = std::min(own.abreast, columns - j), packed = own.packed(count), scales = own.scales(count);
      std::memcpy(to, rhs, packed);
      std::memcpy(scales_.data() + j * groups, rhs + packed, scales);
      to += packed;
      rhs += packed + scales;
    }
    movement::Fold rows = p;
    rows.columns = p.columns * groups_;
    rows.depth = std::min(p.depth, p.group);
    weights_ = elements(rows, pad.rows.data(), launch.name, pad.unpacked);
    weights_.stride = static_cast<uint64_t>(p.depth);
  }

  // Weights are made f32; the reduction is that of any product.
  void real() {
    pad_.real.resize(static_cast<size_t>(p_.columns * p_.depth));
    const int64_t together = std::min(p_.depth, p_.group);
    for (int64_t i = 0; i < p_.columns * p_.depth; ++i)
      pad_.real[static_cast<size_t>(i)] =
          static_cast<float>(weights_.i8[i]) * scales_[static_cast<size_t>(i / together)];
    const Vectors rhs{pad_.real.data(), nullptr, static_cast<uint64_t>(p_.depth), 1};
    Fold(kernels_, launch_, p_, lhs_, rhs, reinterpret_cast<uint32_t*>(sums_), pad_).run();
  }

  // The rest of the only group, whose sums so far are integers.
  void rest(const float* factors) {
    Fold(kernels_, launch_, p_, lhs_, weights_, reinterpret_cast<uint32_t*>(sums_), pad_).run();
    for (int64_t r = 0; r < p_.rows; ++r)
      for (int64_t c = 0; c < p_.columns; ++c) {
        float& sum = sums_[r * p_.sums_stride + c];
        int32_t part;
        std::memcpy(&part, &sum, sizeof part);
        sum = canonical(std::fma(static_cast<float>(part), scales_[static_cast<size_t>(c)], 0.0f));
      }
    divide(factors);
  }

  // Sums of a group are exact; `factors`: those of the rows, or nullptr.
  void integers(const float* factors) {
    movement::Fold p = p_;
    p.depth = p_.group;
    p.is_first = 1;
    p.sums_stride = p_.columns;
    std::vector<uint32_t>& parts = pad_.parts;
    parts.resize(static_cast<size_t>(p_.rows * p_.columns));
    for (int64_t r = 0; p_.is_first && r < p_.rows; ++r) std::fill_n(sums_ + r * p_.sums_stride, p_.columns, 0.0f);
    for (int64_t g = 0; g < groups_; ++g) {
      const Vectors weights = weights_.at(static_cast<uint64_t>(g * p_.group));
      Fold(kernels_, launch_, p, lhs_ + g * p_.group, weights, parts.data(), pad_).run();
      for (int64_t r = 0; r < p_.rows; ++r)
        for (int64_t c = 0; c < p_.columns; ++c) {
          float& sum = sums_[r * p_.sums_stride + c];
          const float part = static_cast<float>(static_cast<int32_t>(parts[static_cast<size_t>(r * p_.columns + c)]));
          sum = canonical(std::fma(part, scales_[static_cast<size_t>(c * groups_ + g)], sum));
        }
    }
    divide(factors);
  }

 private:
  void divide(const float* factors) {
    for (int64_t r = 0; factors && r < p_.rows; ++r)
      for (int64_t c = 0; c < p_.columns; ++c) {
        float& sum = sums_[r * p_.sums_stride + c];
        sum = canonical(sum / factors[r]);
      }
  }

  static float canonical(float value) { return value == value ? value : std::numeric_limits<float>::quiet_NaN(); }

  const Kernels& kernels_;
  const Launch& launch_;
  const movement::Fold& p_;
  const uint8_t* lhs_;
  float* sums_;
  Scratchpad& pad_;
  const int64_t groups_;
  std::vector<float> scales_;
  Vectors weights_;
};

}  // namespace

void Jobs::fold(const movement::Movement& movement, const int64_t* parameters) {
  movement::Fold p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  const Kernels& kernels = *own.kernels;
  const int64_t count = p.is_window ? p.rows * p.depth : (p.rows - 1) * p.lhs_stride + p.depth;
  const uint8_t* lhs = memories_.at(p.memory, p.lhs, count * (p.is_float ? 4 : 1));
  const uint8_t* rhs = memories_.at(p.memory, p.rhs, rhs_bytes(p));
  const int64_t lines = p.is_window ? p.columns : p.rows, line = p.is_window ? p.rows : p.columns;
  uint8_t* sums = memories_.at(p.memory, p.sums, ((lines - 1) * p.sums_stride + line) * 4);
  if (p.group) {
    GroupFold groups(kernels, own, p, lhs, rhs, reinterpret_cast<float*>(sums), scratchpad_);
    if (p.is_float) return groups.real();
    const uint8_t* factors = p.factors < 0 ? nullptr : memories_.at(p.memory, p.factors, p.rows * 4);
    if (p.depth < p.group) return groups.rest(reinterpret_cast<const float*>(factors));
    return groups.integers(reinterpret_cast<const float*>(factors));
  }
  Vectors weights = elements(p, rhs, own.name, scratchpad_.unpacked);
  if (p.kept >= 0) {
    const int8_t* kept = reinterpret_cast<const int8_t*>(lhs);
    weights = compacted(p, kept, weights, scratchpad_);
    lhs = reinterpret_cast<const uint8_t*>(kept);
  }
  Fold(kernels, own, p, lhs, weights, reinterpret_cast<uint32_t*>(sums), scratchpad_).run();
}

}  // namespace tfmbs::kpu
