// Pixels under the taps of windows, from blocks of input rows in L2 to a tile in L1.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "gather.h"
#include "kpu_jobs.h"

namespace tfmbs::kpu {
namespace {

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
