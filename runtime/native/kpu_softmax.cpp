// Scores of an attention become weights, on the vector engine.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kpu_jobs.h"

namespace tfmbs::kpu {
namespace {

// A row of scores, as attention.cpp makes weights of it where all keys are looked at.
class Row {
 public:
  Row(const ScoreFns& scores, const abi::AttentionGeometry& g, uint32_t columns) : scores_(scores), g_(g), n_(columns) {
    const size_t padded = (size_t{columns} + 63) / 64 * 64;
    x_.resize(padded);
    added_.resize(padded);
    shown_.resize(padded);
  }

  // `mask`: the row of the mask, `step` elements from one key to the next.
  void weigh(float* row, int64_t query, const uint8_t* mask, int64_t step) {
    std::copy_n(row, n_, x_.begin());
    if (g_.scale != 1.0f) scores_.scale(x_.data(), g_.scale, n_);
    if (g_.mask == abi::MaskMode::ADD || g_.mask == abi::MaskMode::ADD_SHOWN) {
      const float* line = reinterpret_cast<const float*>(mask);
      for (uint32_t j = 0; j < n_; ++j) added_[j] = line[j * step];
      scores_.add(x_.data(), added_.data(), n_);
    }
    const bool hides = mark(query, mask, step);
    if (hides) scores_.hide(x_.data(), shown_.data(), g_.fill, n_);
    scores_.soften(x_.data(), -INFINITY, n_);
    if (hides && g_.clear) scores_.hide(x_.data(), shown_.data(), 0.0f, n_);
    std::copy_n(x_.begin(), n_, row);
  }

 private:
  bool mark(int64_t query, const uint8_t* mask, int64_t step) {
    const uint32_t seen =
        g_.causal ? static_cast<uint32_t>(std::clamp<int64_t>(query + g_.offset + 1, 0, n_)) : n_;
    const bool selects = g_.mask == abi::MaskMode::SELECT, by_sum = g_.mask == abi::MaskMode::ADD_SHOWN;
    if (!selects && !by_sum && seen >= n_) return false;
    for (uint32_t j = 0; j < n_; ++j) {
      const bool shows = selects ? mask[j * step] != 0 : !by_sum || x_[j] != -INFINITY;
      shown_[j] = shows && j < seen;
    }
    return true;
  }

  const ScoreFns& scores_;
  const abi::AttentionGeometry& g_;
  uint32_t n_;
  std::vector<float> x_, added_;
  std::vector<uint8_t> shown_;
};

}  // namespace

void Jobs::softmax(const movement::Movement& movement, const int64_t* parameters) {
  movement::Softmax p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  const abi::AttentionGeometry& g = own.attention;
  float* scores = reinterpret_cast<float*>(memories_.at(p.memory, p.scores, p.rows * p.columns * 4));
  const int64_t e = g.mask == abi::MaskMode::SELECT ? 1 : 4;
  const uint8_t* mask = nullptr;
  if (g.mask != abi::MaskMode::NONE)
    mask = memories_.at(p.memory, p.mask,
                        ((p.rows - 1) * p.mask_row_stride + (p.columns - 1) * p.mask_column_stride + 1) * e);
  Row row(own.kernels->scores, g, static_cast<uint32_t>(p.columns));
  for (int64_t r = 0; r < p.rows; ++r)
    row.weigh(scores + r * p.columns, p.first + r, mask ? mask + r * p.mask_row_stride * e : nullptr,
              p.mask_column_stride);
}

}  // namespace tfmbs::kpu
