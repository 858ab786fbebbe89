#include "plan_scratch.h"

#include <algorithm>

#include "bit_ranges.h"

namespace tfmbs {

void TurnScratch::write(uint64_t turn, uint64_t low, uint64_t end) {
  go_to(turn);
  each_word(low, end, [&](uint64_t word, uint64_t mask) { now_[word] |= mask; });
}

void TurnScratch::read(uint64_t turn, uint64_t low, uint64_t end) {
  go_to(turn);
  each_word(low, end, [&](uint64_t word, uint64_t mask) { exposed_ |= (~now_[word] & mask) != 0; });
}

bool TurnScratch::is_own() {
  merge();
  return !exposed_ && now_ == all_;
}

void TurnScratch::go_to(uint64_t turn) {
  if (turn == turn_) return;
  turn_ = turn;
  merge();
  std::fill(now_.begin(), now_.end(), 0);
}

void TurnScratch::merge() {
  for (size_t i = 0; i < now_.size(); ++i) all_[i] |= now_[i];
}

}  // namespace tfmbs
