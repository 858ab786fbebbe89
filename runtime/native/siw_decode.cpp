// Decoding of vector programs, and the checks that make running them safe.
#include <algorithm>
#include <utility>

#include "chain.h"
#include "error.h"
#include "siw.h"
#include "siw_chain.h"
#include "siw_control.h"
#include "siw_slots.h"
#include "stream.h"

namespace tfmbs {
namespace {

using abi::COp;
using Kind = Action::Kind;

// The pair behind the registers that a slot's result waits in.
uint8_t waiting_room(unsigned slot) { return static_cast<uint8_t>(abi::VECTOR_REGISTERS + 2 * slot); }

bool reads_scalar(COp op) { return op == COp::SETVLR || op == COp::LOOP || op == COp::SKIP || op == COp::BREAK; }

Kind kind_of(COp op) {
  switch (op) {
    case COp::END: return Kind::END;
    case COp::SETVL: return Kind::SETVL;
    case COp::SETVLR: return Kind::SETVLR;
    case COp::LOOP: return Kind::LOOP;
    case COp::SKIP: return Kind::SKIP;
    default: return Kind::BREAK;
  }
}

class Decoder {
 public:
  Decoder(Program& program, const abi::Program& record, const Kernels& kernels)
      : program_(program),
        control_(record.word_count - 1, [this](const std::string& what) { fail(what); }),
        slots_(kernels, record.windows, [this](const std::string& what) { fail(what); }),
        defined_(record.kind == abi::ProgramKind::EPILOGUE ? 1u : 0u) {}

  void word(const uint8_t* data) {
    const abi::Word word = abi::decode_word(data);
    const std::array<Slot, DATA_SLOTS> slots{slots_.d(word), slots_.s(word), slots_.c(word)};
    check_together(slots);
    control_.word(word);
    ++uncounted_;
    uint8_t scalar = reads_scalar(word.c_op) ? word.c_reg : 0;
    if (scalar && slots[1].active && slots[1].action.target == scalar) {
      Action latch = control(Kind::LATCH);
      latch.base = std::exchange(scalar, LATCHED);
      push(latch);
    }
    emit(slots);
    if (word.c_op != COp::NOP && word.c_op < COp::CAST) emit(word, scalar);
    sets_length_ |= word.c_op == COp::SETVL || word.c_op == COp::SETVLR;
    ++number_;
    close_regions();
    for (const Slot& slot : slots)
      if (slot.window < abi::WINDOWS) use({slot.window, slot.type, slot.use.stores});
    define(slots);
  }

  void finish() {
    for (Action& action : program_.actions)
      action.steady =
          action.lends && std::none_of(program_.uses.begin(), program_.uses.end(),
                                       [&](const WindowUse& use) { return use.writes && use.window == action.window; });
    // An epilogue's results are what v0, and v1 where they have 64 bits, hold at the end.
    if (program_.kind == abi::ProgramKind::EPILOGUE) stale_ |= ~defined_ & 3u;
    const uint32_t cleared = sets_length_ ? touched_ | stale_ : stale_;
    for (unsigned index = 0; index < abi::VECTOR_REGISTERS; ++index)
      if (cleared >> index & 1u) program_.cleared.push_back(index);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("siw", program_.name + " word " + std::to_string(number_), what);
  }

  void check_together(const std::array<Slot, DATA_SLOTS>& slots) const {
    uint32_t written = 0;
    for (const Slot& slot : slots) {
      if (slot.use.writes & written) fail("two slots write the same register");
      written |= slot.use.writes;
    }
    const Slot &s = slots[1], &c = slots[2];
    if (s.window == c.window && s.window < abi::WINDOWS && (s.use.stores || c.use.stores))
      fail("slots S and C both access window " + std::to_string(s.window) + ", and one of them stores");
  }

  // A loop or skipped part that the words have not left yet; its actions that jump behind it.
  struct Region {
    size_t end;  // first word after it
    bool loops;
    std::vector<size_t> leaving;
  };

  static Action control(Kind kind) {
    Action action;
    action.kind = kind;
    return action;
  }

  uint32_t here() const { return static_cast<uint32_t>(program_.actions.size()); }

  void push(Action action, const Effect& effect = {}) {
    program_.effects.push_back(effect);
    action.word = static_cast<uint32_t>(number_);
    action.words = std::exchange(uncounted_, 0);
    program_.actions.push_back(action);
  }

  void emit(const std::array<Slot, DATA_SLOTS>& slots) {
    const SlotOrder order = order_of({slots[0].use, slots[1].use, slots[2].use});
    std::vector<Action> copies;
    std::vector<Effect> effects;  // of the copies
    for (const unsigned number : order.slots) {
      const Slot& slot = slots[number];
      if (!slot.active) continue;
      Action action = slot.action;
      Effect effect = slot.effect;
      effect.reads = slot.use.reads;
      effect.writes = slot.use.writes;
      if (order.staged >> number & 1u) {
        Effect home;
        home.reads = (slot.lane_words > 1 ? uint64_t{3} : uint64_t{1}) << waiting_room(number);
        home.writes = std::exchange(effect.writes, home.reads);
        home.wide = slot.lane_words > 1;
        Action copy = control(Kind::COPY);
        copy.d = action.d;
        copy.a = action.d = waiting_room(number);
        copy.writes = std::exchange(action.writes, 0);
        copy.settles = slot.lane_words > 1 ? copy.writes : 0;
        copy.fixed_words = slot.fixed_words;
        copy.lane_words = slot.lane_words;
        action.lends = false;
        copies.push_back(copy);
        effects.push_back(home);
        if (slot.accumulates) {
          std::swap(copy.d, copy.a);
          copy.settles = std::exchange(copy.writes, 0);
          effect.reads |= home.reads;
          std::swap(home.reads, home.writes);
          push(copy, home);
        }
      }
      push(action, effect);
    }
    for (size_t i = 0; i < copies.size(); ++i) push(copies[i], effects[i]);
  }

  void emit(const abi::Word& word, uint8_t scalar) {
    Action action = control(kind_of(word.c_op));
    action.base = scalar;
    action.immediate = word.c_imm;
    const size_t at = program_.actions.size();
    push(action);
    if (action.kind == Kind::LOOP || action.kind == Kind::SKIP)
      regions_.push_back({number_ + 1 + word.c_imm, action.kind == Kind::LOOP, {at}});
    if (action.kind != Kind::BREAK) return;
    const auto inner = std::find_if(regions_.rbegin(), regions_.rend(), [](const Region& r) { return r.loops; });
    inner->leaving.push_back(at);
  }

  // Ends the regions that end before the next word, the inner ones first.
  void close_regions() {
    while (!regions_.empty() && regions_.back().end == number_) {
      const Region region = std::move(regions_.back());
      regions_.pop_back();
      if (region.loops || uncounted_) {
        Action action = control(region.loops ? Kind::REPEAT : Kind::COUNT);
        action.jump = static_cast<uint32_t>(region.leaving.front() + 1);
        push(action);
        program_.actions.back().word -= 1;
      }
      for (const size_t leaves : region.leaving) program_.actions[leaves].jump = here();
    }
  }

  void use(WindowUse use) {
    const auto same = [&](const WindowUse& other) {
      return other.window == use.window && other.type == use.type && other.writes == use.writes;
    };
    if (std::none_of(program_.uses.begin(), program_.uses.end(), same)) program_.uses.push_back(use);
  }

  // Which registers are read before all their lanes below VL were written, for a VL that stays as it is.
  void define(const std::array<Slot, DATA_SLOTS>& slots) {
    uint32_t written = 0;
    for (const Slot& slot : slots) {
      touched_ |= slot.use.reads | slot.use.writes;
      stale_ |= slot.use.reads & (slot.reads_beyond ? ~uint32_t{0} : ~defined_);
      if (!slot.accumulates) written |= slot.use.writes;
    }
    if (control_.is_straight()) defined_ |= written;
  }

  Program& program_;
  ControlChecker control_;
  SlotDecoder slots_;
  std::vector<Region> regions_;  // outermost first
  size_t number_ = 0;            // of the word
  uint32_t uncounted_ = 0;       // words since the last action
  bool sets_length_ = false;
  uint32_t touched_ = 0, stale_ = 0, defined_;  // registers, as bits; the accumulators are in v0
};

}  // namespace

Program decode_program(const abi::Program& record, const uint8_t* words, std::string name, const Kernels& kernels,
                       bool translates) {
  Program program;
  program.name = std::move(name);
  program.kind = record.kind;
  program.max_steps = record.max_steps;
  if (record.word_count == 0) throw Error("siw", program.name, "a program has at least one word");
  Decoder decoder(program, record, kernels);
  for (size_t i = 0; i < record.word_count; ++i) decoder.word(words + i * abi::WORD_BYTES);
  decoder.finish();
  if (kernels.chain)
    if (std::optional<Chain> chain = chain_of(record, words, kernels))
      program.chain = std::make_shared<const Chain>(std::move(*chain));
  if (kernels.chain)
    if (std::optional<Stream> stream = stream_of(record, words, kernels))
      program.stream = std::make_shared<const Stream>(std::move(*stream));
  if (translates && kernels.has_code) add_chains(program);
  return program;
}

}  // namespace tfmbs
