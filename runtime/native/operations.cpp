#include "operations.h"

#include <algorithm>
#include <cstring>

namespace tfmbs {
namespace {

// Eight bytes at a time.
uint64_t nonzero(const int8_t* bytes, uint64_t count) {
  constexpr uint64_t LOW = 0x7f7f7f7f7f7f7f7fu, ONES = 0x0101010101010101u, EIGHT = sizeof(uint64_t), MOST = 255;
  uint64_t found = 0, i = 0;
  while (i + EIGHT <= count) {
    uint64_t each = 0;  // of each place of eight, in a byte
    for (const uint64_t end = std::min(count - count % EIGHT, i + MOST * EIGHT); i < end; i += EIGHT) {
      uint64_t x;
      std::memcpy(&x, bytes + i, EIGHT);
      each += (((x & LOW) + LOW) | x) >> 7 & ONES;
    }
    constexpr uint64_t EVEN = 0x00ff00ff00ff00ffu;
    found += ((each & EVEN) + (each >> 8 & EVEN)) * 0x0001000100010001u >> 48;
  }
  for (; i < count; ++i) found += bytes[i] != 0;
  return found;
}

uint64_t nonzero(const Vectors& from, uint64_t vector, uint64_t k) {
  if (from.i8 && from.k_stride == 1) return nonzero(from.i8 + vector * from.stride, k);
  uint64_t count = 0;
  for (uint64_t i = 0; i < k; ++i) {
    const uint64_t at = vector * from.stride + i * from.k_stride;
    count += from.f32 ? from.f32[at] != 0.0f : from.i8[at] != 0;
  }
  return count;
}

// Outputs along one axis for which tap number `tap` of the window lies on the input, not on padding.
uint64_t positions(uint64_t tap, uint64_t out, uint64_t in, uint64_t stride, uint64_t dilation, uint64_t pad) {
  // Output o reads input o * stride + tap * dilation - pad.
  const uint64_t shift = tap * dilation;
  if (shift >= in + pad) return 0;
  const uint64_t first = shift >= pad ? 0 : (pad - shift + stride - 1) / stride;
  const uint64_t end = std::min(out, (in + pad - shift - 1) / stride + 1);
  return end > first ? end - first : 0;
}

uint64_t taps_of(const abi::VolumeGeometry& g) {
  return static_cast<uint64_t>(g.kernel_depth) * g.kernel_height * g.kernel_width;
}

// Calls visit(tap, outputs) for each tap, with the number of outputs of a channel for which it lies on the input.
template <class Visit>
void for_taps(const abi::VolumeGeometry& g, Visit visit) {
  for (uint64_t z = 0; z < g.kernel_depth; ++z) {
    const uint64_t planes =
        g.batch * positions(z, g.out_depth, g.in_depth, g.stride_depth, g.dilation_depth, g.pad_front);
    for (uint64_t y = 0; y < g.kernel_height && planes; ++y) {
      const uint64_t lines =
          planes * positions(y, g.out_height, g.in_height, g.stride_height, g.dilation_height, g.pad_top);
      for (uint64_t x = 0; x < g.kernel_width && lines; ++x)
        visit((z * g.kernel_height + y) * g.kernel_width + x,
              lines * positions(x, g.out_width, g.in_width, g.stride_width, g.dilation_width, g.pad_left));
    }
  }
}

}  // namespace

uint64_t nonzero_of(const abi::GroupGeometry& g, const int8_t* weights) {
  return nonzero(weights, static_cast<uint64_t>(g.n) * g.k);
}

uint64_t operations_of(const abi::GemmGeometry& g) { return static_cast<uint64_t>(g.batch) * g.m * g.n * g.k; }

uint64_t nonzero_of(const abi::GemmGeometry& g, const Vectors& rhs) {
  Vectors weights = rhs;
  weights.stride = g.rhs_n_stride;
  weights.k_stride = g.rhs_k_stride;
  uint64_t count = 0;
  for (uint64_t b = 0; b < products_of(g); ++b)
    for (uint64_t n = 0; n < g.n; ++n) count += nonzero(weights.at(b * g.rhs_batch_stride), n, g.k);
  return count;
}

uint64_t operations_of(const abi::VolumeGeometry& g) {
  uint64_t all = 0;
  for_taps(g, [&](uint64_t, uint64_t outputs) { all += outputs * g.out_channels * (g.in_channels / g.groups); });
  return all;
}

uint64_t active_of(const abi::VolumeGeometry& g, const std::vector<uint64_t>& nonzero) {
  uint64_t active = 0;
  for_taps(g, [&](uint64_t tap, uint64_t outputs) { active += outputs * nonzero[tap]; });
  return active;
}

std::vector<uint64_t> nonzero_of(const abi::VolumeGeometry& g, const Vectors& rhs) {
  std::vector<uint64_t> counts(taps_of(g));
  for (uint64_t tap = 0; tap < counts.size(); ++tap) {
    Vectors weights = rhs.at(tap);
    weights.stride = depth_of(g);
    weights.k_stride = counts.size();
    for (uint64_t c = 0; c < g.out_channels; ++c) counts[tap] += nonzero(weights, c, g.in_channels / g.groups);
  }
  return counts;
}

}  // namespace tfmbs
