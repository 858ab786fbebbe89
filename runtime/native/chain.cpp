// Recognizes epilogues that are chains.
#include "chain.h"

#include <utility>

#include "chain_follower.h"

namespace tfmbs {
namespace {

class Epilogue : public ChainFollower {
 public:
  explicit Epilogue(const Kernels& kernels) : ChainFollower(kernels) {
    for (const unsigned given :
         {abi::EPILOGUE_ELEMENT, abi::EPILOGUE_CHANNEL, abi::EPILOGUE_CHANNEL_STEP, abi::EPILOGUE_ONE})
      scalars_[given] = {Scalar::Kind::GIVEN, given};
    registers_[0].kind = Held::Kind::VALUE;
  }

  // Whether the chain goes on with this word.
  bool word(const abi::Word& word) {
    ++chain_.words;
    // The slots of a word read what was there before it.
    const Registers before = registers_;
    const Scalars scalars = scalars_;
    if (!compute(word, before) || !move(word, scalars)) return false;
    if (word.c_op == COp::NOP || word.c_op == COp::END) return true;
    if (word.c_op != COp::CAST) return false;
    return operate(word.c_reg, DOp::CVT, word.c_type, word.c_aux, before[word.c_src], {}, {});
  }

  std::optional<Chain> done() {
    const Held& result = registers_[0];
    if (result.kind != Held::Kind::VALUE || result.steps != chain_.steps.size()) return std::nullopt;
    return chain();
  }

 private:
  bool move(const abi::Word& word, const Scalars& before) {
    return word.s_op == SOp::LD ? load(word, before[word.s_base], before[word.s_index]) : set(word, before);
  }

  bool load(const abi::Word& word, const Scalar& base, const Scalar& index) {
    ++chain_.loads;
    if (word.s_type != DType::F32 && word.s_type != DType::I32) return false;
    ChainOperand operand{Place::CHANNEL, word.s_type, word.s_win, 0};
    if (base.given(abi::EPILOGUE_ELEMENT) && index.given(abi::EPILOGUE_ONE)) operand.place = Place::ELEMENT;
    else if (base.is(0) && index.is(0)) operand.place = Place::SCALAR;
    else if (!base.given(abi::EPILOGUE_CHANNEL) || !index.given(abi::EPILOGUE_CHANNEL_STEP)) return false;
    if (operand.place == Place::SCALAR ? word.s_imm < 0 : word.s_imm != 0) return false;
    operand.at = static_cast<uint32_t>(word.s_imm);
    return hold(word.s_reg, operand);
  }
};

}  // namespace

std::optional<Chain> chain_of(const abi::Program& record, const uint8_t* words, const Kernels& kernels) {
  if (record.kind != abi::ProgramKind::EPILOGUE) return std::nullopt;
  Epilogue follower(kernels);
  for (uint32_t i = 0; i < record.word_count; ++i)
    if (!follower.word(abi::decode_word(words + i * abi::WORD_BYTES))) return std::nullopt;
  return follower.done();
}

}  // namespace tfmbs
