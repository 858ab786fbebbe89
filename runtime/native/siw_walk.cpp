#include "siw_walk.h"

#include <algorithm>

#include "siw_flow.h"

namespace tfmbs {
namespace {

using Kind = Action::Kind;

bool depends_on_lanes(Kind kind) {
  switch (kind) {
    case Kind::GET32:
    case Kind::GET64:
    case Kind::GATHER:
    case Kind::GATHER64:
    case Kind::SCATTER:
    case Kind::SCATTER64: return true;
    default: return false;
  }
}

bool scatters(Kind kind) { return kind == Kind::SCATTER || kind == Kind::SCATTER64; }

// Scalars that come from lanes, as bits.
class Unknown {
 public:
  // Executes an action of the scalar side: whether the way that the program takes is known.
  bool follow(const Action& action) {
    const bool base = knows_not(action.base), index = knows_not(action.index);
    switch (action.kind) {
      case Kind::GET32:
      case Kind::GET64: set(action.target, true); return true;
      case Kind::LI: set(action.target, false); return true;
      case Kind::ADDI: set(action.target, base); return true;
      case Kind::SADD:
      case Kind::SMUL:
      case Kind::SSUB:
      case Kind::SMIN:
      case Kind::SMAX: set(action.target, base || index); return true;
      case Kind::LATCH: set(LATCHED, base); return true;
      case Kind::SETVLR:
      case Kind::LOOP:
      case Kind::SKIP:
      case Kind::BREAK: return !base;
      case Kind::STORE: return !base && !index;
      default: return true;
    }
  }

 private:
  bool knows_not(uint8_t scalar) const { return scalars_ >> scalar & 1u; }
  void set(uint8_t scalar, bool is_unknown) {
    const uint64_t bit = uint64_t{1} << scalar;
    scalars_ = is_unknown ? scalars_ | bit : scalars_ & ~bit;
  }
  uint64_t scalars_ = 0;
};

bool is_inside(const Access& access, uint64_t elements) {
  int64_t distance, last;
  bool wrong = __builtin_mul_overflow(access.stride, static_cast<int64_t>(access.lanes) - 1, &distance);
  wrong |= __builtin_add_overflow(access.first, distance, &last);
  return !wrong && raw(access.first) < elements && raw(last) < elements;
}

class Walker {
 public:
  Walker(const std::vector<uint64_t>& elements, Visitor& visitor, bool stores_alone)
      : elements_(elements), visitor_(visitor), stores_alone_(stores_alone) {}

  bool run(const Program& program, uint64_t limit, Walk& result) {
    const Action* const actions = program.actions.data();
    Flow& flow = at_.flow;
    flow.next = actions;
    flow.lanes = abi::VLMAX;
    for (size_t loop = 0;;) {
      const Action& action = *flow.next++;
      const unsigned depth = flow.depth;
      result.words += action.words;
      if (result.words > limit) return false;
      if (stores_alone_ && !unknown_.follow(action)) return false;
      switch (action.kind) {
        case Kind::LOAD:
        case Kind::STORE:
        case Kind::RECV:
        case Kind::SEND:
          if (!access(action, result.turns)) return false;
          break;
        case Kind::REPEAT: result.turns += depth == 1; break;
        case Kind::END: return true;
        default: break;
      }
      follow(action, actions, at_.scalars, flow);
      const bool enters = action.kind == Kind::LOOP && depth == 0, repeats = action.kind == Kind::REPEAT && depth == 1;
      if (enters) loop = static_cast<size_t>(&action - actions);
      if ((enters || repeats) && flow.depth == 1) {
        at_.words = result.words;
        visitor_.head(loop, result.turns, at_);
      }
    }
  }

 private:
  bool access(const Action& action, uint64_t turn) {
    const uint32_t lanes = at_.flow.lanes;
    const bool streams = action.kind == Kind::RECV || action.kind == Kind::SEND;
    const bool writes = action.kind == Kind::STORE || action.kind == Kind::SEND;
    if (stores_alone_ && !writes) return true;
    Access access{action.window, writes, 0, 1, lanes};
    uint64_t& cursor = (writes ? at_.written : at_.read)[action.window];
    if (streams) access.first = wrap(cursor);
    else if (__builtin_add_overflow(at_.scalars[action.base], action.immediate, &access.first)) return false;
    if (!streams) access.stride = at_.scalars[action.index];
    if (!is_inside(access, elements_[action.window])) return false;
    if (streams) cursor += lanes;
    visitor_.access(access, turn, at_.flow.depth > 0);
    return true;
  }

  const std::vector<uint64_t>& elements_;
  Visitor& visitor_;
  bool stores_alone_;
  Unknown unknown_;
  Standing at_;
};

}  // namespace

bool walk(const Program& program, const std::vector<uint64_t>& elements, uint64_t limit, Walk& result,
          Visitor& visitor) {
  if (std::any_of(program.actions.begin(), program.actions.end(),
                  [](const Action& action) { return depends_on_lanes(action.kind); }))
    return false;
  return Walker(elements, visitor, false).run(program, std::min(limit, program.max_steps), result);
}

bool walk_stores(const Program& program, const std::vector<uint64_t>& elements, uint64_t limit, Walk& result,
                 Visitor& visitor) {
  const auto& actions = program.actions;
  if (std::any_of(actions.begin(), actions.end(), [](const Action& action) { return scatters(action.kind); }))
    return false;
  return Walker(elements, visitor, true).run(program, std::min(limit, program.max_steps), result);
}

}  // namespace tfmbs
