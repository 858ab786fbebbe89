// What is known of the f32 in the state of a context: which blocks of it are finite numbers only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace tfmbs {

// An attention may leave out hidden keys where their values are finite. Values of a cache are hidden from where a
// decoder is to the end: each step would read all of them to see it. Who stores to the state says so, and what was
// looked at since then is known. Threads may store side by side, and look side by side.
class FiniteBlocks {
 public:
  // Whether some floats are finite.
  using Look = bool (*)(const float* x, uint32_t n);

  // Of memory that is aligned to floats, and zero.
  FiniteBlocks(const uint8_t* data, uint64_t size);

  // All of it is zero again.
  void clear();
  bool has(const void* at) const {
    return reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(data_) < size_;
  }
  // Bytes low…end are about to be stored to.
  void forget(const uint8_t* low, const uint8_t* end) {
    const uint64_t last = static_cast<uint64_t>(end - data_ - 1) / BLOCK;
    for (uint64_t i = static_cast<uint64_t>(low - data_) / BLOCK; i <= last; ++i)
      blocks_[i].store(UNKNOWN, std::memory_order_relaxed);
  }
  // Whether all floats of low…end are finite.
  bool are_finite(const float* low, const float* end, Look look);

 private:
  static constexpr uint64_t BLOCK = 4096;  // bytes
  enum : uint8_t { FINITE, UNKNOWN, OTHER };

  bool is_finite(uint64_t block, Look look);

  const uint8_t* data_;
  uint64_t size_, count_;
  std::unique_ptr<std::atomic<uint8_t>[]> blocks_;
};

}  // namespace tfmbs
