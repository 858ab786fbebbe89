#include "pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "checks.h"
#include "interleave.h"

namespace tfmbs {
namespace {

constexpr float TINY = 0x1p-102f;  // 2^24 times the least normal f32

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

// A block of `width` vectors, `count` of which are those of `from`, the others zero; `sums`: those that tiles of QUADS
// need, or nullptr.
void pack_block(const Vectors& from, unsigned count, unsigned width, uint64_t k, Words words, uint32_t* out,
                uint32_t* sums) {
  const uint64_t depth = depth_of(k, words);
  // Where the block is not filled up by vectors, or a vector does not fill up its last word.
  if (words != Words::NIBBLES && (count < width || k % step_of(words))) std::fill_n(out, depth * width, 0u);
  pack_weights(from, count, width, k, words, out);
  if (!sums) return;
  for (unsigned j = 0; j < width; ++j) {
    uint32_t sum = 0;
    for (uint64_t i = 0; i < k && j < count; ++i)
      sum += static_cast<uint32_t>(from.i8[j * from.stride + i * from.k_stride]);
    sums[j] = sum;
  }
}

// Blocks of vectors, each at the end of what `out` holds.
class Packer {
 public:
  // `reuse` lends its memory.
  Packer(Words words, uint64_t k, uint64_t total, PackedWeights reuse = {})
      : words_(words), sums_(words == Words::QUADS || words == Words::NIBBLES), k_(k), out_(std::move(reuse)) {
    out_.words.clear();
    out_.sums.clear();
    out_.scales.clear();
    out_.words.reserve(total);
  }

  void block(const Vectors& from, unsigned count, unsigned width) {
    const size_t at = out_.words.size(), sum = out_.sums.size();
    out_.words.resize(at + depth_of(k_, words_) * width);
    if (sums_) out_.sums.resize(sum + width);
    pack_block(from, count, width, k_, words_, out_.words.data() + at, sums_ ? out_.sums.data() + sum : nullptr);
  }
  // A panel of QuadWindow of vectors of bytes.
  void tiles(const Vectors& from, unsigned count) {
    constexpr uint64_t CHANNELS = QuadWindow::CHANNELS, BYTES = QuadWindow::STEPS * sizeof(uint32_t);
    const size_t at = out_.words.size(), sum = out_.sums.size();
    out_.words.resize(at + depth_of(k_, words_) * CHANNELS);
    out_.sums.resize(sum + CHANNELS);
    uint8_t* out = reinterpret_cast<uint8_t*>(out_.words.data() + at);
    if (count < CHANNELS) std::memset(out, 0, k_ * CHANNELS);
    for (unsigned j = 0; j < count; ++j) {
      const int8_t* vector = from.i8 + j * from.stride;
      uint32_t total = 0;
      for (uint64_t i = 0; i < k_; ++i) total += static_cast<uint32_t>(vector[i]);
      out_.sums[sum + j] = total;
      for (uint64_t i = 0; i < k_; i += BYTES) std::memcpy(out + i * CHANNELS + j * BYTES, vector + i, BYTES);
    }
  }
  PackedWeights done() { return std::move(out_); }

 private:
  Words words_;
  bool sums_;
  uint64_t k_;
  PackedWeights out_;
};

// Vectors of weights, channel by channel, as vectors of the channels of one tap after the other, each tap in whole
// words.
void order_by_tap(const Vectors& from, unsigned count, const Filter& filter, std::vector<int8_t>& out) {
  const uint64_t length = filter.tap_words * step_of(filter.words);
  out.assign(count * filter.taps * length, 0);
  for (unsigned j = 0; j < count; ++j) {
    const int8_t* x = from.i8 + j * from.stride;
    int8_t* to = out.data() + j * filter.taps * length;
    for (uint64_t channel = 0; channel < filter.in; ++channel)
      for (uint64_t tap = 0; tap < filter.taps; ++tap) to[tap * length + channel] = *x++;
  }
}

// Quads of a vector after the other, each byte with the bits of `flip` inverted.
void pack_quads(const Vectors& from, unsigned count, unsigned width, uint64_t k, uint8_t flip, uint32_t* out) {
  const uint64_t whole = from.k_stride == 1 ? k / 4 : 0;
  if (whole)
    interleave(reinterpret_cast<const uint8_t*>(from.i8), from.stride, count, width, whole, flip * 0x01010101u, out);
  uint8_t* bytes = reinterpret_cast<uint8_t*>(out);
  in_memory_order(from.at(4 * whole * from.k_stride), count, k - 4 * whole, [&](uint64_t i, unsigned j) {
    const uint64_t at = 4 * whole + i;
    bytes[(at / 4 * width + j) * 4 + at % 4] =
        static_cast<uint8_t>(from.i8[j * from.stride + at * from.k_stride]) ^ flip;
  });
}

// Two rows of quads to a row of nibbles.
void pack_nibbles(const Vectors& from, unsigned count, unsigned width, uint64_t k, uint32_t* out) {
  constexpr uint32_t EIGHTS = 0x08080808u, LOW = 0x0f0f0f0fu;
  const uint64_t words = depth_of(k, Words::NIBBLES);
  std::vector<uint32_t> quads(2 * words * width);
  pack_quads(from, count, width, k, 0, quads.data());
  // In two's complement, 8 more is another highest bit.
  const auto nibbles = [&](uint64_t row, unsigned j) { return (quads[row * width + j] ^ EIGHTS) & LOW; };
  for (uint64_t i = 0; i < words; ++i)
    for (unsigned j = 0; j < width; ++j) out[i * width + j] = nibbles(2 * i, j) | nibbles(2 * i + 1, j) << 4;
}

void pack_pairs(const Vectors& from, unsigned count, unsigned width, uint64_t k, int32_t zero, uint32_t* out) {
  int16_t* half = reinterpret_cast<int16_t*>(out);
  in_memory_order(from, count, k, [&](uint64_t i, unsigned j) {
    half[(i / 2 * width + j) * 2 + i % 2] = static_cast<int16_t>(from.i8[j * from.stride + i * from.k_stride] - zero);
  });
}

void pack_f32(const Vectors& from, unsigned count, unsigned width, uint64_t k, uint32_t* out) {
  if (from.f32 && from.k_stride == 1)
    return interleave(reinterpret_cast<const uint8_t*>(from.f32), from.stride * sizeof(float), count, width, k, 0, out);
  if (from.f32 && from.stride == 1) {
    for (uint64_t i = 0; i < k; ++i)
      std::memcpy(out + i * width, from.f32 + i * from.k_stride, count * sizeof(float));
    return;
  }
  float* floats = reinterpret_cast<float*>(out);
  in_memory_order(from, count, k, [&](uint64_t i, unsigned j) {
    const uint64_t at = j * from.stride + i * from.k_stride;
    floats[i * width + j] = from.f32 ? from.f32[at] : static_cast<float>(from.i8[at]);
  });
}

}  // namespace

void pack_weights(const Vectors& from, unsigned count, unsigned width, uint64_t k, Words words, uint32_t* out) {
  switch (words) {
    case Words::F32: return pack_f32(from, count, width, k, out);
    case Words::PAIRS: return pack_pairs(from, count, width, k, 0, out);
    case Words::QUADS:
    case Words::BYTES: return pack_quads(from, count, width, k, 0, out);
    case Words::RESIDUES:  // rows of trits are packed by themselves
    case Words::BYTE_ROWS: return;  // they stay as they are
    case Words::NIBBLES: return pack_nibbles(from, count, width, k, out);
  }
}

void pack_activations(const Vectors& from, unsigned count, unsigned width, uint64_t k, int32_t zero, Words words,
                      uint32_t* out) {
  switch (words) {
    case Words::F32: return pack_f32(from, count, width, k, out);
    case Words::PAIRS: return pack_pairs(from, count, width, k, zero, out);
    case Words::QUADS: return pack_quads(from, count, width, k, 0x80, out);  // x + 128
    case Words::RESIDUES:  // activations of trits and of rows in the file are not in words
    case Words::BYTE_ROWS:
    case Words::BYTES: return;  // those of weights that become f32 are F32
    case Words::NIBBLES: return pack_quads(from, count, width, k, 0, out);
  }
}

namespace {

// Each byte by 128 more, of whole eights; returns how many.
uint64_t flip_signs(const int8_t* from, uint64_t count, uint8_t* out) {
  const uint64_t whole = count / sizeof(uint64_t) * sizeof(uint64_t);
  for (uint64_t i = 0; i < whole; i += sizeof(uint64_t)) {
    uint64_t bytes;
    std::memcpy(&bytes, from + i, sizeof bytes);
    bytes ^= 0x8080808080808080u;
    std::memcpy(out + i, &bytes, sizeof bytes);
  }
  return whole;
}

}  // namespace

void pack_blocks(const Vectors& from, uint64_t count, uint64_t padded, uint64_t k, uint64_t words, uint32_t* out) {
  const uint64_t bytes = words * sizeof(uint32_t);
  for (uint64_t j = 0; j < count; ++j) {
    const int8_t* vector = from.i8 + j * from.stride;
    uint8_t* to = reinterpret_cast<uint8_t*>(out + j * words);
    for (uint64_t i = 0; i < k; i += bytes, to += padded * bytes) {
      const uint64_t length = std::min(bytes, k - i);
      const uint64_t done = from.k_stride == 1 ? flip_signs(vector + i, length, to) : 0;
      for (uint64_t b = done; b < length; ++b) to[b] = static_cast<uint8_t>(vector[(i + b) * from.k_stride]) ^ 0x80u;
    }
  }
}

uint64_t packed_bytes(const abi::GemmGeometry& g, Words words, unsigned panel, const std::string& where) {
  const uint64_t columns = (static_cast<uint64_t>(g.n) + panel - 1) / panel * panel;
  return product({products_of(g), columns, depth_of(g.k, words) + (words == Words::QUADS), sizeof(uint32_t)}, where);
}

uint64_t packed_bytes(const abi::GroupGeometry& g, Words words, unsigned panel, const std::string& where) {
  const uint64_t columns = (static_cast<uint64_t>(g.n) + panel - 1) / panel * panel;
  return product({columns, g.k / g.group, depth_of(g.group, words) + 2, sizeof(uint32_t)}, where);
}

uint64_t packed_bytes(const abi::VolumeGeometry& g, Words words, const Kernels& kernels, const std::string& where) {
  const Filter filter(g, words, kernels);
  return product({g.groups, filter.columns, filter.depth + (words == Words::QUADS), sizeof(uint32_t)}, where);
}

GemmPacking::GemmPacking(const abi::GemmGeometry& geometry, const Vectors& rhs, Words words, unsigned panel,
                         PackedWeights& out)
    : g_(geometry), rhs_(rhs), words_(words), panel_(panel), panels_((uint64_t{g_.n} + panel - 1) / panel), out_(out) {
  rhs_.stride = g_.rhs_n_stride;
  rhs_.k_stride = g_.rhs_k_stride;
  out.words.resize(blocks() * panel * depth_of(g_.k, words));
  out.sums.resize(words == Words::QUADS ? blocks() * panel : 0);
}

uint64_t GemmPacking::blocks() const { return products_of(g_) * panels_; }

void GemmPacking::pack(uint64_t block) const {
  const uint64_t product = block / panels_, n = block % panels_ * panel_;
  const unsigned count = static_cast<unsigned>(std::min<uint64_t>(panel_, g_.n - n));
  pack_block(rhs_.at(product * g_.rhs_batch_stride + n * g_.rhs_n_stride), count, panel_, g_.k, words_,
             out_.words.data() + block * panel_ * depth_of(g_.k, words_),
             words_ == Words::QUADS ? out_.sums.data() + block * panel_ : nullptr);
}

PackedWeights pack_gemm(const abi::GemmGeometry& g, const Vectors& rhs, Words words, unsigned panel) {
  PackedWeights out;
  const GemmPacking packing(g, rhs, words, panel, out);
  for (uint64_t block = 0; block < packing.blocks(); ++block) packing.pack(block);
  return out;
}

PackedWeights pack_groups(const abi::GroupGeometry& g, const int8_t* weights, const float* scales, Words words,
                          unsigned panel) {
  const uint64_t groups = g.k / g.group, k = g.k;
  const uint64_t columns = (static_cast<uint64_t>(g.n) + panel - 1) / panel * panel;
  Packer packer(words, g.group, columns * groups * depth_of(g.group, words));
  AlignedWords packed_scales;
  packed_scales.reserve(columns * groups);
  bool tiny = false;
  for (uint64_t n = 0; n < g.n; n += panel) {
    const unsigned count = static_cast<unsigned>(std::min<uint64_t>(panel, g.n - n));
    Vectors from;
    from.stride = k;
    from.k_stride = 1;
    for (uint64_t group = 0; group < groups; ++group) {
      from.i8 = weights + n * k + group * g.group;
      packer.block(from, count, panel);
      const size_t at = packed_scales.size();
      packed_scales.resize(at + panel);
      for (unsigned j = 0; j < count; ++j) {
        const float scale = scales[(n + j) * groups + group];
        tiny |= scale != 0.0f && std::fabs(scale) < TINY;
        std::memcpy(&packed_scales[at + j], &scale, sizeof scale);
      }
    }
  }
  PackedWeights out = packer.done();
  out.scales = std::move(packed_scales);
  out.tiny = tiny;
  return out;
}

PackedWeights pack_conv(const abi::VolumeGeometry& g, Vectors rhs, Words words, const Kernels& kernels,
                        PackedWeights reuse) {
  const Filter filter(g, words, kernels);
  const uint64_t k = depth_of(g), length = words == Words::F32 ? k : filter.depth * step_of(words);
  Packer packer(words, length, g.groups * filter.columns * filter.depth, std::move(reuse));
  rhs.stride = k;
  rhs.k_stride = 1;
  std::vector<int8_t> by_tap;
  for (uint64_t group = 0; group < g.groups; ++group) {
    for (uint64_t c = 0; c < filter.out; c += filter.width) {
      const unsigned count = static_cast<unsigned>(std::min(filter.width, filter.out - c));
      Vectors block = rhs.at((group * filter.out + c) * k);
      if (words != Words::F32) {
        order_by_tap(block, count, filter, by_tap);
        block.i8 = by_tap.data();
        block.stride = length;
      }
      if (filter.tiled) packer.tiles(block, count);
      else packer.block(block, count, static_cast<unsigned>(filter.width));
    }
  }
  return packer.done();
}

}  // namespace tfmbs
