// The axes of an input with its padding, as windows walk along them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"

namespace tfmbs {

// Position i of a padded axis is input element i * step - pad; windows are `stride` positions apart, their taps
// `dilation`.
struct Axis {
  Axis() = default;
  Axis(uint64_t in_size, uint64_t out_size, uint64_t kernel, uint64_t window_stride, uint64_t tap_stride,
       uint64_t padding)
      : size((out_size - 1) * window_stride + (kernel - 1) * tap_stride + 1),
        stride(window_stride),
        step(1),
        pad(padding),
        in(in_size),
        out(out_size),
        dilation(tap_stride) {}

  bool on(uint64_t position) const { return position * step >= pad && position * step - pad < in; }
  // Positions that lie on the input.
  uint64_t first() const { return std::min(size, (pad + step - 1) / step); }
  uint64_t end() const { return std::max(first(), std::min(size, (in + pad + step - 1) / step)); }
  bool whole() const { return first() == 0 && end() == size; }

  uint64_t size = 1, stride = 1, step = 1, pad = 0, in = 1, out = 1, dilation = 1;
};

struct Axes {
  explicit Axes(const abi::VolumeGeometry& g)
      : depth(g.in_depth, g.out_depth, g.kernel_depth, g.stride_depth, g.dilation_depth, g.pad_front),
        height(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.dilation_height, g.pad_top),
        width(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.dilation_width, g.pad_left) {}

  // Positions in all: no more than memory is worth, else a number beyond it.
  double positions() const {
    return static_cast<double>(depth.size) * static_cast<double>(height.size) * static_cast<double>(width.size);
  }
  uint64_t lines() const { return depth.size * height.size; }

  Axis depth, height, width;
};

}  // namespace tfmbs
