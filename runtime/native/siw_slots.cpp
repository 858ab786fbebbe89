#include "siw_slots.h"

namespace tfmbs {
namespace {

using abi::COp;
using abi::DOp;
using abi::SOp;
using Kind = Action::Kind;

bool is_partial(DOp op) { return op == DOp::RED || op == DOp::TPOP; }
bool fills(DOp op) { return op == DOp::FOLD || op == DOp::LAST || op == DOp::LAST64; }
bool is_one_word(abi::DType type) {
  return type == abi::DType::F32 || type == abi::DType::I32 || type == abi::DType::U32;
}

Kind kind_of(SOp op) {
  switch (op) {
    case SOp::LD: return Kind::LOAD;
    case SOp::ST: return Kind::STORE;
    case SOp::GATHER: return Kind::GATHER;
    case SOp::SCATTER: return Kind::SCATTER;
    case SOp::GATHER64: return Kind::GATHER64;
    case SOp::SCATTER64: return Kind::SCATTER64;
    case SOp::LI: return Kind::LI;
    case SOp::LIH: return Kind::LIH;
    case SOp::ADDI: return Kind::ADDI;
    case SOp::SADD: return Kind::SADD;
    case SOp::SMUL: return Kind::SMUL;
    case SOp::SSUB: return Kind::SSUB;
    case SOp::SMIN: return Kind::SMIN;
    case SOp::SMAX: return Kind::SMAX;
    default: return Kind::INDEX;
  }
}

}  // namespace

// Records the registers, which must be a pair where lanes have 64 bits, and whether results and sources overlap askew.
void SlotDecoder::touch(Slot& slot, std::initializer_list<Operand> operands) const {
  const auto mask = [](const Operand& o) { return (o.wide ? 3u : 1u) << o.number; };
  for (const Operand& o : operands) {
    if (!o.reads && !o.writes) continue;
    slot.effect.wide |= o.wide;
    if (o.wide && o.number % 2)
      fail_("v" + std::to_string(o.number) + " is not the first of a pair, which 64-bit lanes need");
    if (o.reads) slot.use.reads |= mask(o);
    // Pairs are read in one piece, and how much of each half is written is not said by VL alone.
    if (o.wide || (o.reads && o.writes)) slot.action.settles |= mask(o);
    if (!o.writes) continue;
    slot.use.writes |= mask(o);
    slot.action.writes |= mask(o);
    slot.accumulates = o.reads;
    slot.lane_words = o.wide ? 2 : 1;
    for (const Operand& source : operands)
      slot.use.overlaps |= source.reads && source.wide != o.wide && mask(source) & mask(o);
  }
}

void SlotDecoder::compute(Slot& slot, DOp op, abi::DType type, uint8_t aux, const char* name) const {
  slot.active = true;
  slot.action.kind = Kind::COMPUTE;
  slot.action.real = computes_reals(op, type, aux);
  slot.action.run.lane = kernels_.lane(op, type, aux);
  if (!slot.action.run.lane)
    fail_(std::string(name) + " is not available here for type " + std::to_string(static_cast<unsigned>(type)) +
          " and aux " + std::to_string(aux));
  if (is_partial(op)) slot.fixed_words = static_cast<uint16_t>(abi::REDUCTION_LANES * slot.lane_words);
  if (fills(op)) {
    slot.fixed_words = slot.action.fixed_words = static_cast<uint16_t>(abi::VLMAX * slot.lane_words);
    slot.action.lane_words = slot.lane_words;
  }
  slot.reads_beyond = is_partial(op) || op == DOp::FOLD;
  slot.effect.partial = is_partial(op);
  slot.effect.whole = fills(op);
  slot.effect.op = op;
  slot.effect.type = type;
  slot.effect.aux = aux;
}

Slot SlotDecoder::d(const abi::Word& word) const {
  Slot slot;
  const DOp op = word.d_op;
  if (op == DOp::NOP) return slot;
  const unsigned wide = abi::wide_operands(op, word.d_type, word.d_aux);
  const unsigned reads = abi::read_operands(op), writes = abi::written_operands(op);
  touch(slot, {{word.d_vd, bool(reads & 1), bool(writes & 1), bool(wide & 1)},
               {word.d_va, bool(reads & 2), false, bool(wide & 2)},
               {word.d_vb, bool(reads & 4), false, bool(wide & 4)},
               {word.d_vc, bool(reads & 8), false, bool(wide & 8)}});
  compute(slot, op, word.d_type, word.d_aux, abi::name_of(op));
  slot.action.d = word.d_vd;
  if (reads & 2) slot.action.a = word.d_va;
  if (reads & 4) slot.action.b = word.d_vb;
  if (reads & 8) slot.action.c = word.d_vc;
  return slot;
}

MoveFns SlotDecoder::moves(Slot& slot, abi::DType type, unsigned window, const char* name) const {
  const MoveFns fns = kernels_.moves(type);
  if (!fns.load) fail_(std::string(name) + ": lanes cannot hold the element type");
  if (window >= windows_) fail_(std::string(name) + ": window " + std::to_string(window) + " is not declared");
  slot.active = true;
  slot.window = slot.action.window = static_cast<uint8_t>(window);
  slot.type = slot.effect.type = type;
  return fns;
}

void SlotDecoder::move(Slot& slot, const abi::Word& word) const {
  const MoveFns fns = moves(slot, word.s_type, word.s_win, abi::name_of(word.s_op));
  Action& action = slot.action;
  switch (action.kind) {
    case Kind::LOAD:
      action.run.load = fns.load;
      action.lends = is_one_word(word.s_type);
      break;
    case Kind::STORE: action.run.store = fns.store; break;
    case Kind::GATHER: action.run.gather = fns.gather; break;
    case Kind::SCATTER: action.run.scatter = fns.scatter; break;
    case Kind::GATHER64: action.run.gather = fns.gather64; break;
    default: action.run.scatter = fns.scatter64; break;
  }
  const bool stores = abi::written_operands(word.s_op) == 0;
  (stores ? slot.use.stores : slot.use.loads) = true;
  // Indices are checked before they are used: memory may change in between, a register does not.
  if (action.kind != Kind::LOAD && action.kind != Kind::STORE) action.settles |= 1u << word.s_index;
}

void SlotDecoder::scalar(Slot& slot, const abi::Word& word) const {
  slot.active = true;
  if (word.s_reg == 0) fail_(std::string(abi::name_of(word.s_op)) + " writes s0, which is always 0");
  slot.action.target = word.s_reg;
}

Slot SlotDecoder::s(const abi::Word& word) const {
  Slot slot;
  const SOp op = word.s_op;
  if (op == SOp::NOP) return slot;
  if (op > SOp::SMAX) fail_("S slot: opcode " + std::to_string(static_cast<unsigned>(op)) + " is not known");
  const unsigned wide = abi::wide_operands(op, word.s_type);
  const unsigned reads = abi::read_operands(op), writes = abi::written_operands(op);
  Action& action = slot.action;
  action.kind = kind_of(op);
  action.base = word.s_base;
  action.index = word.s_index;
  action.immediate = word.s_imm;
  action.d = action.a = word.s_reg;
  action.b = word.s_index;
  touch(slot, {{word.s_reg, bool(reads & 1), bool(writes & 1), bool(wide & 1)},
               {word.s_index, bool(reads & 2), false, bool(wide & 2)}});
  if (op == SOp::INDEX || op == SOp::SGET) {
    const bool is_64 = word.s_type == abi::DType::I64;
    if (!is_64 && word.s_type != abi::DType::I32) fail_(std::string(abi::name_of(op)) + " is for I32 and I64");
    slot.active = true;
    slot.effect.type = word.s_type;
    action.run.index = is_64 ? kernels_.index64 : kernels_.index32;
    if (op == SOp::SGET) {
      scalar(slot, word);
      action.kind = is_64 ? Kind::GET64 : Kind::GET32;
    }
  } else if (action.kind >= Kind::LI) {
    scalar(slot, word);
  } else {
    move(slot, word);
  }
  return slot;
}

Slot SlotDecoder::c(const abi::Word& word) const {
  Slot slot;
  const COp op = word.c_op;
  if (op > COp::SEND) fail_("C slot: opcode " + std::to_string(static_cast<unsigned>(op)) + " is not known");
  if (op < COp::CAST) return slot;
  const unsigned wide = abi::wide_operands(op, word.c_type, word.c_aux);
  const unsigned reads = abi::read_operands(op), writes = abi::written_operands(op);
  Action& action = slot.action;
  action.d = word.c_reg;
  touch(slot, {{word.c_reg, bool(reads & 1), bool(writes & 1), bool(wide & 1)},
               {word.c_src, bool(reads & 2), false, bool(wide & 2)}});
  if (op == COp::CAST || op == COp::REDUCE) {
    action.a = word.c_src;
    compute(slot, op == COp::CAST ? DOp::CVT : DOp::RED, word.c_type, word.c_aux, abi::name_of(op));
    return slot;
  }
  const MoveFns fns = moves(slot, word.c_type, word.c_src, abi::name_of(op));
  action.a = action.d;
  if (op == COp::RECV) {
    action.kind = Kind::RECV;
    action.run.load = fns.load;
    action.lends = is_one_word(word.c_type);
    slot.use.loads = true;
  } else {
    action.kind = Kind::SEND;
    action.run.store = fns.store;
    slot.use.stores = true;
  }
  return slot;
}

}  // namespace tfmbs
