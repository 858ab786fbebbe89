// Loads of lanes that lie far apart, one column of a matrix after the other: every line of memory that the first column
// touches holds the next ones too. They are brought along, transposed, and later loads find them side by side.
#pragma once

#include <cstdint>

#include "abi.gen.h"
#include "kernels.h"

namespace tfmbs {

class Columns {
 public:
  static constexpr int64_t COUNT = 16;  // columns of 32-bit elements in a line

  explicit Columns(const Kernels& kernels) : transpose_(kernels.columns) {}

  // Lane i is element first + i * stride of a matrix of 32-bit elements that does not change before the next forget().
  // nullptr where the elements are not at hand and are not brought: the load is the first of its kind, or lanes lie
  // close together.
  const uint32_t* find(const uint8_t* matrix, uint64_t elements, int64_t first, int64_t stride, uint32_t lanes) {
    if (stride < COUNT || lanes < COUNT) return nullptr;
    const bool same = matrix == matrix_ && stride == stride_ && lanes == lanes_;
    const int64_t column = first - first_;
    if (same && column >= 0 && column < held_) return tile_ + column * abi::VLMAX;
    const bool next = same && first == first_ + (held_ ? held_ : 1);
    matrix_ = matrix, stride_ = stride, lanes_ = lanes, first_ = first, held_ = 0;
    const uint64_t last = static_cast<uint64_t>(first) + static_cast<uint64_t>(stride) * (lanes - 1);
    if (!next || elements - last < COUNT) return nullptr;
    transpose_(tile_, abi::VLMAX, matrix, first, stride, lanes);
    held_ = COUNT;
    return tile_;
  }
  void forget() { matrix_ = nullptr; }

 private:
  alignas(64) uint32_t tile_[COUNT * abi::VLMAX];
  const uint8_t* matrix_ = nullptr;
  int64_t stride_ = 0, first_ = 0, held_ = 0;  // columns first_ … first_ + held_ are in the tile
  uint32_t lanes_ = 0;
  ColumnsFn transpose_;
};

}  // namespace tfmbs
