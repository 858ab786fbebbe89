// Operands of a multiplication in the order in which the tiles read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi.gen.h"

namespace tfmbs {

// `count` vectors of `k` elements each inside an operand; strides in elements. One of the two pointers is set.
struct Vectors {
  const float* f32 = nullptr;
  const int8_t* i8 = nullptr;
  uint64_t stride = 0;    // between two vectors
  uint64_t k_stride = 0;  // between two elements of a vector

  Vectors at(uint64_t element) const {
    return {f32 ? f32 + element : nullptr, i8 ? i8 + element : nullptr, stride, k_stride};
  }
};

// out[i * width + j] = element i of vector j for j < count; the rest of `out` stays as it is.
void pack_f32(const Vectors& from, unsigned count, unsigned width, uint64_t k, float* out);
// The same for i8, `zero` subtracted, two consecutive i in the halves of each element; out has (k + 1) / 2 * width.
// Where k is odd, the last half stays: one of the two operands has a zero there.
void pack_i16(const Vectors& from, unsigned count, unsigned width, uint64_t k, int32_t zero, int32_t* out);

inline uint64_t pairs_of(uint64_t k) { return k / 2 + k % 2; }
// Steps of k that a tile takes: pairs for integers.
inline uint64_t depth_of(uint64_t k, bool integer) { return integer ? pairs_of(k) : k; }
// Length of the reduction of a convolution.
inline uint64_t depth_of(const abi::VolumeGeometry& g) {
  return static_cast<uint64_t>(g.in_channels / g.groups) * g.kernel_depth * g.kernel_height * g.kernel_width;
}

// The weights of a launch in blocks, zero where they are padded. One of the two is used.
struct PackedWeights {
  std::vector<float> f32;
  std::vector<int32_t> i16;
};

// Multiply-accumulates of a launch: all (none on padding), and those whose weight is not a constant zero.
struct Work {
  uint64_t all = 0;
  uint64_t active = 0;
};
// `rhs` are the weights where they are constant, else nullptr: only zeros known beforehand can be skipped.
Work work_of(const abi::GemmGeometry& geometry, const Vectors* rhs);
Work work_of(const abi::VolumeGeometry& geometry, const Vectors* rhs);

// Bytes that packing a launch's weights takes; throws Error where they do not fit 64 bits.
uint64_t packed_bytes(const abi::GemmGeometry& geometry, bool integer, unsigned panel, const std::string& where);
uint64_t packed_bytes(const abi::VolumeGeometry& geometry, bool integer, const std::string& where);
// GEMM: per product of the batch (one if shared), panels of `panel` columns, the last one padded with zeros.
PackedWeights pack_gemm(const abi::GemmGeometry& geometry, Vectors rhs, bool integer, unsigned panel);
// CONV2D, CONV3D: per group, blocks of `rows` output channels, the last one smaller.
PackedWeights pack_conv(const abi::VolumeGeometry& geometry, Vectors rhs, bool integer, unsigned rows);

// Outputs along one axis for which tap number `tap` of the window lies on the input, not on padding.
uint64_t positions(uint64_t tap, uint64_t out, uint64_t in, uint64_t stride, uint64_t dilation, uint64_t pad);

}  // namespace tfmbs
