// Weights in the order of the kernels, made when a launch first needs them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "pack.h"

namespace tfmbs {

// Weights in the order of the kernels, and how many of them are not zero: of a convolution for each tap, else of all.
struct StoredWeights {
  PackedWeights packed;
  std::vector<uint64_t> nonzero;
};

// Made once, by the first thread that asks, while others wait. What `make` throws is thrown again by whoever asks
// later.
class LazyWeights {
 public:
  explicit LazyWeights(std::function<StoredWeights()> make) : make_(std::move(make)) {}

  const StoredWeights& get() const {
    if (!made_.load(std::memory_order_acquire)) {
      const std::lock_guard<std::mutex> lock(making_);
      if (!made_.load(std::memory_order_relaxed)) {
        stored_ = make_();
        make_ = nullptr;
        made_.store(true, std::memory_order_release);
      }
    }
    return stored_;
  }

 private:
  mutable std::function<StoredWeights()> make_;
  mutable StoredWeights stored_;
  mutable std::mutex making_;
  mutable std::atomic<bool> made_{false};
};

// A number that is counted when it is first asked for; threads that ask at once count the same.
class LazyCount {
 public:
  explicit LazyCount(std::function<uint64_t()> count) : count_(std::move(count)) {}

  uint64_t get() const {
    uint64_t value = value_.load(std::memory_order_relaxed);
    if (value == UNKNOWN) value_.store(value = count_(), std::memory_order_relaxed);
    return value;
  }

 private:
  static constexpr uint64_t UNKNOWN = ~uint64_t{0};
  std::function<uint64_t()> count_;
  mutable std::atomic<uint64_t> value_{UNKNOWN};
};

}  // namespace tfmbs
