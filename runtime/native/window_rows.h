// A sliding window row by row: which outputs of a row a tap reaches, and where on the input.
// What belongs to planes has one of them: its volume is one plane deep.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"

namespace tfmbs {

// A part of [0, count) as first and end.
struct Range {
  uint64_t first, end;
  friend bool operator==(const Range& a, const Range& b) { return a.first == b.first && a.end == b.end; }
};

// Positions i < count for which 0 <= start + i * step < size; step is at least 1.
inline Range inside(int64_t start, uint64_t step, uint64_t size, uint64_t count) {
  const int64_t stride = static_cast<int64_t>(step), room = static_cast<int64_t>(size) - start;
  const uint64_t first = start >= 0 ? 0 : static_cast<uint64_t>((-start + stride - 1) / stride);
  const uint64_t end = room <= 0 ? 0 : static_cast<uint64_t>((room + stride - 1) / stride);
  return {std::min(first, count), std::min(end, count)};
}

// A window over planes as one over volumes of a single plane.
inline abi::VolumeGeometry volume_of(const abi::WindowGeometry& g) {
  abi::VolumeGeometry volume{};
  volume.batch = g.batch;
  volume.in_channels = g.in_channels;
  volume.in_height = g.in_height;
  volume.in_width = g.in_width;
  volume.out_channels = g.out_channels;
  volume.out_height = g.out_height;
  volume.out_width = g.out_width;
  volume.kernel_height = g.kernel_height;
  volume.kernel_width = g.kernel_width;
  volume.stride_height = g.stride_height;
  volume.stride_width = g.stride_width;
  volume.dilation_height = g.dilation_height;
  volume.dilation_width = g.dilation_width;
  volume.pad_top = g.pad_top;
  volume.pad_left = g.pad_left;
  volume.groups = g.groups;
  volume.lhs_zero = g.lhs_zero;
  volume.in_depth = volume.out_depth = volume.kernel_depth = volume.stride_depth = volume.dilation_depth = 1;
  return volume;
}

class WindowRows {
 public:
  explicit WindowRows(const abi::VolumeGeometry& geometry) : g_(geometry) {}

  // Kernel planes that lie on the input for output plane z; kernel rows that lie on the input for output row y, and
  // kernel columns for output column x.
  Range planes(uint64_t z) const { return inside(front(z), g_.dilation_depth, g_.in_depth, g_.kernel_depth); }
  Range rows(uint64_t y) const { return inside(top(y), g_.dilation_height, g_.in_height, g_.kernel_height); }
  Range columns(uint64_t x) const { return inside(left(x), g_.dilation_width, g_.in_width, g_.kernel_width); }

  // Where tap (kz, ky, kx) of output (z, y, x), which lies on the input, does so in a channel.
  uint64_t input(uint64_t z, uint64_t kz, uint64_t y, uint64_t ky, uint64_t x, uint64_t kx) const {
    return line(z, kz, y, ky) + position(left(x), kx, g_.dilation_width);
  }
  // The first element of the line that it lies on.
  uint64_t line(uint64_t z, uint64_t kz, uint64_t y, uint64_t ky) const {
    const uint64_t plane = position(front(z), kz, g_.dilation_depth);
    return (plane * g_.in_height + position(top(y), ky, g_.dilation_height)) * g_.in_width;
  }

  // Kernel rows or columns that count for a padded average: those on the input and on `pad` more behind it.
  uint64_t padded_rows(uint64_t y, uint64_t pad) const {
    return inside(top(y), g_.dilation_height, g_.in_height + pad, g_.kernel_height).end;
  }
  uint64_t padded_columns(uint64_t x, uint64_t pad) const {
    return inside(left(x), g_.dilation_width, g_.in_width + pad, g_.kernel_width).end;
  }

  // For `lanes` outputs of a channel from `first` on: visit(lane, count, tap, at) for `count` outputs from `lane` on
  // that tap number `tap` reaches at offset `at` in the input channel, strides of the window apart. The taps of each
  // output come in row-major order.
  template <class Visit>
  void visit(uint64_t first, uint32_t lanes, Visit visit) const {
    for (uint64_t at = first; at < first + lanes;) {
      const uint64_t x = at % g_.out_width, line = at / g_.out_width;
      const uint64_t count = std::min<uint64_t>(g_.out_width - x, first + lanes - at);
      const uint64_t z = line / g_.out_height, y = line % g_.out_height;
      const Range deep = planes(z);
      for (uint64_t kz = deep.first; kz < deep.end; ++kz) {
        const uint64_t plane = static_cast<uint64_t>(front(z) + static_cast<int64_t>(kz * g_.dilation_depth));
        row({y, x, count, static_cast<uint32_t>(at - first), kz * g_.kernel_height, plane * g_.in_height}, visit);
      }
      at += count;
    }
  }

 private:
  // `count` outputs of a row from (y, x) on, the first being `lane`, under the kernel plane that starts with kernel row
  // `kernel_rows` on the input plane that starts with row `rows`.
  struct Row {
    uint64_t y, x, count;
    uint32_t lane;
    uint64_t kernel_rows, rows;
  };

  static uint64_t position(int64_t start, uint64_t tap, uint64_t dilation) {
    return static_cast<uint64_t>(start + static_cast<int64_t>(tap * dilation));
  }
  int64_t front(uint64_t z) const { return static_cast<int64_t>(z * g_.stride_depth) - g_.pad_front; }
  int64_t top(uint64_t y) const { return static_cast<int64_t>(y * g_.stride_height) - g_.pad_top; }
  int64_t left(uint64_t x) const { return static_cast<int64_t>(x * g_.stride_width) - g_.pad_left; }

  template <class Visit>
  void row(const Row& row, Visit& visit) const {
    const Range down = rows(row.y);
    // Kernel columns that reach any of the outputs: the last output is reached first.
    const Range across{columns(row.x + row.count - 1).first, columns(row.x).end};
    for (uint64_t ky = down.first; ky < down.end; ++ky) {
      const uint64_t line =
          (row.rows + static_cast<uint64_t>(top(row.y) + static_cast<int64_t>(ky * g_.dilation_height))) * g_.in_width;
      for (uint64_t kx = across.first; kx < across.end; ++kx) {
        const int64_t start = left(row.x) + static_cast<int64_t>(kx * g_.dilation_width);
        const Range hit = inside(start, g_.stride_width, g_.in_width, row.count);
        if (hit.first >= hit.end) continue;
        const uint64_t column = static_cast<uint64_t>(start + static_cast<int64_t>(hit.first * g_.stride_width));
        visit(row.lane + static_cast<uint32_t>(hit.first), static_cast<uint32_t>(hit.end - hit.first),
              (row.kernel_rows + ky) * g_.kernel_width + kx, line + column);
      }
    }
  }

  const abi::VolumeGeometry& g_;
};

}  // namespace tfmbs
