// Recognizes and runs streams.
#include "stream.h"

#include <algorithm>
#include <utility>

#include "chain_follower.h"
#include "launch.h"

namespace tfmbs {
namespace {

// Follows the blocks of VL elements that a program receives to where it stores them. Three turns of a loop are
// followed; if the third one does with the next blocks what the second one did, so do all others. The first one may
// find other scalars than those which turns leave.
class StreamFollower : public ChainFollower {
 public:
  StreamFollower(const abi::Program& record, const uint8_t* words, const Kernels& kernels)
      : ChainFollower(kernels) {
    for (uint32_t i = 0; i < record.word_count; ++i) words_.push_back(abi::decode_word(words + i * abi::WORD_BYTES));
  }

  std::optional<Stream> stream() {
    if (!run(0, words_.size()) || state_.received == 0 || state_.received != state_.stored) return std::nullopt;
    if (stored_steps_ != chain_.steps.size() || from_ == to_) return std::nullopt;
    Stream all;
    all.from = from_, all.to = to_;
    all.elements = state_.received * lanes_;
    all.counters = state_.counters;
    std::optional<Chain> steps = chain();
    if (!steps || !steps->real_first || steps->result != DType::I8) return std::nullopt;
    all.chain = std::move(*steps);
    return all;
  }

 private:
  struct State {
    uint64_t received = 0, stored = 0;  // blocks
    VectorCounters counters;
  };

  bool run(size_t first, size_t end) {
    for (size_t at = first; at < end; ++at) {
      const abi::Word& word = words_[at];
      const Scalars before = scalars_;
      if (!step(word)) return false;
      if (word.c_op != COp::LOOP) continue;
      const Scalar count = before[word.c_reg];
      const bool known = first == 0 && count.kind == Scalar::Kind::NUMBER;  // loops in loops are not followed
      if (!known || !turn(at + 1, at + 1 + word.c_imm, count.number)) return false;
      at += word.c_imm;
    }
    return true;
  }

  // The turns of a loop.
  bool turn(size_t first, size_t end, int64_t count) {
    State state;
    Registers registers;
    Scalars scalars;
    for (int64_t i = 0; i < std::min(count, FOLLOWED); ++i) {
      registers = registers_, scalars = scalars_, state = state_;
      for (size_t s = 0; s < scalars_.size(); ++s) scalars_[s].source = static_cast<uint8_t>(s);
      if (!run(first, end)) return false;
    }
    if (count > FOLLOWED && !go_on(state, registers, scalars, static_cast<uint64_t>(count - FOLLOWED))) return false;
    for (Scalar& scalar : scalars_) scalar.source = Scalar::NONE;
    return true;
  }

  // As many more turns as the last one, before which all was as it is given.
  bool go_on(const State& state, const Registers& registers, const Scalars& scalars, uint64_t turns) {
    const uint64_t blocks = state_.received - state.received;
    if (state_.stored - state.stored != blocks || turns > MOST_TURNS) return false;
    for (size_t i = 0; i < registers.size(); ++i) {
      Held& now = registers_[i];
      const bool is_operand = now.kind == Held::Kind::OPERAND || now.kind == Held::Kind::NOTHING;
      const uint64_t moved = is_operand ? 0 : blocks;
      if (now.kind != registers[i].kind || now.steps != registers[i].steps || !(now.operand == registers[i].operand) ||
          now.number != registers[i].number + moved)
        return false;
      now.number += moved * turns;
    }
    for (size_t i = 0; i < scalars.size(); ++i) {
      Scalar& now = scalars_[i];
      if (now.kind != scalars[i].kind) return false;
      // From the second turn on it has grown by as much in each if it is always the same number, or a distance from one
      // that grows by itself.
      if (now.source != Scalar::NONE && scalars_[now.source].source != now.source) return false;
      const uint64_t grown = static_cast<uint64_t>(now.number) - static_cast<uint64_t>(scalars[i].number);
      now.number = static_cast<int64_t>(static_cast<uint64_t>(now.number) + grown * turns);
    }
    const auto more = [&](uint64_t& number, uint64_t before) { number += (number - before) * turns; };
    more(state_.received, state.received);
    more(state_.stored, state.stored);
    more(state_.counters.words, state.counters.words);
    more(state_.counters.lane_ops, state.counters.lane_ops);
    more(state_.counters.real_lane_ops, state.counters.real_lane_ops);
    more(state_.counters.loads, state.counters.loads);
    more(state_.counters.stores, state.counters.stores);
    return true;
  }

  bool step(const abi::Word& word) {
    ++state_.counters.words;
    // The slots of a word read what was there before it.
    const Registers before = registers_;
    const Scalars scalars = scalars_;
    const uint64_t operations = chain_.lane_ops, real = chain_.real_lane_ops;
    if (!compute(word, before) || !move(word, before, scalars) || !control(word, before)) return false;
    state_.counters.lane_ops += (chain_.lane_ops - operations) * lanes_;
    state_.counters.real_lane_ops += (chain_.real_lane_ops - real) * lanes_;
    return true;
  }

  bool move(const abi::Word& word, const Registers& before, const Scalars& scalars) {
    switch (word.s_op) {
      case SOp::ADDI: {
        const Scalar& base = scalars[word.s_base];
        if (base.kind != Scalar::Kind::NUMBER || base.number < -MOST_NUMBER || base.number > MOST_NUMBER) return false;
        scalars_[word.s_reg] = {Scalar::Kind::NUMBER, base.number + word.s_imm, base.source};
        return true;
      }
      case SOp::ST: {
        const Scalar &base = scalars[word.s_base], &index = scalars[word.s_index];
        const int64_t at = static_cast<int64_t>(state_.stored * lanes_);
        return word.s_type == DType::I8 && index.is(1) && base.is(at - word.s_imm) &&
               store(word.s_win, before[word.s_reg]);
      }
      default: return set(word, scalars);
    }
  }

  bool control(const abi::Word& word, const Registers& before) {
    switch (word.c_op) {
      case COp::NOP:
      case COp::END:
      case COp::LOOP: return true;
      case COp::SETVL:
        // Registers are used in the lanes that were set.
        if (state_.received || word.c_imm > lanes_) return false;
        lanes_ = word.c_imm;
        return true;
      case COp::RECV:
        if (word.c_type != DType::F32 || (state_.received && from_ != word.c_src)) return false;
        from_ = word.c_src;
        state_.counters.loads += lanes_;
        registers_[word.c_reg] = {Held::Kind::VALUE, 0, {}, state_.received++};
        return true;
      case COp::CAST:
        return operate(word.c_reg, DOp::CVT, word.c_type, word.c_aux, before[word.c_src], {}, {});
      default: return false;
    }
  }

  // A block that is stored behind those before it.
  bool store(uint8_t window, const Held& held) {
    if (held.kind != Held::Kind::VALUE || held.number != state_.stored) return false;
    if (state_.stored && (to_ != window || stored_steps_ != held.steps)) return false;
    to_ = window;
    stored_steps_ = held.steps;
    ++state_.stored;
    state_.counters.stores += lanes_;
    return true;
  }

  static constexpr int64_t FOLLOWED = 3;  // turns
  static constexpr uint64_t MOST_TURNS = uint64_t{1} << 32;
  static constexpr int64_t MOST_NUMBER = int64_t{1} << 32;

  std::vector<abi::Word> words_;
  State state_;
  uint64_t lanes_ = abi::VLMAX;
  uint8_t from_ = 0, to_ = 0;
  size_t stored_steps_ = 0;
};

// Elements of a unit of work.
constexpr uint64_t UNIT = 1 << 13;
constexpr uint64_t TOGETHER = 16;

void run_unit(const Engine& engine, const ChainStep* steps, size_t count, const uint32_t* from, uint8_t* to,
              uint64_t n) {
  const uint64_t whole = n / TOGETHER * TOGETHER;
  if (whole) engine.kernels.chain(steps, count, {from, 0, 1, static_cast<uint32_t>(whole), true, to, 0});
  if (whole == n) return;
  // Behind the last element there may be none.
  uint32_t rest[TOGETHER] = {};
  std::copy(from + whole, from + n, rest);
  engine.kernels.chain(steps, count, {rest, 0, 1, static_cast<uint32_t>(n - whole), true, to + whole, 0});
}

}  // namespace

std::optional<Stream> stream_of(const abi::Program& record, const uint8_t* words, const Kernels& kernels) {
  if (record.kind != abi::ProgramKind::VECTOR) return std::nullopt;
  return StreamFollower(record, words, kernels).stream();
}

bool run_stream(const Engine& engine, const Bound& bound) {
  const Program& program = *bound.launch.program;
  if (!program.stream || !engine.kernels.chain) return false;
  const Stream& stream = *program.stream;
  Worker& counting = *engine.buffers[0];
  const Window &in = bound.windows[stream.from], &out = bound.windows[stream.to];
  if (stream.elements > in.elements || stream.elements > out.elements) return false;
  if (stream.counters.words > std::min(program.max_steps, counting.steps_left)) return false;
  const uint8_t* const end = in.data + stream.elements * sizeof(float);
  if (out.data < end && in.data < out.data + stream.elements) return false;
  ChainStep steps[Chain::MOST];
  for (size_t i = 0; i < stream.chain.steps.size(); ++i) {
    const Chain::Step& step = stream.chain.steps[i];
    steps[i] = {step.op, false, &step.operand.at, 0, step.zero, step.low, step.high, step.divisor, step.function};
  }
  out.tell(0, static_cast<int64_t>(stream.elements) - 1);
  engine.workers.spread((stream.elements + UNIT - 1) / UNIT, [&](uint64_t unit, unsigned) {
    const uint64_t first = unit * UNIT, n = std::min(UNIT, stream.elements - first);
    run_unit(engine, steps, stream.chain.steps.size(), reinterpret_cast<const uint32_t*>(in.data) + first,
             out.data + first, n);
  });
  VectorCounters& counters = counting.machine.counters();
  counters.words += stream.counters.words;
  counters.lane_ops += stream.counters.lane_ops;
  counters.real_lane_ops += stream.counters.real_lane_ops;
  counters.loads += stream.counters.loads;
  counters.stores += stream.counters.stores;
  counting.steps_left -= stream.counters.words;
  return true;
}

}  // namespace tfmbs
