// Execution of vector programs.
#include "siw.h"

#include <algorithm>
#include <cstring>

#include "error.h"

namespace tfmbs {
namespace {

using abi::COp;
using abi::SOp;
__extension__ using Wide = __int128;  // holds every address that 64-bit registers can name

struct Loop {
  size_t start, end;
  int64_t left;
};

int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }
uint64_t raw(int64_t value) { return static_cast<uint64_t>(value); }

[[noreturn]] void outside(const Program& program, const Step& step, const Window& window, Wide low, Wide high) {
  const auto text = [](Wide value) {
    // An index beyond 64 bits is only named as such.
    if (value < INT64_MIN || value > INT64_MAX) return std::string(value < 0 ? "below -2^63" : "above 2^63");
    return std::to_string(static_cast<int64_t>(value));
  };
  throw Error("siw.address", program.name + " word " + std::to_string(&step - program.steps.data()),
              "elements " + text(low) + " to " + text(high) + " of window " + std::to_string(step.word.s_win) +
                  ", which has " + std::to_string(window.elements));
}

}  // namespace

void Machine::clear(const Program& program) {
  for (unsigned index : program.registers) std::memset(vectors_[index], 0, sizeof vectors_[index]);
  std::memset(scalars_, 0, sizeof scalars_);
}

// `target` receives what a load or gather reads.
void Machine::move(const Program& program, const Step& step, const Window* windows, uint32_t lanes, uint32_t* target) {
  const abi::Word& word = step.word;
  const Window& window = windows[word.s_win];
  const bool indexed = word.s_op == SOp::GATHER || word.s_op == SOp::SCATTER;
  const Wide first = static_cast<Wide>(scalars_[word.s_base]) + word.s_imm;
  Wide low, high;
  if (indexed) {
    const int32_t* index = reinterpret_cast<const int32_t*>(vectors_[word.s_index]);
    const auto [least, most] = std::minmax_element(index, index + lanes);
    low = first + *least;
    high = first + *most;
  } else {
    const Wide last = first + static_cast<Wide>(scalars_[word.s_index]) * (lanes - 1);
    low = std::min(first, last);
    high = std::max(first, last);
  }
  if (low < 0 || high >= static_cast<Wide>(window.elements)) outside(program, step, window, low, high);
  // Every accessed index fits; `first` of an indexed access is within 2^31 of one that does.
  const int64_t base = static_cast<int64_t>(first), stride = indexed || lanes == 1 ? 0 : scalars_[word.s_index];
  switch (word.s_op) {
    case SOp::LD: step.moves.load(target, window.data, base, stride, lanes); break;
    case SOp::GATHER: step.moves.gather(target, window.data, base, vectors_[word.s_index], lanes); break;
    case SOp::ST: step.moves.store(window.data, vectors_[word.s_reg], base, stride, lanes); break;
    default: step.moves.scatter(window.data, vectors_[word.s_reg], base, vectors_[word.s_index], lanes); break;
  }
  (step.stores_first ? counters_.stores : counters_.loads) += lanes;
}

void Machine::address(const Step& step) {
  const abi::Word& word = step.word;
  const uint64_t base = raw(scalars_[word.s_base]), index = raw(scalars_[word.s_index]);
  const uint64_t immediate = raw(word.s_imm);
  uint64_t value = 0;
  switch (word.s_op) {
    case SOp::LI: value = immediate; break;
    case SOp::LIH: value = raw(scalars_[word.s_reg]) << 17 | (immediate & 0x1ffff); break;
    case SOp::ADDI: value = base + immediate; break;
    case SOp::SADD: value = base + index; break;
    default: value = base * index; break;
  }
  if (word.s_reg != 0) scalars_[word.s_reg] = wrap(value);
}

void Machine::run(const Program& program, const Window* windows, uint32_t lanes, uint64_t* step_limit) {
  Loop loops[abi::LOOP_DEPTH];
  unsigned depth = 0;
  uint64_t steps = 0;
  const uint64_t limit = std::min(program.max_steps, *step_limit);
  for (size_t at = 0;;) {
    const Step& step = program.steps[at];
    const abi::Word& word = step.word;
    if (++steps > limit) {
      const bool own = limit == program.max_steps;
      throw Error(own ? "siw" : "resource-limit", program.name + " word " + std::to_string(at),
                  "the program takes more than " + std::to_string(limit) + " steps");
    }
    const int64_t count = scalars_[word.c_reg];  // C reads its register before S writes one
    uint32_t* target = step.staged ? staging_ : vectors_[word.s_reg];
    const bool moves = step.moves.load != nullptr;
    if (moves && (step.stores_first || step.staged)) move(program, step, windows, lanes, target);
    if (step.compute) {
      step.compute(vectors_[word.d_vd], vectors_[word.d_va], vectors_[word.d_vb], vectors_[word.d_vc], lanes);
      counters_.lane_ops += lanes;
    }
    if (step.staged) std::memcpy(vectors_[word.s_reg], staging_, lanes * sizeof staging_[0]);
    else if (moves && !step.stores_first) move(program, step, windows, lanes, target);
    if (!moves && word.s_op != SOp::NOP) address(step);

    size_t next = at + 1;
    switch (word.c_op) {
      case COp::END:
        counters_.words += steps;
        *step_limit -= steps;
        return;
      case COp::SETVL: lanes = word.c_imm; break;
      case COp::SETVLR: lanes = static_cast<uint32_t>(std::clamp<int64_t>(count, 1, abi::VLMAX)); break;
      case COp::LOOP:
        if (count < 1) next += word.c_imm;
        else loops[depth++] = {next, next + word.c_imm, count};
        break;
      case COp::NOP: break;
    }
    while (depth && loops[depth - 1].end == next) {
      Loop& loop = loops[depth - 1];
      if (--loop.left) {
        next = loop.start;
        break;
      }
      --depth;
    }
    at = next;
  }
}

}  // namespace tfmbs
