#include "pack.h"

#include <algorithm>

#include "checks.h"

namespace tfmbs {
namespace {

// Calls visit(i, j) for every element, in the order in which the operand lies in memory.
template <class Visit>
void in_memory_order(const Vectors& from, unsigned count, uint64_t k, Visit visit) {
  if (from.k_stride <= from.stride) {
    for (unsigned j = 0; j < count; ++j)
      for (uint64_t i = 0; i < k; ++i) visit(i, j);
  } else {
    for (uint64_t i = 0; i < k; ++i)
      for (unsigned j = 0; j < count; ++j) visit(i, j);
  }
}

// Products of the batch that have weights of their own.
uint64_t products_of(const abi::GemmGeometry& g) { return g.rhs_batch_stride ? g.batch : 1; }

uint64_t nonzero(const Vectors& from, uint64_t vector, uint64_t k) {
  uint64_t count = 0;
  for (uint64_t i = 0; i < k; ++i) {
    const uint64_t at = vector * from.stride + i * from.k_stride;
    count += from.f32 ? from.f32[at] != 0.0f : from.i8[at] != 0;
  }
  return count;
}

void pack(const Vectors& from, unsigned count, unsigned width, uint64_t k, bool integer, PackedWeights& out) {
  if (integer) {
    const size_t at = out.i16.size();
    out.i16.resize(at + pairs_of(k) * width);
    pack_i16(from, count, width, k, 0, out.i16.data() + at);
  } else {
    const size_t at = out.f32.size();
    out.f32.resize(at + k * width);
    pack_f32(from, count, width, k, out.f32.data() + at);
  }
}

}  // namespace

void pack_f32(const Vectors& from, unsigned count, unsigned width, uint64_t k, float* out) {
  in_memory_order(from, count, k, [&](uint64_t i, unsigned j) {
    const uint64_t at = j * from.stride + i * from.k_stride;
    out[i * width + j] = from.f32 ? from.f32[at] : static_cast<float>(from.i8[at]);
  });
}

void pack_i16(const Vectors& from, unsigned count, unsigned width, uint64_t k, int32_t zero, int32_t* out) {
  int16_t* half = reinterpret_cast<int16_t*>(out);
  in_memory_order(from, count, k, [&](uint64_t i, unsigned j) {
    half[(i / 2 * width + j) * 2 + i % 2] = static_cast<int16_t>(from.i8[j * from.stride + i * from.k_stride] - zero);
  });
}

uint64_t packed_bytes(const abi::GemmGeometry& g, bool integer, unsigned panel, const std::string& where) {
  const uint64_t panels = (static_cast<uint64_t>(g.n) + panel - 1) / panel;
  return product({products_of(g), panels, panel, depth_of(g.k, integer), sizeof(float)}, where);
}

uint64_t packed_bytes(const abi::VolumeGeometry& g, bool integer, const std::string& where) {
  return product({g.out_channels, depth_of(depth_of(g), integer), sizeof(float)}, where);
}

PackedWeights pack_gemm(const abi::GemmGeometry& g, Vectors rhs, bool integer, unsigned panel) {
  PackedWeights out;
  rhs.stride = g.rhs_n_stride;
  rhs.k_stride = g.rhs_k_stride;
  for (uint64_t b = 0; b < products_of(g); ++b) {
    for (uint64_t n = 0; n < g.n; n += panel) {
      const unsigned count = static_cast<unsigned>(std::min<uint64_t>(panel, g.n - n));
      pack(rhs.at(b * g.rhs_batch_stride + n * g.rhs_n_stride), count, panel, g.k, integer, out);
    }
  }
  return out;
}

PackedWeights pack_conv(const abi::VolumeGeometry& g, Vectors rhs, bool integer, unsigned rows) {
  PackedWeights out;
  const uint64_t k = depth_of(g), channels = g.out_channels / g.groups;
  rhs.stride = k;
  rhs.k_stride = 1;
  for (uint64_t group = 0; group < g.groups; ++group) {
    for (uint64_t c = 0; c < channels; c += rows) {
      const unsigned count = static_cast<unsigned>(std::min<uint64_t>(rows, channels - c));
      pack(rhs.at((group * channels + c) * k), count, count, k, integer, out);
    }
  }
  return out;
}

Work work_of(const abi::GemmGeometry& g, const Vectors* rhs) {
  Work work;
  work.all = static_cast<uint64_t>(g.batch) * g.m * g.n * g.k;
  if (!rhs) {
    work.active = work.all;
    return work;
  }
  Vectors weights = *rhs;
  weights.stride = g.rhs_n_stride;
  weights.k_stride = g.rhs_k_stride;
  const uint64_t products = products_of(g), uses = g.m * (g.batch / products);
  for (uint64_t b = 0; b < products; ++b)
    for (uint64_t n = 0; n < g.n; ++n) work.active += uses * nonzero(weights.at(b * g.rhs_batch_stride), n, g.k);
  return work;
}

Work work_of(const abi::VolumeGeometry& g, const Vectors* rhs) {
  Work work;
  const uint64_t channels = g.in_channels / g.groups;
  const uint64_t taps = static_cast<uint64_t>(g.kernel_depth) * g.kernel_height * g.kernel_width;
  // Outputs that tap (z, y, x), number `tap`, reaches on the input.
  const auto count = [&](uint64_t tap, uint64_t outputs) {
    work.all += outputs * g.out_channels * channels;
    if (!rhs) return;
    Vectors weights = rhs->at(tap);
    weights.stride = depth_of(g);
    weights.k_stride = taps;
    for (uint64_t c = 0; c < g.out_channels; ++c) work.active += outputs * nonzero(weights, c, channels);
  };
  for (uint64_t z = 0; z < g.kernel_depth; ++z) {
    const uint64_t planes =
        g.batch * positions(z, g.out_depth, g.in_depth, g.stride_depth, g.dilation_depth, g.pad_front);
    for (uint64_t y = 0; y < g.kernel_height && planes; ++y) {
      const uint64_t lines =
          planes * positions(y, g.out_height, g.in_height, g.stride_height, g.dilation_height, g.pad_top);
      for (uint64_t x = 0; x < g.kernel_width && lines; ++x)
        count((z * g.kernel_height + y) * g.kernel_width + x,
              lines * positions(x, g.out_width, g.in_width, g.stride_width, g.dilation_width, g.pad_left));
    }
  }
  if (!rhs) work.active = work.all;
  return work;
}

uint64_t positions(uint64_t tap, uint64_t out, uint64_t in, uint64_t stride, uint64_t dilation, uint64_t pad) {
  // Output o reads input o * stride + tap * dilation - pad.
  const uint64_t shift = tap * dilation;
  if (shift >= in + pad) return 0;
  const uint64_t first = shift >= pad ? 0 : (pad - shift + stride - 1) / stride;
  const uint64_t end = std::min(out, (in + pad - shift - 1) / stride + 1);
  return end > first ? end - first : 0;
}

}  // namespace tfmbs
