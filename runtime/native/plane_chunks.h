// Planes of outputs in chunks of whole lines that are equally long, some of which are finished together: of
// neighbouring channels where a plane is one chunk, else of one plane.
#pragma once

#include <algorithm>
#include <cstdint>

#include "launch.h"

namespace tfmbs {

class PlaneChunks {
 public:
  // Lanes that may be written behind the last one of a chunk.
  static constexpr uint64_t LANES_BEHIND = 16;
  // Chunks that are finished together at most.
  static constexpr uint64_t MOST = 8;

  explicit PlaneChunks(const abi::VolumeGeometry& g)
      : width_(g.out_width), lines_(uint64_t{g.out_depth} * g.out_height) {
    const uint64_t most = std::max<uint64_t>(1, abi::VLMAX / width_);
    together_ = std::min(most, lines_);
    while (lines_ % together_) --together_;
    chunks_ = lines_ / together_;
    is_whole_ = chunks_ == 1;
    row_ = is_whole_ ? g.out_channels : chunks_;
    rows_ = uint64_t{g.batch} * (is_whole_ ? 1 : g.out_channels);
    batches_ = (row_ + MOST - 1) / MOST;
  }

  // Whether lines are short enough.
  static bool fits(const abi::VolumeGeometry& g) { return g.out_width <= abi::VLMAX; }

  uint64_t lines() const { return together_; }
  uint64_t lanes() const { return together_ * width_; }
  uint64_t batches() const { return rows_ * batches_; }
  // Batches of a plane.
  uint64_t batches_of_plane() const { return is_whole_ ? 1 : batches_; }
  // From the lanes of a chunk to those of the next.
  uint64_t stride() const { return (lanes() + 15) / 16 * 16 + LANES_BEHIND; }
  static constexpr uint64_t most_words() { return MOST * (abi::VLMAX + 15 + LANES_BEHIND); }

  // sum(plane, first line, lanes) for each chunk of a batch, then finishes all.
  template <class Sum>
  void batch(const Engine& engine, const Bound& bound, Worker& worker, uint64_t batch, Sum sum) const {
    const uint64_t first = batch / batches_ * row_ + batch % batches_ * MOST;
    const uint64_t count = std::min(MOST, row_ - batch % batches_ * MOST);
    for (uint64_t i = 0; i < count; ++i)
      sum((first + i) / chunks_, (first + i) % chunks_ * together_, worker.accumulators.data() + i * stride());
    const uint32_t channel = static_cast<uint32_t>(first / chunks_ % bound.launch.volume.out_channels);
    finish_chunks(engine, bound, worker, worker.accumulators.data(),
                  {first * lanes(), channel, 0, static_cast<uint32_t>(lanes())},
                  {count, stride(), lanes(), is_whole_ ? uint64_t{1} : uint64_t{0}});
  }

 private:
  uint64_t width_, lines_, together_, chunks_, row_, rows_, batches_;
  bool is_whole_;
};

}  // namespace tfmbs
