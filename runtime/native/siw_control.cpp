#include "siw_control.h"

#include <algorithm>

namespace tfmbs {

using abi::COp;

unsigned ControlChecker::depth() const {
  return static_cast<unsigned>(std::count_if(open_.begin(), open_.end(), [](const Region& r) { return r.loops; }));
}

void ControlChecker::word(const abi::Word& word) {
  while (!open_.empty() && open_.back().end <= index_) open_.pop_back();
  straight_ = open_.empty();
  switch (word.c_op) {
    case COp::END:
      if (index_ != last_) fail_("END is not in the last word");
      break;
    case COp::SETVL:
      if (word.c_imm < 1 || word.c_imm > abi::VLMAX) fail_("SETVL " + std::to_string(word.c_imm));
      break;
    case COp::LOOP: enter(word, true); break;
    case COp::SKIP: enter(word, false); break;
    case COp::BREAK:
      if (depth() == 0) fail_("BREAK outside a loop");
      break;
    default: break;
  }
  if (index_ == last_ && word.c_op != COp::END) fail_("the last word holds no END");
  ++index_;
}

void ControlChecker::enter(const abi::Word& word, bool loops) {
  const size_t end = index_ + 1 + word.c_imm;
  const std::string what = abi::name_of(word.c_op) + (" over " + std::to_string(word.c_imm) + " words");
  if (word.c_imm < 1 || end > last_) fail_(what + " leaves the program");
  if (!open_.empty() && end > open_.back().end) fail_(what + " ends after what is around it");
  if (loops && depth() == abi::LOOP_DEPTH) fail_("loops are nested too deeply");
  open_.push_back({end, loops});
}

}  // namespace tfmbs
