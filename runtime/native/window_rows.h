// A sliding window row by row: which outputs of a row a tap reaches, and where on the input.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"

namespace tfmbs {

// A part of [0, count) as first and end.
struct Range {
  uint64_t first, end;
};

// Positions i < count for which 0 <= start + i * step < size; step is at least 1.
inline Range inside(int64_t start, uint64_t step, uint64_t size, uint64_t count) {
  const int64_t stride = static_cast<int64_t>(step), room = static_cast<int64_t>(size) - start;
  const uint64_t first = start >= 0 ? 0 : static_cast<uint64_t>((-start + stride - 1) / stride);
  const uint64_t end = room <= 0 ? 0 : static_cast<uint64_t>((room + stride - 1) / stride);
  return {std::min(first, count), std::min(end, count)};
}

class WindowRows {
 public:
  explicit WindowRows(const abi::WindowGeometry& geometry) : g_(geometry) {}

  // Kernel rows that lie on the input for output row y, and kernel columns for output column x.
  Range rows(uint64_t y) const { return inside(top(y), g_.dilation_height, g_.in_height, g_.kernel_height); }
  Range columns(uint64_t x) const { return inside(left(x), g_.dilation_width, g_.in_width, g_.kernel_width); }

  // Kernel rows or columns that count for a padded average: those on the input and on its padding.
  uint64_t padded_rows(uint64_t y) const {
    return inside(top(y), g_.dilation_height, static_cast<uint64_t>(g_.in_height) + g_.pad_bottom, g_.kernel_height)
        .end;
  }
  uint64_t padded_columns(uint64_t x) const {
    return inside(left(x), g_.dilation_width, static_cast<uint64_t>(g_.in_width) + g_.pad_right, g_.kernel_width).end;
  }

  // For `lanes` outputs of a plane from `first` on: visit(lane, count, tap, at) for `count` outputs from `lane` on that
  // tap number `tap` reaches at offset `at` in the input plane, strides of the window apart. The taps of each output
  // come in row-major order.
  template <class Visit>
  void visit(uint64_t first, uint32_t lanes, Visit visit) const {
    for (uint64_t at = first; at < first + lanes;) {
      const uint64_t y = at / g_.out_width, x = at % g_.out_width;
      const uint64_t count = std::min<uint64_t>(g_.out_width - x, first + lanes - at);
      row(y, x, count, static_cast<uint32_t>(at - first), visit);
      at += count;
    }
  }

 private:
  int64_t top(uint64_t y) const { return static_cast<int64_t>(y * g_.stride_height) - g_.pad_top; }
  int64_t left(uint64_t x) const { return static_cast<int64_t>(x * g_.stride_width) - g_.pad_left; }

  template <class Visit>
  void row(uint64_t y, uint64_t x, uint64_t count, uint32_t lane, Visit& visit) const {
    const Range down = rows(y);
    // Kernel columns that reach any of the outputs: the last output is reached first.
    const Range across{columns(x + count - 1).first, columns(x).end};
    for (uint64_t ky = down.first; ky < down.end; ++ky) {
      const uint64_t line = static_cast<uint64_t>(top(y) + static_cast<int64_t>(ky * g_.dilation_height)) * g_.in_width;
      for (uint64_t kx = across.first; kx < across.end; ++kx) {
        const int64_t start = left(x) + static_cast<int64_t>(kx * g_.dilation_width);
        const Range hit = inside(start, g_.stride_width, g_.in_width, count);
        if (hit.first >= hit.end) continue;
        const uint64_t column = static_cast<uint64_t>(start + static_cast<int64_t>(hit.first * g_.stride_width));
        visit(lane + static_cast<uint32_t>(hit.first), static_cast<uint32_t>(hit.end - hit.first),
              ky * g_.kernel_width + kx, line + column);
      }
    }
  }

  const abi::WindowGeometry& g_;
};

}  // namespace tfmbs
