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

bool is_inside(const Access& access, uint64_t elements) {
  int64_t distance, last;
  bool wrong = __builtin_mul_overflow(access.stride, static_cast<int64_t>(access.lanes) - 1, &distance);
  wrong |= __builtin_add_overflow(access.first, distance, &last);
  return !wrong && raw(access.first) < elements && raw(last) < elements;
}

class Walker {
 public:
  Walker(const std::vector<uint64_t>& elements, const std::function<void(const Access&, uint64_t)>& visit)
      : elements_(elements), visit_(visit) {}

  bool run(const Program& program, uint64_t limit, Walk& result) {
    const Action* const actions = program.actions.data();
    Flow flow;
    flow.next = actions;
    flow.lanes = abi::VLMAX;
    for (;;) {
      const Action& action = *flow.next++;
      result.words += action.words;
      if (result.words > limit) return false;
      switch (action.kind) {
        case Kind::LOAD:
        case Kind::STORE:
        case Kind::RECV:
        case Kind::SEND:
          if (!visit(action, flow.lanes, result.turns)) return false;
          break;
        case Kind::REPEAT: result.turns += flow.depth == 1; break;
        case Kind::END: return true;
        default: break;
      }
      follow(action, actions, scalars_, flow);
    }
  }

 private:
  bool visit(const Action& action, uint32_t lanes, uint64_t turn) {
    const bool streams = action.kind == Kind::RECV || action.kind == Kind::SEND;
    const bool writes = action.kind == Kind::STORE || action.kind == Kind::SEND;
    Access access{action.window, writes, 0, 1, lanes};
    int64_t& cursor = (writes ? written_ : read_)[action.window];
    if (streams) access.first = cursor;
    else if (__builtin_add_overflow(scalars_[action.base], action.immediate, &access.first)) return false;
    if (!streams) access.stride = scalars_[action.index];
    if (!is_inside(access, elements_[action.window])) return false;
    if (streams) cursor += lanes;
    visit_(access, turn);
    return true;
  }

  const std::vector<uint64_t>& elements_;
  const std::function<void(const Access&, uint64_t)>& visit_;
  int64_t scalars_[abi::SCALAR_REGISTERS + 1] = {};
  int64_t read_[abi::WINDOWS] = {}, written_[abi::WINDOWS] = {};
};

}  // namespace

bool walk(const Program& program, const std::vector<uint64_t>& elements, uint64_t limit, Walk& result,
          const std::function<void(const Access&, uint64_t)>& visit) {
  if (std::any_of(program.actions.begin(), program.actions.end(),
                  [](const Action& action) { return depends_on_lanes(action.kind); }))
    return false;
  return Walker(elements, visit).run(program, std::min(limit, program.max_steps), result);
}

}  // namespace tfmbs
