// Whether a window is scratch of each turn of a loop by itself.
#pragma once

#include <cstdint>
#include <vector>

namespace tfmbs {

// Follows the accesses of one window. Where every turn writes what it reads, and the last one writes all that any does,
// turns may each have memory of their own, and the last one's is what remains.
class TurnScratch {
 public:
  TurnScratch() = default;
  explicit TurnScratch(uint64_t bytes) : now_((bytes + 63) / 64), all_(now_.size()) {}

  // Bytes low … end, in a turn.
  void write(uint64_t turn, uint64_t low, uint64_t end);
  void read(uint64_t turn, uint64_t low, uint64_t end);
  // Accessed where no turn is.
  void expose() { exposed_ = true; }
  bool is_own();

 private:
  void go_to(uint64_t turn);
  void merge();

  std::vector<uint64_t> now_, all_;  // bytes written in this turn and in any, as bits
  uint64_t turn_ = 0;
  bool exposed_ = false;
};

}  // namespace tfmbs
