#include "kpu_memory.h"

#include "error.h"

namespace tfmbs::kpu {

using movement::Memory;

Memories::Memories(const Image& image, const MemorySizes& sizes)
    : weights_(image.weights()),
      scratch_(image.scratch_bytes()),
      state_(image.state_bytes()),
      workspace_(0),
      l3_(sizes.l3),
      l2_(sizes.l2),
      l1_(sizes.l1 * sizes.tiles),
      l1_size_(sizes.l1) {}

void Memories::bind(const std::vector<Buffer>& inputs, const std::vector<Buffer>& outputs) {
  inputs_ = &inputs;
  outputs_ = &outputs;
}

void Memories::reserve(uint64_t workspace) {
  if (workspace > workspace_.size()) workspace_ = Arena(workspace);
}

Buffer Memories::of(int64_t memory) const {
  const auto argument = [&](const std::vector<Buffer>& buffers, Memory first) {
    const uint64_t slot = static_cast<uint64_t>(memory - static_cast<int64_t>(first));
    return slot < buffers.size() ? buffers[slot] : Buffer{};
  };
  switch (static_cast<Memory>(memory)) {
    // What is written to them is refused when the image is loaded.
    case Memory::WEIGHTS: return {const_cast<uint8_t*>(weights_.data), weights_.size};
    case Memory::SCRATCH: return {scratch_.data(), scratch_.size()};
    case Memory::STATE: return {state_.data(), state_.size()};
    case Memory::WORKSPACE: return {workspace_.data(), workspace_.size()};
    case Memory::L3: return {l3_.data(), l3_.size()};
    case Memory::L2: return {l2_.data(), l2_.size()};
    default: break;
  }
  if (memory >= static_cast<int64_t>(Memory::OUTPUT)) return argument(*outputs_, Memory::OUTPUT);
  if (memory >= static_cast<int64_t>(Memory::INPUT)) return argument(*inputs_, Memory::INPUT);
  const uint64_t first = static_cast<uint64_t>(memory - static_cast<int64_t>(Memory::L1)) * l1_size_;
  if (memory < static_cast<int64_t>(Memory::L1) || first >= l1_.size()) return {};
  return {l1_.data() + first, l1_size_};
}

uint8_t* Memories::at(int64_t memory, int64_t first, int64_t size) const {
  const Buffer buffer = of(memory);
  const uint64_t low = static_cast<uint64_t>(first), bytes = static_cast<uint64_t>(size);
  if (first < 0 || size < 0 || low > buffer.size || bytes > buffer.size - low)
    throw Error("device", "kpu",
                "bytes " + std::to_string(first) + " to " + std::to_string(first + size) + " of memory " +
                    std::to_string(memory) + ", which has " + std::to_string(buffer.size));
  return buffer.data + low;
}

}  // namespace tfmbs::kpu
