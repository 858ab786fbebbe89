// Decoding of vector programs, and the checks that make running them safe.
#include <algorithm>
#include <set>

#include "error.h"
#include "siw.h"

namespace tfmbs {
namespace {

using abi::COp;
using abi::DOp;
using abi::SOp;

bool is_move(SOp op) { return op == SOp::LD || op == SOp::ST || op == SOp::GATHER || op == SOp::SCATTER; }
bool is_store(SOp op) { return op == SOp::ST || op == SOp::SCATTER; }
bool is_indexed(SOp op) { return op == SOp::GATHER || op == SOp::SCATTER; }

class Decoder {
 public:
  Decoder(Program& program, const abi::Program& record, const Kernels& kernels)
      : program_(program), record_(record), kernels_(kernels) {}

  void word(const uint8_t* data) {
    Step step;
    step.word = abi::decode_word(data);
    compute(step);
    memory(step);
    control(step.word);
    program_.steps.push_back(step);
  }

  void finish() {
    program_.registers.assign(registers_.begin(), registers_.end());
    if (program_.steps.empty()) fail("a program has at least one word");
    if (program_.steps.back().word.c_op != COp::END) fail("the last word holds no END");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("siw", program_.name + " word " + std::to_string(program_.steps.size()), what);
  }

  void compute(Step& step) {
    const abi::Word& word = step.word;
    if (word.d_op == DOp::NOP) return;
    step.compute = kernels_.lane(word.d_op, word.d_type, word.d_aux);
    if (!step.compute) fail("D slot: no such opcode, type or aux");
    registers_.insert({word.d_vd, word.d_va, word.d_vb, word.d_vc});
  }

  void memory(Step& step) {
    const abi::Word& word = step.word;
    if (word.s_op > SOp::SMUL) fail("S slot: no such opcode");
    if (!is_move(word.s_op)) return;
    step.moves = kernels_.moves(word.s_type);
    if (!step.moves.load) fail("S slot: lanes cannot hold this element type");
    if (word.s_win >= record_.windows) fail("S slot: window " + std::to_string(word.s_win) + " is not declared");
    registers_.insert(word.s_reg);
    if (is_indexed(word.s_op)) registers_.insert(word.s_index);
    step.stores_first = is_store(word.s_op);
    step.staged = word.s_op == SOp::GATHER && step.compute && word.d_vd == word.s_index;
    use({word.s_win, word.s_type, is_store(word.s_op)});
  }

  void use(WindowUse use) {
    const auto same = [&](const WindowUse& other) {
      return other.window == use.window && other.type == use.type && other.writes == use.writes;
    };
    if (std::none_of(program_.uses.begin(), program_.uses.end(), same)) program_.uses.push_back(use);
  }

  void control(const abi::Word& word) {
    const size_t index = program_.steps.size(), last = record_.word_count - 1;
    while (!loop_ends_.empty() && loop_ends_.back() <= index) loop_ends_.pop_back();
    switch (word.c_op) {
      case COp::NOP:
      case COp::SETVLR: return;
      case COp::END:
        if (index != last) fail("END is not in the last word");
        return;
      case COp::SETVL:
        if (word.c_imm < 1 || word.c_imm > abi::VLMAX) fail("SETVL " + std::to_string(word.c_imm));
        return;
      case COp::LOOP: return loop(index + 1 + word.c_imm, word.c_imm, last);
    }
    fail("C slot: no such opcode");
  }

  void loop(size_t end, unsigned length, size_t last) {
    if (length < 1 || end > last) fail("LOOP over " + std::to_string(length) + " words leaves the program");
    if (!loop_ends_.empty() && end > loop_ends_.back()) fail("LOOP ends after the loop around it");
    if (loop_ends_.size() == abi::LOOP_DEPTH) fail("loops are nested too deeply");
    loop_ends_.push_back(end);
  }

  Program& program_;
  const abi::Program& record_;
  const Kernels& kernels_;
  std::set<unsigned> registers_;
  std::vector<size_t> loop_ends_;  // first word after each open loop, outermost first
};

}  // namespace

Program decode_program(const abi::Program& record, const uint8_t* words, std::string name, const Kernels& kernels) {
  Program program;
  program.name = std::move(name);
  program.kind = record.kind;
  program.max_steps = record.max_steps;
  program.steps.reserve(record.word_count);
  Decoder decoder(program, record, kernels);
  for (size_t i = 0; i < record.word_count; ++i) decoder.word(words + i * abi::WORD_BYTES);
  decoder.finish();
  return program;
}

}  // namespace tfmbs
