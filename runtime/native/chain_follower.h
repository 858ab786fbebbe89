// Recognizes programs that take values through a chain, by following what their registers hold.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "chain.h"
#include "float_environment.h"

namespace tfmbs {

// What a vector register holds: nothing known, a value of the chain after so many steps, an operand, or how such a
// value compares. Values that began as different lanes have numbers.
struct Held {
  enum class Kind : uint8_t { NOTHING, VALUE, OPERAND, UNORDERED, ABOVE_ZERO };

  Kind kind = Kind::NOTHING;
  size_t steps = 0;
  ChainOperand operand;
  uint64_t number = 0;
};

// What a scalar holds: nothing known, a number, or what an epilogue is given in that register.
struct Scalar {
  enum class Kind : uint8_t { NOTHING, NUMBER, GIVEN };
  static constexpr uint8_t NONE = abi::SCALAR_REGISTERS;

  Kind kind = Kind::NOTHING;
  int64_t number = 0;
  uint8_t source = NONE;  // the scalar of which a NUMBER is what that one was when a turn began, and something more

  bool is(int64_t value) const { return kind == Kind::NUMBER && number == value; }
  bool given(unsigned index) const { return kind == Kind::GIVEN && number == index; }
};

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

class ChainFollower {
 protected:
  using COp = abi::COp;
  using DOp = abi::DOp;
  using DType = abi::DType;
  using Predicate = abi::Predicate;
  using SOp = abi::SOp;
  using Place = ChainOperand::Place;
  using Registers = std::array<Held, abi::VECTOR_REGISTERS>;
  using Scalars = std::array<Scalar, abi::SCALAR_REGISTERS>;

  explicit ChainFollower(const Kernels& kernels) : kernels_(kernels) { scalars_[0] = {Scalar::Kind::NUMBER, 0}; }

  bool compute(const abi::Word& word, const Registers& before) {
    if (word.d_op == DOp::NOP) return true;
    return operate(word.d_vd, word.d_op, word.d_type, word.d_aux, before[word.d_va], before[word.d_vb],
                   before[word.d_vc]);
  }

  bool operate(unsigned target, DOp op, DType type, uint8_t aux, const Held& a, const Held& b, const Held& c) {
    ++chain_.lane_ops;
    if (computes_reals(op, type, aux)) ++chain_.real_lane_ops;
    switch (op) {
      case DOp::ADD:
        if (type == DType::I32)
          return step(target, ChainOp::ADD_I32, type, a, b) || step(target, ChainOp::ADD_I32, type, b, a);
        return step(target, ChainOp::ADD, type, a, b) || step(target, ChainOp::ADD, type, b, a);
      case DOp::MUL: return step(target, ChainOp::MUL, type, a, b) || step(target, ChainOp::MUL, type, b, a);
      case DOp::MAX: return step(target, ChainOp::MAX, type, a, b) || step(target, ChainOp::MAX, type, b, a);
      case DOp::MIN: return step(target, ChainOp::MIN, type, a, b) || step(target, ChainOp::MIN, type, b, a);
      case DOp::DIV: return step(target, ChainOp::DIV, type, a, b);
      case DOp::ROUND: return type == DType::F32 && is_value(a) && add(target, a, {ChainOp::ROUND, {}}, true, true);
      case DOp::CVT:
        if (!is_value(a)) return false;
        if (type == DType::F32 && static_cast<DType>(aux) == DType::I32)
          return add(target, a, {ChainOp::TO_F32, {}}, false, true);
        return type == DType::I8 && static_cast<DType>(aux) == DType::F32 &&
               add(target, a, {ChainOp::TO_I8, {}}, true, false);
      case DOp::EXP:
      case DOp::LOG:
      case DOp::TANH:
      case DOp::ERF:
      case DOp::SIGMOID:
      case DOp::GELU: return function(target, op, type, a);
      case DOp::CMP: return compare(target, type, aux, a, b);
      case DOp::SEL: return select(target, a, b, c);
      default: return false;
    }
  }

  // Numbers of scalars, and constants.
  bool set(const abi::Word& word, const Scalars& before) {
    const Scalar& base = before[word.s_base];
    const Scalar& index = before[word.s_index];
    const bool known = base.kind == Scalar::Kind::NUMBER;
    Scalar& target = scalars_[word.s_reg];
    switch (word.s_op) {
      case SOp::NOP: return true;
      case SOp::LI: target = {Scalar::Kind::NUMBER, word.s_imm}; return true;
      case SOp::LIH: {
        const Scalar& old = before[word.s_reg];
        if (old.kind != Scalar::Kind::NUMBER || old.source != Scalar::NONE) return false;
        const uint32_t low = static_cast<uint32_t>(word.s_imm) & 0x1ffffu;
        target = {Scalar::Kind::NUMBER, static_cast<int64_t>(static_cast<uint64_t>(old.number) << 17 | low)};
        return true;
      }
      case SOp::INDEX: {
        if (word.s_type != DType::I32 || !known || !index.is(0)) return false;
        const uint64_t number = static_cast<uint64_t>(base.number) + static_cast<uint64_t>(int64_t{word.s_imm});
        return hold(word.s_reg, {Place::CONSTANT, DType::I32, 0, static_cast<uint32_t>(number)});
      }
      default: return false;
    }
  }

  bool hold(unsigned target, const ChainOperand& operand) {
    registers_[target] = {Held::Kind::OPERAND, 0, operand};
    return true;
  }

  // The chain, which all values have gone through.
  std::optional<Chain> chain() {
    if (!real_known_) return std::nullopt;
    if (!fold_quantization()) return std::nullopt;
    join_ends();
    for (const Chain::Step& step : chain_.steps)
      if (step.op == ChainOp::ROUND || step.op == ChainOp::NAN_TO_ZERO || step.op == ChainOp::TO_I8)
        return std::nullopt;
    if (chain_.steps.empty() || chain_.steps.size() > Chain::MOST || (!real_ && chain_.result != DType::I8))
      return std::nullopt;
    return std::move(chain_);
  }

  Registers registers_;
  Scalars scalars_;
  Chain chain_;

 private:
  static bool is_value(const Held& held) { return held.kind == Held::Kind::VALUE; }
  static bool is_constant(const Held& held, uint32_t bits) {
    return held.kind == Held::Kind::OPERAND && held.operand.place == Place::CONSTANT && held.operand.at == bits;
  }

  // An arithmetic step of the value with another operand.
  bool step(unsigned target, ChainOp op, DType type, const Held& value, const Held& other) {
    const bool real = op != ChainOp::ADD_I32;
    if (type != (real ? DType::F32 : DType::I32) || !is_value(value) || other.kind != Held::Kind::OPERAND) return false;
    if (other.operand.place != Place::CONSTANT && other.operand.type != type) return false;
    return add(target, value, {op, other.operand}, real, real);
  }

  // A step of a value that is f32, else i32, before and after it. All values go through the same steps.
  bool add(unsigned target, const Held& value, const Chain::Step& step, bool before, bool after) {
    if (value.steps < chain_.steps.size()) {
      if (!(chain_.steps[value.steps] == step)) return false;
    } else {
      if (!real_known_) chain_.real_first = before;
      else if (real_ != before) return false;
      real_known_ = true;
      real_ = after;
      chain_.steps.push_back(step);
    }
    registers_[target] = {Held::Kind::VALUE, value.steps + 1, {}, value.number};
    return true;
  }

  bool function(unsigned target, DOp op, DType type, const Held& value) {
    if (type != DType::F32 || !is_value(value)) return false;
    Chain::Step step{ChainOp::FUNCTION, {}};
    step.function = kernels_.lane(op, type, 0);
    return add(target, value, step, true, true);
  }

  bool compare(unsigned target, DType type, uint8_t aux, const Held& a, const Held& b) {
    if (type != DType::F32 || !is_value(a)) return false;
    const Predicate predicate = static_cast<Predicate>(aux);
    const bool unordered = predicate == Predicate::UNO && is_value(b) && a.steps == b.steps && a.number == b.number;
    if (!unordered && !(predicate == Predicate::UGT && is_constant(b, 0))) return false;
    registers_[target] = {unordered ? Held::Kind::UNORDERED : Held::Kind::ABOVE_ZERO, a.steps, {}, a.number};
    return true;
  }

  bool select(unsigned target, const Held& condition, const Held& yes, const Held& no) {
    const auto is_of = [&](const Held& held) {
      return is_value(held) && held.steps == condition.steps && held.number == condition.number;
    };
    if (condition.kind == Held::Kind::UNORDERED && is_constant(yes, 0) && is_of(no))
      return add(target, no, {ChainOp::NAN_TO_ZERO, {}}, true, true);
    if (condition.kind == Held::Kind::ABOVE_ZERO && is_of(yes) && is_constant(no, 0))
      return step(target, ChainOp::MAX, DType::F32, yes, no);
    return false;
  }

  // Rounding, a zero point, both ends, zero for a NaN and the conversion become one step. False where the end of the
  // chain is another conversion.
  bool fold_quantization() {
    std::vector<Chain::Step>& steps = chain_.steps;
    if (steps.empty() || steps.back().op != ChainOp::TO_I8) return true;
    const auto constant = [&](size_t i, ChainOp op) {
      return i < steps.size() && steps[i].op == op && steps[i].operand.place == Place::CONSTANT;
    };
    if (steps.size() < 5) return false;
    size_t at = steps.size() - 5;
    Chain::Step all{ChainOp::QUANTIZE, {}};
    if (constant(at, ChainOp::ADD)) {
      if (at == 0) return false;
      all.zero = float_of_bits(steps[at].operand.at);
      --at;
    }
    const size_t low = steps.size() - 4;
    if (steps[at].op != ChainOp::ROUND || !constant(low, ChainOp::MAX) || !constant(low + 1, ChainOp::MIN) ||
        steps[low + 2].op != ChainOp::NAN_TO_ZERO)
      return false;
    all.low = float_of_bits(steps[low].operand.at);
    all.high = float_of_bits(steps[low + 1].operand.at);
    const auto is_i8 = [](float x) {
      return x >= -128.0f && x <= 127.0f && x == static_cast<float>(static_cast<int>(x));
    };
    if (!is_i8(all.zero) || !is_i8(all.low) || !is_i8(all.high) || all.low > all.high) return false;
    // Ends that are integers may come before rounding, and before an integer is added.
    all.low -= all.zero;
    all.high -= all.zero;
    steps.resize(at);
    fold_ends(all);
    steps.push_back(all);
    chain_.result = DType::I8;
    return true;
  }

  // The constant that a step has, else a NaN.
  static float constant(const Chain::Step& step) {
    return step.operand.place == Place::CONSTANT ? float_of_bits(step.operand.at) : NAN;
  }

  // A division and ends before a quantization become part of it: dividing by what is above zero and rounding keep the
  // order of numbers, so that ends may be divided and rounded themselves, and which zero they are makes no integer
  // another.
  void fold_ends(Chain::Step& all) {
    constexpr float LEAST_DIVISOR = 0x1p-60f, MOST_DIVISOR = 0x1p60f;
    const FloatEnvironment environment;
    std::vector<Chain::Step>& steps = chain_.steps;
    if (!steps.empty() && steps.back().op == ChainOp::DIV) {
      const float divisor = constant(steps.back());
      if (!(divisor >= LEAST_DIVISOR && divisor <= MOST_DIVISOR)) return;
      all.divisor = divisor;
      steps.pop_back();
    }
    for (; !steps.empty(); steps.pop_back()) {
      const ChainOp op = steps.back().op;
      if (op != ChainOp::MAX && op != ChainOp::MIN) return;
      const float end = constant(steps.back());
      if (std::isnan(end)) return;
      const float rounded = std::nearbyint(all.divisor == 0 ? end : end / all.divisor);
      float& replaced = op == ChainOp::MIN ? all.high : all.low;
      replaced = std::clamp(rounded, all.low, all.high);
    }
  }

  // Steps that are one end each become one with both. An end that is the zero of which the other one would be taken
  // stays by itself.
  void join_ends() {
    std::vector<Chain::Step> joined;
    for (const Chain::Step& step : chain_.steps) {
      const float end = constant(step);
      const bool raises = step.op == ChainOp::MAX && !(end == 0 && std::signbit(end));
      const bool lowers = step.op == ChainOp::MIN && !(end == 0 && !std::signbit(end));
      if (std::isnan(end) || (!raises && !lowers)) {
        joined.push_back(step);
        continue;
      }
      // An end that is not between those before it is a step of its own: which one comes first matters then.
      const Chain::Step fresh{ChainOp::BETWEEN, {}, 0, -INFINITY, INFINITY};
      Chain::Step both = !joined.empty() && joined.back().op == ChainOp::BETWEEN ? joined.back() : fresh;
      if (end <= both.low || end >= both.high) both = fresh;
      else if (both.low != -INFINITY || both.high != INFINITY) joined.pop_back();
      (raises ? both.low : both.high) = end;
      joined.push_back(both);
    }
    chain_.steps = std::move(joined);
  }

  const Kernels& kernels_;
  bool real_ = false, real_known_ = false;  // whether the value after all steps is f32, once a step says so
};

}  // namespace tfmbs
