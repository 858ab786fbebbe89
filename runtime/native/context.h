// What one run needs: memory, registers, counters.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "bindings.h"
#include "finite_blocks.h"
#include "image.h"
#include "pixel_tiles.h"
#include "plan.h"
#include "workers.h"

namespace tfmbs {

using Clock = std::chrono::steady_clock;

inline uint64_t nanoseconds(Clock::duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

// What one launch did in the last run.
struct LaunchCounters {
  uint64_t operations = 0;  // multiply-accumulates or pooling taps
  uint64_t active = 0;      // those whose weight is not a constant zero
  VectorCounters vector;
  uint64_t start_ns = 0;  // since the start of the run
  uint64_t wall_ns = 0;

  // Sets the operations of a launch, which do not depend on who does them.
  void count(const Launch& launch);
  void add(const VectorCounters& done);
};

// Zeroed memory, aligned to 64 bytes.
class Arena {
 public:
  explicit Arena(uint64_t size);
  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  void clear();

 private:
  std::unique_ptr<void, void (*)(void*)> memory_;
  uint8_t* data_;
  uint64_t size_;
};

// Buffers of one thread.
struct Worker {
  explicit Worker(const Kernels& kernels) : machine(kernels) {}

  Machine machine;
  AlignedWords accumulators;  // rows of VLMAX, or of a unit for matrices
  AlignedWords panel;         // inputs of a convolution as its tiles take them
  // Of an attention: scores, with what its tiles take, and of which group of heads how much of that is there.
  std::vector<float, CacheLines<float>> scores;
  struct Heads {
    uint64_t group = UINT64_MAX, keys = 0, values = 0;
    uint64_t looked_at = 0;  // values from this one on are finite
  } heads;
  std::vector<const uint32_t*> pixels;  // where the words of pixels start
  PixelTiles tiles;
  std::vector<size_t> lines;  // of an input under a line of outputs, and their weights
  // Of the first worker, for all: taps across vectors of outputs; whether a line has the rows of taps of the one
  // before.
  std::vector<LineBlock> line_blocks;
  std::vector<bool> same_lines;
  std::vector<uint16_t> plane_masks;  // of the first worker: which outputs of vectors along planes have which taps
  std::vector<uint32_t> taps;         // words of weights of a depthwise convolution
  AlignedWords scratch;  // windows that a part of a launch has for itself
  std::vector<int8_t> quantized;  // rows of activations
  AlignedWords tables;            // for look-ups, of the packed rows of activations, if `has_tables`
  bool has_tables = false;
  uint64_t steps_left = 0;
};

struct Engine;

class Context {
 public:
  // `step_limit`: instruction words that a worker executes in a run at most; `operation_limit`: multiply-accumulates or
  // pooling taps of a run; `memory_limit`: bytes of scratch and state, and those of the buffers of a launch. Throws
  // Error.
  Context(std::shared_ptr<const Image> image, unsigned threads, uint64_t step_limit, uint64_t operation_limit,
          uint64_t memory_limit);

  // Calls `check` with tensors of WEIGHTS before a launch reads them, where it has not been called for that launch;
  // what it throws ends the run.
  void on_first_use(std::function<void(const std::vector<uint32_t>&)> check) { check_ = std::move(check); }

  // Executes the descriptors of an entry of the context's image, or of one for other sizes, in order. Throws Error;
  // then the outputs and state are undefined.
  void run(std::shared_ptr<const Image> image, uint32_t entry, const std::vector<Buffer>& inputs,
           const std::vector<Buffer>& outputs);
  // State as it was at first: zero.
  void reset();
  // Counters of the last run, one per descriptor of its entry.
  std::vector<LaunchCounters> counters();

 private:
  // An entry that has been run, with what does not change from run to run.
  struct Prepared {
    std::shared_ptr<const Image> image;
    uint32_t entry;
    const Plan* plan;
    std::unique_ptr<Bindings> bindings;
    std::vector<bool> is_checked;  // by launch
  };

  void check(Prepared& own, size_t first, size_t count);
  Prepared& prepared(std::shared_ptr<const Image> image, uint32_t entry);
  Engine engine(const Launch& launch);
  void check_memory(const Bound& bound);
  void execute(const Bound& bound, LaunchCounters& counters);
  void take_turns(const Group& group, const Bound* bound, LaunchCounters* counters, Clock::time_point start);
  bool may_share(const Group& group) const;
  void multiply(const Engine& engine, const Bound& bound);
  void recur(const Engine& engine, const Bound& bound);

  std::shared_ptr<const Image> image_;
  Arena scratch_, state_;
  FiniteBlocks known_;  // of the state
  Workers workers_;
  std::vector<std::unique_ptr<Worker>> buffers_;
  std::vector<std::unique_ptr<Machine>> machines_;  // of the launches of a group
  AlignedWords lhs_;                                // of a product, packed
  AlignedWords recurrence_;
  PackedWeights rhs_[2];  // right operands that are not constant, packed
  uint64_t step_limit_, operation_limit_, memory_limit_, operations_left_ = 0;
  std::function<void(const std::vector<uint32_t>&)> check_;
  std::vector<Prepared> prepared_;  // the last one was used last
  std::vector<LaunchCounters> counters_;
  std::atomic<bool> busy_{false};
};

}  // namespace tfmbs
