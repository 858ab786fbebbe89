// The inputs under a panel of neighbouring outputs of a convolution of f32, as tiles take them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "abi.gen.h"
#include "window_rows.h"

namespace tfmbs {

// `count` outputs of a panel from column `lane` on, which tap number `tap` reaches at `at` in each input channel,
// `step` elements apart.
struct Segment {
  uint64_t tap;
  uint32_t lane, count;
  uint64_t at, step;
};

// Of which outputs of a panel each tap reaches the input, and where.
struct Segments {
  std::vector<Segment> all;
  std::vector<uint32_t> columns;  // by tap, a bit per column
  bool whole = false;             // every tap reaches the input for every output

  // `count` outputs of a channel from `first` on.
  void find(const abi::VolumeGeometry& g, const WindowRows& rows, uint64_t first, uint32_t count) {
    all.clear();
    columns.assign(static_cast<size_t>(g.kernel_depth) * g.kernel_height * g.kernel_width, 0);
    uint64_t reached = 0;
    rows.visit(first, count, [&](uint32_t lane, uint32_t length, uint64_t tap, uint64_t at) {
      all.push_back({tap, lane, length, at, g.stride_width});
      columns[tap] |= static_cast<uint32_t>((uint64_t{1} << length) - 1) << lane;
      reached += length;
    });
    whole = reached == columns.size() * count;
  }
};

// Where the channels of a group lie: the first one, how many, and elements from one to the next.
template <class T>
struct Channels {
  const T* first;
  uint64_t count, stride;
};

// Element tap of channel c goes to row c * taps + tap of `out`, as the reduction of f32 goes. What no tap reaches
// stays.
inline void gather_f32(const Segments& segments, const Channels<float>& in, unsigned panel, uint32_t* out) {
  const uint64_t taps = segments.columns.size();
  float* floats = reinterpret_cast<float*>(out);
  for (const Segment& s : segments.all) {
    const float* from = in.first + s.at;
    float* to = floats + s.tap * panel + s.lane;
    for (uint64_t channel = 0; channel < in.count; ++channel, from += in.stride, to += taps * panel) {
      if (s.step == 1)
        for (uint32_t i = 0; i < s.count; ++i) to[i] = from[i];
      else
        for (uint32_t i = 0; i < s.count; ++i) to[i] = from[i * s.step];
    }
  }
}

}  // namespace tfmbs
