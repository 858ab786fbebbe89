#include "siw_restart.h"

#include <algorithm>
#include <utility>

#include "siw_effects.h"

namespace tfmbs {
namespace {

using Kind = Action::Kind;

bool stores(Kind kind) {
  return kind == Kind::STORE || kind == Kind::SEND || kind == Kind::SCATTER || kind == Kind::SCATTER64;
}
bool loads(Kind kind) { return kind == Kind::LOAD || kind == Kind::RECV; }
// Their results depend on lanes, or on memory in places that only lanes know.
bool is_beyond(Kind kind) {
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
bool uses_base(Kind kind) { return kind != Kind::LI && kind != Kind::LIH && kind != Kind::SETVL; }
bool uses_index(Kind kind) {
  switch (kind) {
    case Kind::LOAD:
    case Kind::STORE:
    case Kind::INDEX:
    case Kind::SADD:
    case Kind::SMUL:
    case Kind::SSUB:
    case Kind::SMIN:
    case Kind::SMAX: return true;
    default: return false;
  }
}
bool is_scalar(Kind kind) { return kind >= Kind::LI && kind <= Kind::LATCH; }
uint64_t target_of(const Action& action) {
  return uint64_t{1} << (action.kind == Kind::LATCH ? LATCHED : action.target);
}

// What may not be as it would be.
struct Doubts {
  Lanes lanes{};         // of each register, those below
  uint64_t scalars = 0;  // as bits
  bool cursors = false;

  bool join(const Doubts& other) {
    bool changed = (scalars | other.scalars) != scalars || (cursors | other.cursors) != cursors;
    scalars |= other.scalars;
    cursors |= other.cursors;
    for (unsigned i = 0; i < EVERY_REGISTER; ++i) {
      changed |= lanes[i] < other.lanes[i];
      lanes[i] = std::max(lanes[i], other.lanes[i]);
    }
    return changed;
  }
};

class Entrance {
 public:
  Entrance(const Program& program, size_t loop, uint32_t steady)
      : program_(program), loop_(loop), steady_(steady), vl_(lengths(program)) {}

  std::shared_ptr<const Restart> find() {
    const auto& actions = program_.actions;
    if (std::any_of(actions.begin(), actions.end(), [](const Action& a) { return is_beyond(a.kind); })) return nullptr;
    auto restart = std::make_shared<Restart>();
    if (!go_to_loop(restart->before)) return nullptr;
    const Lanes needed = live_before(program_)[loop_ + 1];
    const auto is_clear = [&] {
      for (unsigned i = 0; i < EVERY_REGISTER; ++i)
        if (needed[i] && doubts_.lanes[i]) return false;
      return true;
    };
    // Scalars and cursors are those of the place.
    doubts_.scalars = 0;
    doubts_.cursors = false;
    while (!is_clear()) {
      if (++restart->turns > Restart::MOST_TURNS) return nullptr;
      take_turn();
    }
    restart->turn = turn();
    return restart;
  }

 private:
  // Executes an action: whether its result is as it would be.
  bool apply(size_t at, Doubts& doubts) const {
    const Action& action = program_.actions[at];
    const Effect& effect = program_.effects[at];
    bool sure = true;
    if (action.kind != Kind::COMPUTE && action.kind != Kind::COPY) {
      if (uses_base(action.kind)) sure &= !(doubts.scalars >> action.base & 1u);
      if (uses_index(action.kind)) sure &= !(doubts.scalars >> action.index & 1u);
      if (action.kind == Kind::LIH) sure &= !(doubts.scalars >> action.target & 1u);
    }
    if (loads(action.kind)) sure &= steady_ >> action.window & 1u;
    if (action.kind == Kind::RECV) sure &= !doubts.cursors;
    each_register(effect.reads, [&](unsigned i) { sure &= !doubts.lanes[i]; });
    if (is_scalar(action.kind)) {
      if (sure) doubts.scalars &= ~target_of(action);
      else doubts.scalars |= target_of(action);
    }
    const Written lanes = written(action, effect, vl_[at]);
    each_register(effect.writes, [&](unsigned i) {
      if (!sure) doubts.lanes[i] = std::max(doubts.lanes[i], lanes.most);
      else if (doubts.lanes[i] <= lanes.least) doubts.lanes[i] = 0;
    });
    return sure;
  }

  // What may be otherwise after some turns of a loop that were not taken.
  void leave_out(size_t first, size_t end) {
    for (size_t at = first; at < end; ++at) {
      const Action& action = program_.actions[at];
      const Written lanes = written(action, program_.effects[at], vl_[at]);
      each_register(program_.effects[at].writes,
                    [&](unsigned i) { doubts_.lanes[i] = std::max(doubts_.lanes[i], lanes.most); });
      if (is_scalar(action.kind)) doubts_.scalars |= target_of(action);
    }
    doubts_.cursors = true;
  }

  // From the start to the loop, past all others.
  bool go_to_loop(Program& before) {
    std::vector<std::pair<size_t, Doubts>> skips;  // where they end, and what holds where they are taken
    std::vector<size_t> kept;
    for (size_t at = 0; at < loop_;) {
      while (!skips.empty() && skips.back().first == at) {
        doubts_.join(skips.back().second);
        skips.pop_back();
      }
      const Action& action = program_.actions[at];
      if (action.kind == Kind::LOOP) {
        leave_out(at + 1, action.jump);
        at = action.jump;
        continue;
      }
      const bool sure = apply(at, doubts_);
      if ((action.kind == Kind::SKIP || action.kind == Kind::SETVLR) && !sure) return false;
      if (action.kind == Kind::SKIP) skips.push_back({action.jump, doubts_});
      if (sure && !stores(action.kind) && action.kind != Kind::COUNT && action.kind != Kind::CHAIN) kept.push_back(at);
      ++at;
    }
    leave_out(loop_ + 1, end_of_loop());
    before = part(kept);
    return true;
  }

  size_t end_of_loop() const { return program_.actions[loop_].jump; }

  // One turn, on every path through it.
  void take_turn() {
    const size_t first = loop_ + 1, end = end_of_loop();
    std::vector<Doubts> before(end - first);
    std::vector<bool> reached(end - first);
    before[0] = doubts_;
    reached[0] = true;
    Doubts after;
    for (bool again = true; again;) {
      again = false;
      for (size_t at = first; at < end; ++at) {
        if (!reached[at - first]) continue;
        Doubts doubts = before[at - first];
        apply(at, doubts);
        const auto go = [&](size_t next) {
          if (next < first || next >= end) return;
          again |= before[next - first].join(doubts) || !reached[next - first];
          reached[next - first] = true;
        };
        const Action& action = program_.actions[at];
        if (at + 1 == end) {  // the REPEAT of the loop itself
          after = doubts;
          continue;
        }
        const bool jumps = action.kind == Kind::LOOP || action.kind == Kind::SKIP || action.kind == Kind::BREAK ||
                           action.kind == Kind::REPEAT;
        if (jumps && action.jump != first) go(action.jump);
        go(at + 1);
      }
    }
    doubts_ = after;
  }

  // The loop's words without stores, and without its end.
  Program turn() const {
    std::vector<size_t> kept;
    std::vector<size_t> loops;  // where inner ones end
    for (size_t at = loop_ + 1; at + 1 < end_of_loop(); ++at) {
      while (!loops.empty() && loops.back() <= at) loops.pop_back();
      const Action& action = program_.actions[at];
      if (action.kind == Kind::LOOP) loops.push_back(action.jump);
      // A turn that another one follows has not left the loop.
      const bool leaves = action.kind == Kind::BREAK && loops.empty();
      const bool is_unsure = loads(action.kind) && !(steady_ >> action.window & 1u);
      const bool is_counted = action.kind == Kind::COUNT || action.kind == Kind::CHAIN;
      if (!leaves && !is_unsure && !stores(action.kind) && !is_counted) kept.push_back(at);
    }
    return part(kept);
  }

  // A program of these actions alone.
  Program part(const std::vector<size_t>& kept) const {
    Program result;
    result.name = program_.name;
    result.kind = program_.kind;
    result.max_steps = UINT64_MAX;
    for (const size_t at : kept) {
      Action action = program_.actions[at];
      action.words = 0;
      const auto next = std::lower_bound(kept.begin(), kept.end(), action.jump);
      action.jump = static_cast<uint32_t>(next - kept.begin());
      result.actions.push_back(action);
      result.effects.push_back(program_.effects[at]);
    }
    Action end;
    end.kind = Kind::END;
    result.actions.push_back(end);
    result.effects.push_back({});
    return result;
  }

  const Program& program_;
  size_t loop_;
  uint32_t steady_;
  std::vector<uint16_t> vl_;
  Doubts doubts_;
};

}  // namespace

std::shared_ptr<const Restart> restart_of(const Program& program, size_t loop, uint32_t steady) {
  return Entrance(program, loop, steady).find();
}

}  // namespace tfmbs
