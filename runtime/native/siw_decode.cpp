// Decoding of vector programs, and the checks that make running them safe.
#include <algorithm>

#include "error.h"
#include "siw.h"
#include "siw_control.h"
#include "siw_slots.h"

namespace tfmbs {
namespace {

using abi::COp;
using Kind = Action::Kind;

// The pair behind the register file that a slot's result waits in.
uint32_t waiting_room(unsigned slot) { return (abi::VECTOR_REGISTERS + 2 * slot) * abi::VLMAX; }

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
    Step step;
    step.first = static_cast<uint32_t>(program_.actions.size());
    emit(slots);
    step.end = static_cast<uint32_t>(program_.actions.size());
    step.control = word.c_op;
    step.scalar = word.c_op < COp::CAST ? word.c_reg : 0;
    step.immediate = word.c_imm;
    sets_length_ |= word.c_op == COp::SETVL || word.c_op == COp::SETVLR;
    program_.steps.push_back(step);
    for (const Slot& slot : slots)
      if (slot.window < abi::WINDOWS) use({slot.window, slot.type, slot.use.stores});
    define(slots);
  }

  void finish() {
    // An epilogue's results are what v0, and v1 where they have 64 bits, hold at the end.
    if (program_.kind == abi::ProgramKind::EPILOGUE) stale_ |= ~defined_ & 3u;
    const uint32_t cleared = sets_length_ ? touched_ | stale_ : stale_;
    for (unsigned index = 0; index < abi::VECTOR_REGISTERS; ++index)
      if (cleared >> index & 1u) program_.cleared.push_back(index);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("siw", program_.name + " word " + std::to_string(program_.steps.size()), what);
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

  void emit(const std::array<Slot, DATA_SLOTS>& slots) {
    const SlotOrder order = order_of({slots[0].use, slots[1].use, slots[2].use});
    std::vector<Action> copies;
    for (const unsigned number : order.slots) {
      const Slot& slot = slots[number];
      if (!slot.active) continue;
      Action action = slot.action;
      if (order.staged >> number & 1u) {
        Action copy;
        copy.kind = Kind::COPY;
        copy.d = action.d;
        copy.a = action.d = waiting_room(number);
        copy.fixed_words = slot.fixed_words;
        copy.lane_words = slot.lane_words;
        copies.push_back(copy);
        if (slot.accumulates) {
          std::swap(copy.d, copy.a);
          program_.actions.push_back(copy);
        }
      }
      program_.actions.push_back(action);
    }
    program_.actions.insert(program_.actions.end(), copies.begin(), copies.end());
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
  bool sets_length_ = false;
  uint32_t touched_ = 0, stale_ = 0, defined_;  // registers, as bits; the accumulators are in v0
};

}  // namespace

Program decode_program(const abi::Program& record, const uint8_t* words, std::string name, const Kernels& kernels) {
  Program program;
  program.name = std::move(name);
  program.kind = record.kind;
  program.max_steps = record.max_steps;
  if (record.word_count == 0) throw Error("siw", program.name, "a program has at least one word");
  program.steps.reserve(record.word_count);
  Decoder decoder(program, record, kernels);
  for (size_t i = 0; i < record.word_count; ++i) decoder.word(words + i * abi::WORD_BYTES);
  decoder.finish();
  return program;
}

}  // namespace tfmbs
