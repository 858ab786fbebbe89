// The memories of a modelled machine: external regions, L3, L2, and an L1 for each tile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "context.h"
#include "movement.gen.h"

namespace tfmbs::kpu {

// Bytes of the on-chip memories and how many L1s there are.
struct MemorySizes {
  uint64_t l3, l2, l1, tiles;
};

class Memories {
 public:
  Memories(const Image& image, const MemorySizes& sizes);

  // The arguments of the next run, which must outlive it.
  void bind(const std::vector<Buffer>& inputs, const std::vector<Buffer>& outputs);
  // At least so many bytes of workspace for the next run, whatever is in them.
  void reserve(uint64_t workspace);
  void clear_state() { state_.clear(); }
  // Bytes `first` to `first + size` of a memory by its code. Throws Error where it has them not.
  uint8_t* at(int64_t memory, int64_t first, int64_t size) const;

 private:
  Buffer of(int64_t memory) const;

  Bytes weights_;
  Arena scratch_, state_, workspace_, l3_, l2_, l1_;
  uint64_t l1_size_;
  const std::vector<Buffer>* inputs_ = nullptr;
  const std::vector<Buffer>* outputs_ = nullptr;
};

}  // namespace tfmbs::kpu
