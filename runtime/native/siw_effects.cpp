#include "siw_effects.h"

#include <algorithm>

namespace tfmbs {
namespace {

using Kind = Action::Kind;

constexpr uint16_t ALL = abi::VLMAX, PARTIALS = abi::REDUCTION_LANES;

// Visits the actions that may follow one.
template <class Visit>
void each_next(const Program& program, size_t at, Visit visit) {
  const Action& action = program.actions[at];
  switch (action.kind) {
    case Kind::END: return;
    case Kind::LOOP:
    case Kind::SKIP:
    case Kind::BREAK:
    case Kind::REPEAT: visit(action.jump); break;
    default: break;
  }
  visit(at + 1);
}

// The lanes that are read of a register, where VL is `length`.
uint16_t read_lanes(const Action& action, const Effect& effect, unsigned index, uint16_t length) {
  if (effect.wide) return ALL;
  const bool folds = effect.whole && effect.op == abi::DOp::FOLD;
  if (folds || (effect.partial && effect.writes >> index & 1u && !(index == action.a))) return PARTIALS;
  if (action.kind == Kind::COPY && action.fixed_words) return action.fixed_words;
  return length ? length : ALL;
}

// An epilogue finds some VL or other. Where it stays as it is and all that the program does is in lanes of 32 bits, one
// by one, lanes from there on do not matter, as if there were none.
bool is_uniform(const Program& program) {
  const auto sets = [](const Action& action) { return action.kind == Kind::SETVL || action.kind == Kind::SETVLR; };
  const auto mixes = [](const Effect& effect) { return effect.whole || effect.partial || effect.wide; };
  return std::none_of(program.actions.begin(), program.actions.end(), sets) &&
         std::none_of(program.effects.begin(), program.effects.end(), mixes);
}

}  // namespace

std::vector<uint16_t> lengths(const Program& program) {
  constexpr uint16_t UNREACHED = UINT16_MAX;
  std::vector<uint16_t> result(program.actions.size(), UNREACHED);
  result[0] = program.kind == abi::ProgramKind::VECTOR || is_uniform(program) ? ALL : 0;
  for (bool again = true; again;) {
    again = false;
    for (size_t at = 0; at < result.size(); ++at) {
      const Action& action = program.actions[at];
      uint16_t after = result[at];
      if (after == UNREACHED) continue;
      if (action.kind == Kind::SETVL) after = static_cast<uint16_t>(action.immediate);
      if (action.kind == Kind::SETVLR) after = 0;
      each_next(program, at, [&](size_t next) {
        const uint16_t joined = result[next] == UNREACHED || result[next] == after ? after : uint16_t{0};
        again |= joined != result[next];
        result[next] = joined;
      });
    }
  }
  for (uint16_t& length : result) length = length == UNREACHED ? uint16_t{0} : length;
  return result;
}

Written written(const Action& action, const Effect& effect, uint16_t length) {
  if (effect.whole) return {ALL, ALL};
  if (effect.partial) return {0, PARTIALS};
  if (effect.wide) return {length == ALL ? ALL : uint16_t{0}, ALL};
  if (action.kind == Kind::COPY && action.fixed_words) return {action.fixed_words, action.fixed_words};
  return {length, length ? length : ALL};
}

std::vector<Lanes> live_before(const Program& program) {
  const std::vector<uint16_t> vl = lengths(program);
  std::vector<Lanes> result(program.actions.size(), Lanes{});
  for (bool again = true; again;) {
    again = false;
    for (size_t at = result.size(); at--;) {
      const Action& action = program.actions[at];
      const Effect& effect = program.effects[at];
      Lanes live{};
      each_next(program, at, [&](size_t next) {
        for (unsigned i = 0; i < EVERY_REGISTER; ++i) live[i] = std::max(live[i], result[next][i]);
      });
      // The results of an epilogue.
      if (action.kind == Kind::END && program.kind == abi::ProgramKind::EPILOGUE) live[0] = live[1] = ALL;
      const Written lanes = written(action, effect, vl[at]);
      each_register(effect.writes, [&](unsigned i) {
        if (live[i] <= lanes.least) live[i] = 0;
      });
      each_register(effect.reads, [&](unsigned i) {
        live[i] = std::max(live[i], read_lanes(action, effect, i, vl[at]));
      });
      again |= live != result[at];
      result[at] = live;
    }
  }
  return result;
}

}  // namespace tfmbs
