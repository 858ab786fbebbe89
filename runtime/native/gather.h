// The inputs under a panel of neighbouring outputs of a convolution, in the words that tiles take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "abi.gen.h"
#include "kernels.h"
#include "pack.h"
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

// Element tap of channel c goes to row c * taps + tap of `out`, as the reduction of f32 goes. What no tap reaches stays.
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

// Four channels at a time, which lie in one word.
inline void gather_four(const Segment& s, const int8_t* from, uint64_t stride, uint32_t* to) {
  const auto take = [&](uint32_t i, uint64_t at) {
    const auto byte = [&](unsigned channel) {
      return static_cast<uint32_t>(static_cast<uint8_t>(from[at + channel * stride])) << 8 * channel;
    };
    to[i] = (byte(0) | byte(1) | byte(2) | byte(3)) ^ 0x80808080u;
  };
  if (s.step == 1)
    for (uint32_t i = 0; i < s.count; ++i) take(i, i);
  else
    for (uint32_t i = 0; i < s.count; ++i) take(i, i * s.step);
}

// Element tap of channel c is number tap * channels + c of the reduction: integers may be summed in any order, and the
// channels of a tap are read together. What no tap reaches is what stands for zero, so that it adds nothing.
inline void gather_int(const Segments& segments, const Channels<int8_t>& in, Words words, int32_t zero, unsigned panel,
                       uint64_t depth, uint32_t* out) {
  const bool quads = words == Words::QUADS;
  if (!segments.whole)
    std::fill_n(out, depth * panel, quads ? static_cast<uint32_t>(zero + 128) * 0x01010101u : 0u);
  const uint64_t together = quads && in.count % 4 == 0 ? 4 : 1;
  uint8_t* bytes = reinterpret_cast<uint8_t*>(out);
  int16_t* halves = reinterpret_cast<int16_t*>(out);
  for (const Segment& s : segments.all) {
    for (uint64_t channel = 0; channel < in.count; channel += together) {
      const uint64_t k = s.tap * in.count + channel;
      const int8_t* from = in.first + channel * in.stride + s.at;
      if (together == 4) {
        gather_four(s, from, in.stride, out + k / 4 * panel + s.lane);
      } else if (quads) {
        uint8_t* to = bytes + (k / 4 * panel + s.lane) * 4 + k % 4;
        for (uint32_t i = 0; i < s.count; ++i) to[4 * i] = static_cast<uint8_t>(from[i * s.step]) ^ 0x80u;
      } else {
        int16_t* to = halves + (k / 2 * panel + s.lane) * 2 + k % 2;
        for (uint32_t i = 0; i < s.count; ++i) to[2 * i] = static_cast<int16_t>(from[i * s.step] - zero);
      }
    }
  }
}

}  // namespace tfmbs
