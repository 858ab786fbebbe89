// Bytes of memories as disjoint intervals, and as runs of one length at equal distances.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

namespace tfmbs::kpu {

// `count` runs of `bytes` in a memory, `stride` apart.
struct Runs {
  int64_t memory, first, bytes, count, stride;
};

// Bytes of memories, as disjoint intervals.
class Intervals {
 public:
  void add(int64_t memory, int64_t low, int64_t high) {
    auto& own = by_memory_[memory];
    auto at = own.upper_bound(low);
    if (at != own.begin() && std::prev(at)->second >= low) {
      --at;
      if (at->second >= high) return;
      low = at->first;
    } else {
      bytes_ += high - low;
      at = own.emplace_hint(at, low, high);
      merge(own, at);
      return;
    }
    bytes_ += high - at->second;
    at->second = high;
    merge(own, at);
  }
  int64_t bytes() const { return bytes_; }
  bool covers(int64_t memory, int64_t low, int64_t high) const {
    const auto own = by_memory_.find(memory);
    if (own == by_memory_.end()) return false;
    const auto at = own->second.upper_bound(low);
    return at != own->second.begin() && std::prev(at)->second >= high;
  }
  void clear() {
    by_memory_.clear();
    bytes_ = 0;
  }
  void add(const Intervals& other) {
    for (const auto& [memory, own] : other.by_memory_)
      for (const auto& [low, high] : own) add(memory, low, high);
  }
  // What `other` has and `covering` has not.
  void add_uncovered(const Intervals& other, const Intervals& covering) {
    for (const auto& [memory, own] : other.by_memory_) {
      const auto found = covering.by_memory_.find(memory);
      for (const auto& [first, high] : own) {
        int64_t low = first;
        if (found != covering.by_memory_.end()) {
          auto at = found->second.upper_bound(low);
          if (at != found->second.begin() && std::prev(at)->second > low) --at;
          for (; at != found->second.end() && at->first < high; ++at) {
            if (at->first > low) add(memory, low, at->first);
            low = std::max(low, at->second);
          }
        }
        if (low < high) add(memory, low, high);
      }
    }
  }
  // With runs of one length at equal distances as one.
  std::vector<Runs> runs() const {
    std::vector<Runs> result;
    for (const auto& [memory, own] : by_memory_)
      for (const auto& [low, high] : own) {
        if (!result.empty()) {
          Runs& last = result.back();
          const int64_t stride = low - (last.first + (last.count - 1) * last.stride);
          if (last.memory == memory && last.bytes == high - low && (last.count == 1 || last.stride == stride)) {
            last.stride = stride;
            ++last.count;
            continue;
          }
        }
        result.push_back({memory, low, high - low, 1, 0});
      }
    return result;
  }

 private:
  using Map = std::map<int64_t, int64_t>;
  void merge(Map& own, Map::iterator at) {
    auto next = std::next(at);
    while (next != own.end() && next->first <= at->second) {
      bytes_ -= std::min(at->second, next->second) - next->first;
      at->second = std::max(at->second, next->second);
      next = own.erase(next);
    }
  }

  std::map<int64_t, Map> by_memory_;
  int64_t bytes_ = 0;
};

}  // namespace tfmbs::kpu
