// Operands of a multiplication in the order in which the tiles read them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "kernels.h"
#include "words.h"

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

// Elements of a vector in one word.
inline uint64_t step_of(Words words) {
  switch (words) {
    case Words::F32: return 1;
    case Words::PAIRS: return 2;
    case Words::QUADS:
    case Words::BYTES: return 4;
    case Words::NIBBLES: return 8;
    case Words::RESIDUES:
    case Words::BYTE_ROWS: break;  // not in words
  }
  return 1;
}
// Words of a vector of k elements; what fills up the last one of weights is zero.
inline uint64_t depth_of(uint64_t k, Words words) { return k / step_of(words) + (k % step_of(words) != 0); }

// Word i of vector j goes to out[i * width + j], for j < count; the rest of `out` stays as it is, but for NIBBLES,
// whose vectors fill up all words.
void pack_weights(const Vectors& from, unsigned count, unsigned width, uint64_t k, Words words, uint32_t* out);
// The same for the operand whose zero point is `zero`, integers only; beside NIBBLES it is two words of four i8 for
// each of theirs, as they are.
void pack_activations(const Vectors& from, unsigned count, unsigned width, uint64_t k, int32_t zero, Words words,
                      uint32_t* out);
// QUADS of activations in blocks of `words` words of k, in each of which all vectors follow each other, with room for
// `padded` of them; what fills up vectors and words may be anything.
void pack_blocks(const Vectors& from, uint64_t count, uint64_t padded, uint64_t k, uint64_t words, uint32_t* out);

// What the product of zero activations is short of what integer tiles make of them: tiles of QUADS compute
// sum((x + 128) * w), which exceeds sum((x - zero) * w) by (128 + zero) * sum(w). Wraps.
inline uint32_t start_of(Words words, int32_t zero, uint32_t weight_sum) {
  return words == Words::QUADS ? 0u - (128u + static_cast<uint32_t>(zero)) * weight_sum : 0u;
}

inline float float_of(uint32_t word) {
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}
// Element number `at` of a word of packed integer weights.
inline int32_t element_of(Words words, uint32_t word, uint64_t at) {
  return words == Words::QUADS ? static_cast<int8_t>(word >> 8 * at) : static_cast<int16_t>(word >> 16 * at);
}

// Length of the reduction of a convolution.
inline uint64_t depth_of(const abi::VolumeGeometry& g) {
  return static_cast<uint64_t>(g.in_channels / g.groups) * g.kernel_depth * g.kernel_height * g.kernel_width;
}

// With so few output channels per group, as in depthwise convolutions, a convolution goes along rows, not in tiles.
constexpr uint64_t MOST_ROW_CHANNELS = 4;
// With fewer input channels per group, tiles of planes of words would be empty for the most part.
constexpr uint64_t LEAST_TILED_CHANNELS = 16;

// How the weights of a convolution lie: per group, blocks of `width` output channels. They are panels, the last one
// padded with zeros, or all channels where these are few. Of integers, a vector goes over the channels of one tap after
// the other, each tap padded to whole words; of f32, over the taps of one input channel after the other.
struct Filter {
  Filter(const abi::VolumeGeometry& g, Words kind, const Kernels& kernels)
      : words(kind),
        taps(static_cast<uint64_t>(g.kernel_depth) * g.kernel_height * g.kernel_width),
        in(g.in_channels / g.groups),
        out(g.out_channels / g.groups) {
    padded = out > MOST_ROW_CHANNELS;
    tiled = kind == Words::QUADS && padded && kernels.quads.window && in >= LEAST_TILED_CHANNELS &&
            (taps == 1 || kernels.quads.many_taps);
    width = tiled ? QuadWindow::CHANNELS : padded ? kernels.panel : out;
    columns = padded ? (out + width - 1) / width * width : out;
    tap_words = depth_of(in, words);
    if (tiled) tap_words = (tap_words + QuadWindow::STEPS - 1) / QuadWindow::STEPS * QuadWindow::STEPS;
    depth = taps * tap_words;
  }

  // Words before those of channel number `channel` of a group, the first of a block; weights, and sums by vector.
  uint64_t vector(uint64_t group, uint64_t channel) const { return group * columns + channel; }
  uint64_t first(uint64_t group, uint64_t channel) const { return vector(group, channel) * depth; }
  // Weight of channel `channel` of a group for a tap of input channel `from`: its word, and its number in that.
  uint64_t word(uint64_t group, uint64_t channel, uint64_t from, uint64_t tap) const {
    const uint64_t block = channel / width * width;
    const uint64_t row = words == Words::F32 ? from * taps + tap : tap * tap_words + from / step_of(words);
    if (tiled) {
      constexpr uint64_t STEPS = QuadWindow::STEPS;
      return first(group, block) + (row / STEPS * width + (channel - block)) * STEPS + row % STEPS;
    }
    return first(group, block) + row * width + (channel - block);
  }
  unsigned number(uint64_t from) const { return static_cast<unsigned>(from % step_of(words)); }

  Words words;
  uint64_t taps, in, out;              // of a group: taps of a window, input and output channels
  uint64_t width, columns;             // of a block and of a group, with padding
  uint64_t tap_words, depth;           // words of a vector under one tap, and in all
  bool padded;
  bool tiled;  // blocks are panels of QuadWindow
};

// The weights of a launch in blocks, zero where they are padded.
struct PackedWeights {
  AlignedWords words;
  std::vector<uint32_t> sums;  // of QUADS and NIBBLES: of each vector of weights, wrapped, in the order of the blocks
  AlignedWords scales;         // f32, one for each vector of weights that is a group, in the order of the blocks
  bool tiny = false;           // as RealTile says, of these
  const int8_t* bytes = nullptr;      // of BYTE_ROWS: rows in the file, and the scales of their groups
  const float* factors = nullptr;
  const uint8_t* residues = nullptr;  // of RESIDUES: rows, in `words` or in the file; `sums` of each are of its trits
};

// Products of the batch that have weights of their own.
inline uint64_t products_of(const abi::GemmGeometry& g) { return g.rhs_batch_stride ? g.batch : 1; }

// Bytes that packing a launch's weights takes; throws Error where they do not fit 64 bits.
uint64_t packed_bytes(const abi::GemmGeometry& geometry, Words words, unsigned panel, const std::string& where);
uint64_t packed_bytes(const abi::GroupGeometry& geometry, Words words, unsigned panel, const std::string& where);
uint64_t packed_bytes(const abi::VolumeGeometry& geometry, Words words, const Kernels& kernels,
                      const std::string& where);
// GEMM: per product of the batch (one if shared), panels of `panel` columns, the last one padded with zeros.
PackedWeights pack_gemm(const abi::GemmGeometry& geometry, const Vectors& rhs, Words words, unsigned panel);
// The same into `out`, whose memory is used again; its blocks can be packed in any order, and at the same time.
class GemmPacking {
 public:
  GemmPacking(const abi::GemmGeometry& geometry, const Vectors& rhs, Words words, unsigned panel, PackedWeights& out);
  uint64_t blocks() const;
  void pack(uint64_t block) const;

 private:
  const abi::GemmGeometry& g_;
  Vectors rhs_;
  Words words_;
  unsigned panel_;
  uint64_t panels_;  // of one product
  PackedWeights& out_;
};
// GROUP_GEMM: panels of `panel` columns, a block for each group of k and the scales beside them.
PackedWeights pack_groups(const abi::GroupGeometry& geometry, const int8_t* weights, const float* scales, Words words,
                          unsigned panel);
// CONV2D, CONV3D: as Filter says.
PackedWeights pack_conv(const abi::VolumeGeometry& geometry, Vectors rhs, Words words, const Kernels& kernels,
                        PackedWeights reuse = {});

}  // namespace tfmbs
