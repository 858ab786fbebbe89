#include "finite_blocks.h"

#include <algorithm>

namespace tfmbs {

FiniteBlocks::FiniteBlocks(const uint8_t* data, uint64_t size)
    : data_(data), size_(size), count_((size + BLOCK - 1) / BLOCK), blocks_(new std::atomic<uint8_t>[count_]) {
  clear();
}

void FiniteBlocks::clear() {
  for (uint64_t i = 0; i < count_; ++i) blocks_[i].store(FINITE, std::memory_order_relaxed);
}

bool FiniteBlocks::are_finite(const float* low, const float* end, Look look) {
  const auto* const floats = reinterpret_cast<const float*>(data_);
  constexpr uint64_t EACH = BLOCK / sizeof(float);
  for (uint64_t at = static_cast<uint64_t>(low - floats), stop = static_cast<uint64_t>(end - floats); at < stop;) {
    const uint64_t next = std::min(stop, (at / EACH + 1) * EACH);
    if (!is_finite(at / EACH, look) && !look(floats + at, static_cast<uint32_t>(next - at))) return false;
    at = next;
  }
  return true;
}

// Whether all of a block is; what it turns out to be is kept.
bool FiniteBlocks::is_finite(uint64_t block, Look look) {
  const uint8_t known = blocks_[block].load(std::memory_order_relaxed);
  if (known != UNKNOWN) return known == FINITE;
  const uint64_t count = std::min(BLOCK, size_ - block * BLOCK) / sizeof(float);
  const bool finite = look(reinterpret_cast<const float*>(data_ + block * BLOCK), static_cast<uint32_t>(count));
  blocks_[block].store(finite ? FINITE : OTHER, std::memory_order_relaxed);
  return finite;
}

}  // namespace tfmbs
