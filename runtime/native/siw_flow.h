// The scalar side of a vector program: where it is, scalar registers, loops, VL. It depends on lanes by SGET only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.gen.h"
#include "siw.h"

namespace tfmbs {

inline uint64_t raw(int64_t value) { return static_cast<uint64_t>(value); }
inline int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

// Executes an action of the scalar side; the caller has taken `flow.next` on already.
[[gnu::always_inline]] inline void follow(const Action& action, const Action* actions, int64_t* scalars, Flow& flow) {
  using Kind = Action::Kind;
  const uint64_t base = raw(scalars[action.base]), index = raw(scalars[action.index]);
  const uint64_t immediate = raw(action.immediate);
  int64_t& target = scalars[action.target];
  switch (action.kind) {
    case Kind::LI: target = action.immediate; break;
    case Kind::LIH: target = wrap(raw(target) << 17 | (immediate & 0x1ffff)); break;
    case Kind::ADDI: target = wrap(base + immediate); break;
    case Kind::SADD: target = wrap(base + index); break;
    case Kind::SMUL: target = wrap(base * index); break;
    case Kind::SSUB: target = wrap(base - index); break;
    case Kind::SMIN: target = std::min(wrap(base), wrap(index)); break;
    case Kind::SMAX: target = std::max(wrap(base), wrap(index)); break;
    case Kind::LATCH: scalars[LATCHED] = wrap(base); break;
    case Kind::SETVL: flow.lanes = static_cast<uint32_t>(action.immediate); break;
    case Kind::SETVLR: flow.lanes = static_cast<uint32_t>(std::clamp<int64_t>(wrap(base), 1, abi::VLMAX)); break;
    case Kind::LOOP:
      if (wrap(base) < 1) flow.next = actions + action.jump;
      else flow.loops[flow.depth++] = {flow.next, wrap(base)};
      break;
    case Kind::REPEAT:
      if (--flow.loops[flow.depth - 1].left) flow.next = flow.loops[flow.depth - 1].start;
      else --flow.depth;
      break;
    case Kind::SKIP:
      if (base == 0) flow.next = actions + action.jump;
      break;
    case Kind::BREAK:
      if (base == 0) {
        flow.next = actions + action.jump;
        --flow.depth;
      }
      break;
    default: break;
  }
}

}  // namespace tfmbs
