// The axes of a padded input, taken apart so that windows are one position apart.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"
#include "window_rows.h"

namespace tfmbs {

// Position i of phase p is input element i * stride + p - pad: neighbouring windows meet neighbouring positions of
// every phase. Phases that no window reaches are left out.
struct PhasedAxis {
  PhasedAxis(uint64_t in_size, uint64_t out_size, uint64_t kernel, uint64_t window_stride, uint64_t dilation,
             uint64_t padding)
      : phases(std::min(window_stride, (kernel - 1) * dilation + 1)),
        size(out_size + (kernel - 1) * dilation / window_stride),
        in(in_size),
        out(out_size),
        stride(window_stride),
        pad(padding),
        tap_stride(dilation) {}

  // Of a tap: its phase, and positions before it for the first output.
  uint64_t phase(uint64_t tap) const { return tap * tap_stride % stride; }
  uint64_t shift(uint64_t tap) const { return tap * tap_stride / stride; }
  // Positions of a phase that lie on the input, and the element under one of them.
  Range on(uint64_t of) const { return inside(static_cast<int64_t>(of) - static_cast<int64_t>(pad), stride, in, size); }
  uint64_t element(uint64_t of, uint64_t position) const { return position * stride + of - pad; }

  uint64_t phases, size, in, out, stride, pad, tap_stride;
};

struct Phases {
  explicit Phases(const abi::VolumeGeometry& g)
      : depth(g.in_depth, g.out_depth, g.kernel_depth, g.stride_depth, g.dilation_depth, g.pad_front),
        height(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.dilation_height, g.pad_top),
        width(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.dilation_width, g.pad_left) {}

  // Positions of one phase of height and width.
  uint64_t plane() const { return height.size * width.size; }
  // Of all phases, which may be more than an integer holds.
  double positions() const {
    double all = 1;
    for (const PhasedAxis* axis : {&depth, &height, &width})
      all *= static_cast<double>(axis->phases) * static_cast<double>(axis->size);
    return all;
  }
  // Before a position of a phase of each axis.
  uint64_t at(uint64_t z_phase, uint64_t z, uint64_t y_phase, uint64_t y, uint64_t x_phase, uint64_t x) const {
    const uint64_t planes = ((z_phase * depth.size + z) * height.phases + y_phase) * width.phases + x_phase;
    return planes * plane() + y * width.size + x;
  }

  PhasedAxis depth, height, width;
};

}  // namespace tfmbs
