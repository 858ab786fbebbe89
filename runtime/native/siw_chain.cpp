#include "siw_chain.h"

#include <optional>
#include <utility>

#include "siw_chain_code.h"
#include "siw_chain_nodes.h"

namespace tfmbs {
namespace {

using Kind = Action::Kind;

bool jumps(Kind kind) {
  return kind == Kind::LOOP || kind == Kind::SKIP || kind == Kind::BREAK || kind == Kind::REPEAT;
}

// Puts a CHAIN before the first action of each.
void insert(Program& program, const std::vector<size_t>& firsts, std::vector<Stretch>& chains) {
  std::vector<uint32_t> moved(program.actions.size() + 1);
  size_t next = 0;
  for (size_t at = 0; at < moved.size(); ++at) {
    // Who jumps to the first action of a chain comes to its CHAIN.
    moved[at] = static_cast<uint32_t>(at + next);
    if (next < firsts.size() && firsts[next] == at) ++next;
  }
  const auto place_of = [&](size_t at, bool starts) { return moved[at] + (starts ? 1u : 0u); };
  std::vector<Action> actions;
  std::vector<Effect> effects;
  next = 0;
  for (size_t at = 0; at < program.actions.size(); ++at) {
    const bool starts = next < firsts.size() && firsts[next] == at;
    if (starts) {
      Action chain;
      chain.kind = Kind::CHAIN;
      chain.word = program.actions[at].word;
      chain.jump = static_cast<uint32_t>(next++);
      actions.push_back(chain);
      effects.push_back({});
    }
    Action action = program.actions[at];
    if (jumps(action.kind)) action.jump = moved[action.jump];
    actions.push_back(action);
    effects.push_back(program.effects[at]);
  }
  const auto move = [&](Stretch& chain, size_t first) {
    for (Stretch::Item& item : chain.items) item.action = place_of(item.action, item.action == first);
    chain.end = moved[chain.end];
  };
  for (size_t i = 0; i < chains.size(); ++i) {
    move(chains[i], firsts[i]);
    if (chains[i].turns) move(chains[i].turns->stretch, firsts[i]);
  }
  // Other actions of a chain lie behind their CHAIN already: `moved` counts it from the first action on.
  program.actions = std::move(actions);
  program.effects = std::move(effects);
}

// Where the functions of a chain start.
struct Starts {
  size_t run, turn = 0, after = 0;
};

// Adds the turns of a chain that is all of a loop, where that makes less to do.
void add_turns(const Program& program, const std::vector<Lanes>& live, size_t first, const Nodes& nodes,
               Assembler& assembler, Stretch& chain, Starts& starts) {
  const Action& behind = program.actions[chain.end];
  chain.is_body = behind.kind == Kind::REPEAT && behind.jump == first;
  if (chain.outputs.empty() || !chain.is_body) return;
  std::optional<TurnNodes> found = turns_at(program, live, first, chain.end);
  if (!found || cost(found->turn) > cost(nodes) + chain.outputs.size()) return;
  const std::optional<size_t> turn = code_of(found->turn, assembler);
  const std::optional<size_t> after = turn ? code_of(found->after, assembler) : std::nullopt;
  if (!after) return;
  starts.turn = *turn;
  starts.after = *after;
  for (size_t i = 0; i < chain.items.size(); ++i) chain.items[i].is_kept = found->turns.stretch.items[i].is_kept;
  chain.turns = std::make_shared<Turns>(std::move(found->turns));
}

// Results that are the same in all lanes have those that somebody reads.
void repeat_what_is_read(Program& program, const std::vector<Lanes>& live) {
  for (size_t at = 0; at + 1 < program.actions.size(); ++at) {
    Action& action = program.actions[at];
    if (action.kind == Kind::COMPUTE && action.fixed_words && action.lane_words == 1 && action.d < EVERY_REGISTER)
      action.fixed_words = live[at + 1][action.d];
  }
}

}  // namespace

void add_chains(Program& program) {
  const std::vector<Lanes> live = live_before(program);
  repeat_what_is_read(program, live);
  const std::vector<uint16_t> lanes = lengths(program);
  std::vector<bool> targets(program.actions.size() + 1);
  for (const Action& action : program.actions)
    if (jumps(action.kind)) targets[action.jump] = true;
  Assembler assembler;
  std::vector<Stretch> chains;
  std::vector<size_t> firsts;
  std::vector<Starts> starts;
  for (size_t at = 0, next = 0; at < program.actions.size(); at = next) {
    next = at + 1;
    if (lanes[at] && lanes[at] < LEAST_LANES) continue;
    auto found = chain_at(program, live, targets, at, next);
    if (!found) continue;
    const std::optional<size_t> start = code_of(found->first, assembler);
    if (!start) continue;
    firsts.push_back(at);
    starts.push_back({*start});
    add_turns(program, live, at, found->first, assembler, found->second, starts.back());
    chains.push_back(std::move(found->second));
  }
  if (chains.empty()) return;
  auto all = std::make_shared<Stretches>();
  all->code = CodeMemory::of(assembler.finish());
  if (!all->code) return;
  insert(program, firsts, chains);
  const auto function = [&](size_t start) {
    return reinterpret_cast<StretchFn>(reinterpret_cast<uintptr_t>(all->code->data() + start));
  };
  for (size_t i = 0; i < chains.size(); ++i) {
    chains[i].run = function(starts[i].run);
    if (!chains[i].turns) continue;
    chains[i].turns->stretch.run = function(starts[i].turn);
    chains[i].turns->after = function(starts[i].after);
  }
  all->chains = std::move(chains);
  program.chains = std::move(all);
}

}  // namespace tfmbs
