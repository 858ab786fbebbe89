// What movements do to memory: copies, and the jobs of arrays and vector engines.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "image.h"
#include "kpu_memory.h"
#include "movement.gen.h"

namespace tfmbs::kpu {

// The code of the memory that a tensor lies in.
int64_t memory_of(const abi::Tensor& tensor);

// Buffers of the jobs of a run.
struct Scratchpad {
  AlignedWords rhs, lhs, out;
  std::vector<uint32_t> sums, valid;
  std::vector<int8_t> unpacked, lhs_kept, rhs_kept;
  std::vector<uint8_t> rows;
  std::vector<float> real;
  std::vector<uint32_t> parts;
};

// A copy of bytes as a vector program sees its windows, of tensors that may overlap: what is not brought to L1 has no
// defined value there.
class Views {
 public:
  // For the windows that a program uses.
  Views(const Image& image, const Launch& launch);
  Window window(unsigned number) const { return windows_[number]; }
  // Bytes of a window, from `first` on in its tensor.
  uint8_t* in_window(unsigned number, int64_t first, int64_t size) const;
  // Bytes of a memory by its code.
  uint8_t* in_memory(int64_t memory, int64_t first, int64_t size) const;

 private:
  struct Piece {
    int64_t memory;
    uint64_t low, end;
    std::unique_ptr<Arena> bytes;
  };
  std::vector<Piece> pieces_;
  Window windows_[abi::WINDOWS];
  uint64_t sizes_[abi::WINDOWS] = {};
};

// The jobs of one run, which are given one after the other.
class Jobs {
 public:
  Jobs(const Image& image, const abi::Entry& entry, const Memories& memories, uint64_t step_limit)
      : image_(image), entry_(entry), memories_(memories), steps_left_(step_limit) {}

  int64_t copy(const movement::Part* parts, int64_t count) const;
  int64_t gather(const movement::Movement& movement, const int64_t* parameters) const;
  void fold(const movement::Movement& movement, const int64_t* parameters);
  void epilogue(const movement::Movement& movement, const int64_t* parameters);
  void vector(const movement::Movement& movement, const int64_t* parameters);
  // The same, and the scalars that the program took from lanes.
  const std::vector<int64_t>* taken(const movement::Movement& movement, const int64_t* parameters);
  void pool(const movement::Movement& movement, const int64_t* parameters);
  void softmax(const movement::Movement& movement, const int64_t* parameters);
  void magnitude(const int64_t* parameters) const;
  void quantize(const int64_t* parameters) const;
  void gates(const movement::Movement& movement, const int64_t* parameters) const;
  void clear(const int64_t* parameters) const;

  // Of each launch of the entry.
  const VectorCounters& counters(size_t launch) const { return counters_.at(launch); }
  bool has_counters(size_t launch) const { return counters_.count(launch) != 0; }

 private:
  const Launch& launch(int64_t number) const;
  Views& views(int64_t number);
  // The windows of an epilogue, with what L1 has of them; moves `parameters` on behind their description.
  void bring(const Launch& launch, int64_t number, int64_t memory, int64_t count, const int64_t* parameters,
             Window* windows);
  // The results of `lanes` accumulators, whose first is at `element` and has a `channel`.
  const uint32_t* finished(const Launch& launch, const Window* windows, const void* accumulators, int64_t element,
                           int64_t channel, int64_t channel_step, uint32_t lanes, Machine& machine);
  Machine& machine(int64_t tile);

  const Image& image_;
  const abi::Entry& entry_;
  const Memories& memories_;
  uint64_t steps_left_;
  Scratchpad scratchpad_;
  std::map<int64_t, Views> views_;
  std::map<int64_t, std::unique_ptr<Machine>> machines_;
  std::map<size_t, VectorCounters> counters_;
  std::vector<int64_t> taken_;
};

}  // namespace tfmbs::kpu
