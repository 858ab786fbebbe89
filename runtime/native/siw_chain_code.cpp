#include "siw_chain_code.h"

#include <algorithm>

#include "siw_chain_opcodes.h"
#include "siw_chain_quick.h"

namespace tfmbs {
namespace {

using abi::DOp;
using abi::DType;
using abi::Reduce;

constexpr uint32_t NAN_BITS = 0x7fc00000u;

class Coder : public ChainQuick {
 public:
  Coder(const Nodes& chain, Assembler& assembler) : ChainQuick(chain, assembler) {}

  size_t write() {
    const size_t start = to_.size();
    for (size_t i = UNSAVED; i < kept_.size(); ++i) to_.push(KEPT[i]);
    to_.bytes({0xc5, 0xf8, 0x92, 0xca});  // kmovw k1, edx
    to_.load(VALUES, POINTERS, 8 * ROOMS);
    for (size_t i = 0; i < kept_.size(); ++i) to_.load(KEPT[i], POINTERS, 8 * kept_[i]);
    begin_sums();
    to_.bytes({0x31, 0xc9, 0x48, 0x85, 0xf6});  // xor ecx, ecx; test rsi, rsi
    const size_t none = to_.jump_if(4);
    const size_t loop = to_.size();
    body(false);
    to_.bytes({0x48, 0x83, 0xc1, 0x10, 0x48, 0x39, 0xf1});  // add rcx, 16; cmp rcx, rsi
    to_.aim(to_.jump_if(2), loop);
    to_.land(none);
    to_.bytes({0xc5, 0xf8, 0x98, 0xc9});  // kortestw k1, k1
    const size_t whole = to_.jump_if(4);
    body(true);
    to_.land(whole);
    end_sums();
    to_.bytes({0xc5, 0xf8, 0x77});  // vzeroupper
    for (size_t i = kept_.size(); i-- > UNSAVED;) to_.pop(KEPT[i]);
    to_.byte(0xc3);
    write_doubts();
    return start;
  }

 private:
  // --- one group of lanes ---

  void body(bool rest) {
    rest_ = rest;
    forget();
    for (step_ = 0; step_ < steps_.size(); ++step_) {
      const Step& step = steps_[step_];
      locked_.clear();
      switch (step.kind) {
        case Step::Kind::COMPUTE:
          if (node_at(step.node).kind == Node::Kind::LOAD) load(step.node);
          else compute(step.node);
          break;
        case Step::Kind::STORE: store(step); break;
        case Step::Kind::OUT: {
          const unsigned number = vector(step.node);
          to_.vector(STORE_WORDS, number, 0, Operand::lanes(base(step.pointer), 2), under(false));
          break;
        }
        case Step::Kind::SUM: sum(step); break;
      }
      release(step_);
    }
  }
  // The mask of memory accesses and sums.
  Mask under(bool zeroes) const { return rest_ ? Mask{REST, zeroes} : Mask{}; }

  void load(int32_t node) {
    const Node& from = node_at(node);
    const unsigned number = result(node);
    locked_.push_back(node);
    const Gpr at = base(from.pointer);
    switch (from.type) {
      case DType::BOOL:
        to_.vector(WIDEN_U8, number, 0, Operand::lanes(at, 0), under(true));
        nonzero(number, number);
        break;
      case DType::I8: to_.vector(WIDEN_I8, number, 0, Operand::lanes(at, 0), under(true)); break;
      case DType::U8: to_.vector(WIDEN_U8, number, 0, Operand::lanes(at, 0), under(true)); break;
      case DType::I16: to_.vector(WIDEN_I16, number, 0, Operand::lanes(at, 1), under(true)); break;
      case DType::U16: to_.vector(WIDEN_U16, number, 0, Operand::lanes(at, 1), under(true)); break;
      default: to_.vector(LOAD_WORDS, number, 0, Operand::lanes(at, 2), under(true));
    }
  }

  void store(const Step& step) {
    const unsigned number = vector(step.node);
    const Gpr at = base(step.pointer);
    switch (step.type) {
      case DType::I8:
      case DType::U8: to_.vector(NARROW_8, number, 0, Operand::lanes(at, 0), under(false)); break;
      case DType::I16:
      case DType::U16: to_.vector(NARROW_16, number, 0, Operand::lanes(at, 1), under(false)); break;
      default: to_.vector(STORE_WORDS, number, 0, Operand::lanes(at, 2), under(false));
    }
  }

  void compute(int32_t number) {
    const Node& node = node_at(number);
    if (node.op == DOp::CMP) return compare(number);
    if (node.op == DOp::SEL) return select(number);
    if (node.op == DOp::EXP) return exponential(number);
    if (node.op == DOp::ERF) return error_function(number);
    if (node.op == DOp::FMA) fuse(number);
    else if (node.op == DOp::CVT) convert(number);
    else if ((node.op == DOp::MIN || node.op == DOp::MAX) && node.type == DType::F32) extreme(number);
    else if (node.op == DOp::NEG && node.type == DType::I32) negate(number);
    else if (is_unary(node.op)) unary(number);
    else binary(number, opcode_of(node.op, node.type));
    if (node.type == DType::F32 && node.is_exact && makes_nan(node)) canonical(state_at(number).number);
  }
  static bool makes_nan(const Node& node) {
    return node.op != DOp::NEG && node.op != DOp::ABS && node.op != DOp::CVT;
  }

  void canonical(unsigned number) {
    to_.vector(COMPARE_F32, SPARE, number, Operand::vector(number), {}, UNORDERED);
    to_.vector(BROADCAST, number, 0, plain(NAN_BITS), {SPARE, false});
  }
  // to = from != 0 ? 1 : 0.
  void nonzero(unsigned to, unsigned from) {
    to_.vector(TEST, SPARE, from, Operand::vector(from));
    to_.vector(BROADCAST, to, 0, plain(1), {SPARE, true});
  }

  void binary(int32_t number, const Opcode& opcode) {
    const unsigned a = vector(node_at(number).sources[0]);
    const Operand b = operand(node_at(number).sources[1]);
    to_.vector(opcode, target(number), a, b);
  }

  // The register of a result that may be written while the last sources are read.
  unsigned target(int32_t number) {
    for (const int32_t source : node_at(number).sources) {
      if (source < 0 || use_after(source) != NEVER || state_at(source).where != Where::VECTOR) continue;
      const unsigned same = state_at(source).number;
      state_at(source).where = Where::NOWHERE;
      return own(number, same);
    }
    return result(number);
  }

  void unary(int32_t number) {
    const Node& node = node_at(number);
    const int32_t source = node.sources[0];
    if (node.op == DOp::NEG || (node.op == DOp::ABS && node.type == DType::F32)) {
      const unsigned a = vector(source);
      const bool negates = node.op == DOp::NEG;
      to_.vector(negates ? opcode_of(DOp::XOR, DType::I32) : opcode_of(DOp::AND, DType::I32), target(number), a,
                 Operand::bits(negates ? 0x80000000u : 0x7fffffffu));
      return;
    }
    const Operand a = operand(source);
    to_.vector(opcode_of(node.op, node.type), target(number), 0, a, {}, rounding_of(node.op));
  }

  void negate(int32_t number) {
    const Operand a = operand(node_at(number).sources[0]);
    const unsigned to = result(number);
    to_.vector(opcode_of(DOp::XOR, DType::I32), to, to, Operand::vector(to));
    to_.vector(opcode_of(DOp::SUB, DType::I32), to, to, a);
  }

  void fuse(int32_t number) {
    const Node& node = node_at(number);
    const unsigned a = vector(node.sources[0]);
    if (node.type == DType::I32) {
      const Operand b = operand(node.sources[1]);
      const bool reloads = b.is_memory();
      const unsigned to = result(number);
      locked_.push_back(number);
      to_.vector(opcode_of(DOp::MUL, DType::I32), to, a, reloads ? b : Operand::vector(b.number));
      to_.vector(opcode_of(DOp::ADD, DType::I32), to, to, operand(node.sources[2]));
      return;
    }
    const int32_t first = node.sources[0], added = node.sources[2];
    const bool ends = use_after(added) == NEVER && added != first && added != node.sources[1];
    if (ends) {
      const unsigned c = vector(added);
      const Operand b = operand(node.sources[1]);
      state_at(added).where = Where::NOWHERE;
      to_.vector(FMA_231, own(number, c), a, b);
      return;
    }
    // The product's first factor is overwritten, or a copy of it.
    const unsigned b = vector(node.sources[1]);
    const Operand c = operand(added);
    unsigned to = a;
    if (use_after(first) == NEVER && first != node.sources[1] && first != added) {
      state_at(first).where = Where::NOWHERE;
      own(number, a);
    } else {
      to = result(number);
      to_.vector(LOAD_WORDS, to, 0, Operand::vector(a));
    }
    to_.vector(FMA_213, to, b, c);
  }

  void extreme(int32_t number) {
    const Node& node = node_at(number);
    const unsigned a = vector(node.sources[0]), b = vector(node.sources[1]), to = result(number);
    to_.vector(RANGE, to, a, Operand::vector(b), {}, node.op == DOp::MIN ? LEAST : GREATEST);
    to_.vector(COMPARE_F32, SPARE, a, Operand::vector(b), {}, UNORDERED);
    to_.vector(opcode_of(DOp::ADD, DType::F32), to, a, Operand::vector(b), {SPARE, false});
  }

  // --- conditions ---

  void compare_into(unsigned mask, const Node& node) {
    const unsigned a = vector(node.sources[0]);
    const Operand b = operand(node.sources[1]);
    const Comparison how = comparison_of(static_cast<abi::Predicate>(node.aux), node.type);
    to_.vector(how.opcode, mask, a, b, {}, how.immediate);
  }
  void compare(int32_t number) {
    if (is_condition(number)) {
      for (unsigned mask = first_mask(); mask < MASKS; ++mask) {
        if (mask_owner_[mask] >= 0) continue;
        compare_into(mask, node_at(number));
        mask_owner_[mask] = number;
        state_at(number).where = Where::MASK;
        state_at(number).number = static_cast<uint8_t>(mask);
        return;
      }
    }
    compare_into(SPARE, node_at(number));
    to_.vector(BROADCAST, result(number), 0, plain(1), {SPARE, true});
  }
  // Whether a value is only asked whether it is zero.
  bool is_condition(int32_t number) const {
    const auto& uses = uses_[static_cast<size_t>(number)];
    return std::all_of(uses.begin(), uses.end(), [&](size_t use) {
      const Step& step = steps_[use];
      if (step.kind != Step::Kind::COMPUTE) return false;
      const Node& node = node_at(step.node);
      return node.op == DOp::SEL && node.sources[0] == number && node.sources[1] != number && node.sources[2] != number;
    });
  }
  unsigned first_mask() const { return FIRST_MASK + masks_of_sums(); }
  void select(int32_t number) {
    const Node& node = node_at(number);
    unsigned mask = SPARE;
    if (state_at(node.sources[0]).where == Where::MASK) {
      mask = state_at(node.sources[0]).number;
    } else {
      const unsigned condition = vector(node.sources[0]);
      to_.vector(TEST, SPARE, condition, Operand::vector(condition));
    }
    const unsigned no = vector(node.sources[2]);
    const Operand yes = operand(node.sources[1]);
    to_.vector(BLEND, target(number), no, yes, {static_cast<uint8_t>(mask), false});
  }

  // --- conversions ---

  void convert(int32_t number) {
    const Node& node = node_at(number);
    const auto from = static_cast<DType>(node.aux);
    const unsigned a = vector(node.sources[0]), to = result(number);
    if (from == DType::F32) return from_real(node.type, a, to);
    unsigned at = narrowed(from, a, to);
    if (node.type == DType::F32) {
      to_.vector(from == DType::U32 ? REAL_OF_U32 : REAL_OF_I32, to, 0, Operand::vector(at));
      return;
    }
    at = narrowed(node.type, at, to);
    if (at != to) to_.vector(LOAD_WORDS, to, 0, Operand::vector(at));
  }
  // The number in the low bits of lanes; where it stands.
  unsigned narrowed(DType type, unsigned from, unsigned to) {
    switch (type) {
      case DType::BOOL: nonzero(to, from); return to;
      case DType::I8:
      case DType::I16:
        to_.vector(SHIFT_BY, SHIFT_LEFT, to, Operand::vector(from), {}, type == DType::I8 ? 24 : 16);
        to_.vector(SHIFT_BY, SHIFT_RIGHT, to, Operand::vector(to), {}, type == DType::I8 ? 24 : 16);
        return to;
      case DType::U8:
      case DType::U16:
        to_.vector(opcode_of(DOp::AND, DType::I32), to, from, Operand::bits(type == DType::U8 ? 0xffu : 0xffffu));
        return to;
      default: return from;
    }
  }
  void from_real(DType type, unsigned a, unsigned to) {
    if (type == DType::BOOL) {
      to_.vector(COMPARE_F32, SPARE, a, Operand::bits(0), {}, UNEQUAL);
      to_.vector(BROADCAST, to, 0, plain(1), {SPARE, true});
      return;
    }
    if (type == DType::I32) {
      to_.vector(WHOLE_OF_REAL, to, 0, Operand::vector(a));
      to_.vector(COMPARE_F32, SPARE, a, Operand::bits(0x4f000000u), {}, NOT_BELOW_ORDERED);  // 2^31
      to_.vector(BROADCAST, to, 0, plain(0x7fffffffu), {SPARE, false});
      to_.vector(COMPARE_F32, SPARE, a, Operand::vector(a), {}, ORDERED);
      to_.vector(LOAD_WORDS, to, 0, Operand::vector(to), {SPARE, true});
      return;
    }
    const Limits limits = limits_of(type);
    to_.vector(COMPARE_F32, SPARE, a, Operand::vector(a), {}, ORDERED);
    to_.vector(PLAIN_MAX, to, a, Operand::bits(limits.low));
    to_.vector(PLAIN_MIN, to, to, Operand::bits(limits.high));
    to_.vector(WHOLE_OF_REAL, to, 0, Operand::vector(to), {SPARE, true});
  }

  // --- sums ---

  unsigned vector_of_sum(size_t sum) const { return VECTORS - 1 - static_cast<unsigned>(sum); }
  // Where lanes of an extreme have met a NaN.
  unsigned mask_of_sum(size_t sum) const {
    return FIRST_MASK + static_cast<unsigned>(std::count_if(
                            sums_.begin(), sums_.begin() + static_cast<std::ptrdiff_t>(sum),
                            [](const Sum& before) { return before.is_extreme(); }));
  }
  void begin_sums() {
    for (size_t i = 0; i < sums_.size(); ++i) {
      const unsigned own = vector_of_sum(i);
      to_.vector(LOAD_WORDS, own, 0, Operand::at(base(sums_[i].pointer), 0));
      if (sums_[i].is_extreme())
        to_.vector(COMPARE_F32, mask_of_sum(i), own, Operand::vector(own), {}, UNORDERED);
    }
  }
  void sum(const Step& step) {
    const Sum& sum = sums_[step.sum];
    const unsigned own = vector_of_sum(step.sum);
    if (!sum.is_extreme()) {
      to_.vector(opcode_of(operation_of(sum.kind), sum.type), own, own, operand(step.node), under(false));
      return;
    }
    const unsigned x = vector(step.node), mask = mask_of_sum(step.sum);
    to_.vector(COMPARE_F32, SPARE, x, Operand::vector(x), under(false), UNORDERED);
    to_.bytes({0xc5, 0x80u | (~mask & 15u) << 3 | 4u, 0x45, 0xc0u | mask << 3 | SPARE});  // korw mask, mask, spare
    to_.vector(RANGE, own, own, Operand::vector(x), under(false), sum.kind == Reduce::MIN ? LEAST : GREATEST);
  }
  void end_sums() {
    for (size_t i = 0; i < sums_.size(); ++i) {
      const unsigned own = vector_of_sum(i);
      if (sums_[i].is_extreme())
        to_.vector(BROADCAST, own, 0, plain(NAN_BITS), {static_cast<uint8_t>(mask_of_sum(i)), false});
      else if (sums_[i].type == DType::F32)
        canonical(own);
      to_.vector(STORE_WORDS, own, 0, Operand::at(base(sums_[i].pointer), 0));
    }
  }

  bool rest_ = false;
};

}  // namespace

std::optional<size_t> code_of(const Nodes& nodes, Assembler& assembler) {
  Coder coder(nodes, assembler);
  const size_t start = coder.write();
  if (coder.rooms() > MOST_ROOMS) return std::nullopt;
  return start;
}

}  // namespace tfmbs
