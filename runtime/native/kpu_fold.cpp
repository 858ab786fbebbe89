// Tiles of products in an array: the kernels of the emulator on bytes of L1, in the order of the contract.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "gather.h"
#include "kpu_jobs.h"
#include "pack.h"
#include "trits.h"

namespace tfmbs::kpu {
namespace {

// One tile of a product and what it needs.
class Fold {
 public:
  Fold(const Kernels& kernels, const Launch& launch, const movement::Fold& p, const Memories& memories,
       Scratchpad& scratchpad)
      : kernels_(kernels), launch_(launch), p_(p), pad_(scratchpad) {
    words_ = p.is_float ? Words::F32 : kernels.integers.words;
    k_ = static_cast<uint64_t>(p.depth);
    depth_ = depth_of(k_, words_);
    const int64_t elements = p.is_window ? p.rows * p.depth : (p.rows - 1) * p.lhs_stride + p.depth;
    const int64_t lhs_bytes = elements * (p.is_float ? 4 : 1);
    const uint8_t* lhs = memories.at(p.memory, p.lhs, lhs_bytes);
    if (p.is_float) lhs_.f32 = reinterpret_cast<const float*>(lhs);
    else lhs_.i8 = reinterpret_cast<const int8_t*>(lhs);
    lhs_.stride = p.is_window ? 1 : static_cast<uint64_t>(p.lhs_stride);
    lhs_.k_stride = p.is_window ? static_cast<uint64_t>(p.rows) : 1;
    rhs(memories.at(p.memory, p.rhs, p.columns * p.rhs_row_bytes));
    const int64_t lines = p.is_window ? p.columns : p.rows, line = p.is_window ? p.rows : p.columns;
    sums_ = reinterpret_cast<uint32_t*>(memories.at(p.memory, p.sums, ((lines - 1) * p.sums_stride + line) * 4));
    for (int64_t i = 0; p.is_first && i < lines; ++i) std::fill_n(sums_ + i * p.sums_stride, line, 0u);
  }

  // Rows of activations against panels of weights.
  void matrix() {
    const unsigned panel = kernels_.panel;
    const uint64_t rows = static_cast<uint64_t>(p_.rows), columns = static_cast<uint64_t>(p_.columns);
    pad_.rhs.assign((columns + panel - 1) / panel * panel * depth_, 0);
    for (uint64_t c = 0; c < columns; c += panel)
      pack_weights(rhs_.at(c * rhs_.stride), width(columns - c, panel), panel, k_, words_, pad_.rhs.data() + c * depth_);
    for (uint64_t r = 0; r < rows; r += kernels_.rows) {
      const unsigned height = width(rows - r, kernels_.rows);
      pad_.lhs.assign(depth_ * height, 0);
      pack_activations(lhs_.at(r * lhs_.stride), height, height, k_, lhs_zero(), words_, pad_.lhs.data());
      for (uint64_t c = 0; c < columns; c += panel)
        tile({r, c, height, width(columns - c, panel), static_cast<uint64_t>(p_.sums_stride)}, kernels_.integers.activations, pad_.lhs.data(),
             pad_.rhs.data() + c * depth_, nullptr);
    }
  }

  // Blocks of channels against panels of pixels.
  void windows() {
    const unsigned panel = kernels_.panel;
    const uint64_t pixels = static_cast<uint64_t>(p_.rows), channels = static_cast<uint64_t>(p_.columns);
    const WindowRows rows(launch_.volume);
    pad_.lhs.assign(channels * depth_, 0);
    for (uint64_t c = 0; c < channels; c += kernels_.rows) {
      const unsigned height = width(channels - c, kernels_.rows);
      pack_weights(rhs_.at(c * rhs_.stride), height, height, k_, words_, pad_.lhs.data() + c * depth_);
    }
    Segments segments;
    for (uint64_t x = 0; x < pixels; x += panel) {
      const unsigned count = width(pixels - x, panel);
      pad_.rhs.assign(depth_ * panel, 0);
      pack_activations(lhs_.at(x), count, panel, k_, lhs_zero(), words_, pad_.rhs.data());
      const uint32_t* valid = nullptr;
      if (words_ == Words::F32) {
        segments.find(launch_.volume, rows, static_cast<uint64_t>(p_.pixel) + x, count);
        if (!segments.whole) valid = absent(segments);
      }
      for (uint64_t c = 0; c < channels; c += kernels_.rows) {
        const unsigned height = width(channels - c, kernels_.rows);
        tile({c, x, height, count, static_cast<uint64_t>(p_.sums_stride)}, kernels_.integers.weights, pad_.lhs.data() + c * depth_, pad_.rhs.data(),
             valid);
      }
    }
  }

 private:
  // Rows and columns of the sums as they lie in L1.
  struct Block {
    uint64_t row, column;
    unsigned rows, columns;
    uint64_t stride;
  };

  static unsigned width(uint64_t left, unsigned most) { return static_cast<unsigned>(std::min<uint64_t>(left, most)); }
  int32_t lhs_zero() const { return static_cast<int32_t>(p_.lhs_zero); }

  void rhs(const uint8_t* data) {
    const auto packing = static_cast<abi::Packing>(p_.packing);
    rhs_.stride = k_;
    rhs_.k_stride = 1;
    if (packing != abi::Packing::DENSE) {
      pad_.unpacked = unpack_elements(data, static_cast<uint64_t>(p_.columns), k_, packing, launch_.name);
      rhs_.i8 = pad_.unpacked.data();
    } else if (p_.rhs_is_float) {
      rhs_.f32 = reinterpret_cast<const float*>(data);
    } else {
      rhs_.i8 = reinterpret_cast<const int8_t*>(data);
    }
    if (words_ != Words::QUADS) return;
    pad_.sums.assign(static_cast<size_t>(p_.columns), 0);
    for (size_t j = 0; j < pad_.sums.size(); ++j)
      for (uint64_t i = 0; i < k_; ++i) pad_.sums[j] += static_cast<uint32_t>(rhs_.i8[j * k_ + i]);
  }

  // Of each step, the pixels that its tap reaches.
  const uint32_t* absent(const Segments& segments) {
    const uint64_t taps = segments.columns.size();
    pad_.valid.resize(k_);
    for (uint64_t k = 0; k < k_; ++k) pad_.valid[k] = segments.columns[k % taps];
    return pad_.valid.data();
  }

  void tile(const Block& block, TileFn integers, const uint32_t* a, const uint32_t* b, const uint32_t* valid) {
    const unsigned panel = kernels_.panel;
    pad_.out.assign(block.rows * panel, 0);
    const auto sum = [&](unsigned r) { return sums_ + (block.row + r) * block.stride + block.column; };
    if (words_ == Words::F32) {
      for (unsigned r = 0; r < block.rows; ++r) std::memcpy(&pad_.out[r * panel], sum(r), block.columns * 4);
      kernels_.tile_f32(block.rows, depth_, reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b), valid,
                        reinterpret_cast<float*>(pad_.out.data()), panel);
      for (unsigned r = 0; r < block.rows; ++r) std::memcpy(sum(r), &pad_.out[r * panel], block.columns * 4);
      return;
    }
    integers(block.rows, depth_, a, b, reinterpret_cast<int32_t*>(pad_.out.data()), panel);
    for (unsigned r = 0; r < block.rows; ++r)
      for (unsigned c = 0; c < block.columns; ++c) {
        const uint64_t channel = p_.is_window ? block.row + r : block.column + c;
        const uint32_t start = words_ == Words::QUADS ? start_of(words_, lhs_zero(), pad_.sums[channel]) : 0;
        sum(r)[c] += pad_.out[r * panel + c] + start;
      }
  }

  const Kernels& kernels_;
  const Launch& launch_;
  const movement::Fold& p_;
  Scratchpad& pad_;
  Words words_;
  uint64_t k_, depth_;
  Vectors lhs_, rhs_;
  uint32_t* sums_;
};

// Blocks of input rows in L2.
class Blocks {
 public:
  Blocks(const movement::Gather& p, const int64_t* list, const abi::VolumeGeometry& g, const Memories& memories)
      : p_(p), list_(list), g_(g), memories_(memories) {}

  // Element `at` of an input channel (planes, rows, columns) in the first channel of its block, and elements between
  // two channels there.
  std::pair<const uint8_t*, uint64_t> find(uint64_t at) const {
    const uint64_t line = at / g_.in_width, column = at % g_.in_width, size = static_cast<uint64_t>(p_.rows_per_block);
    const uint64_t plane = line / g_.in_height, row = line % g_.in_height;
    const uint64_t per_plane = (g_.in_height + size - 1) / size, block = plane * per_plane + row / size;
    for (int64_t i = 0; i < p_.blocks; ++i) {
      if (static_cast<uint64_t>(list_[2 * i]) != block) continue;
      const uint64_t rows = std::min<uint64_t>(size, g_.in_height - row / size * size), channel = rows * g_.in_width;
      const uint8_t* first = memories_.at(static_cast<int64_t>(movement::Memory::L2), list_[2 * i + 1],
                                          static_cast<int64_t>(channel) * p_.channels * p_.element_bytes);
      return {first + (row % size * g_.in_width + column) * static_cast<uint64_t>(p_.element_bytes), channel};
    }
    throw Error("device", "kpu", "a window reaches input row " + std::to_string(line) + ", whose block is not in L2");
  }

 private:
  const movement::Gather& p_;
  const int64_t* list_;
  const abi::VolumeGeometry& g_;
  const Memories& memories_;
};

template <class T>
void gather_pixels(const movement::Gather& p, const Blocks& blocks, const abi::VolumeGeometry& g, T zero, T* out) {
  const uint64_t taps = static_cast<uint64_t>(g.kernel_depth) * g.kernel_height * g.kernel_width;
  const uint64_t channels = static_cast<uint64_t>(p.channels), rows = static_cast<uint64_t>(p.rows);
  std::fill_n(out, channels * taps * rows, zero);
  const WindowRows window(g);
  window.visit(static_cast<uint64_t>(p.pixel), static_cast<uint32_t>(rows),
               [&](uint32_t lane, uint32_t count, uint64_t tap, uint64_t at) {
                 const auto [first, stride] = blocks.find(at);
                 const T* from = reinterpret_cast<const T*>(first);
                 T* to = out + tap * rows + lane;
                 for (uint64_t c = 0; c < channels; ++c, from += stride, to += taps * rows)
                   for (uint32_t i = 0; i < count; ++i) to[i] = from[i * static_cast<uint64_t>(g.stride_width)];
               });
}

}  // namespace

void Jobs::fold(const movement::Movement& movement, const int64_t* parameters) {
  movement::Fold p;
  std::memcpy(&p, parameters, sizeof p);
  Fold fold(image_.kernels(), launch(movement.launch), p, memories_, scratchpad_);
  if (p.is_window) fold.windows();
  else fold.matrix();
}

int64_t Jobs::gather(const movement::Movement& movement, const int64_t* parameters) const {
  movement::Gather p;
  std::memcpy(&p, parameters, sizeof p);
  const abi::VolumeGeometry& g = launch(movement.launch).volume;
  const Blocks blocks(p, parameters + sizeof p / sizeof(int64_t), g, memories_);
  const int64_t taps = static_cast<int64_t>(g.kernel_depth) * g.kernel_height * g.kernel_width;
  const int64_t moved = p.channels * taps * p.rows * p.element_bytes;
  uint8_t* out = memories_.at(p.memory, p.address, moved);
  if (p.element_bytes == 4) gather_pixels<float>(p, blocks, g, 0.0f, reinterpret_cast<float*>(out));
  else gather_pixels<int8_t>(p, blocks, g, static_cast<int8_t>(p.zero), reinterpret_cast<int8_t*>(out));
  return moved;
}

}  // namespace tfmbs::kpu
