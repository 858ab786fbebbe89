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
  for (size_t i = 0; i < chains.size(); ++i) {
    for (Stretch::Item& item : chains[i].items) item.action = place_of(item.action, item.action == firsts[i]);
    chains[i].end = moved[chains[i].end];
  }
  // Other actions of a chain lie behind their CHAIN already: `moved` counts it from the first action on.
  program.actions = std::move(actions);
  program.effects = std::move(effects);
}

}  // namespace

void add_chains(Program& program) {
  const std::vector<Lanes> live = live_before(program);
  std::vector<bool> targets(program.actions.size() + 1);
  for (const Action& action : program.actions)
    if (jumps(action.kind)) targets[action.jump] = true;
  Assembler assembler;
  std::vector<Stretch> chains;
  std::vector<size_t> firsts, starts;
  for (size_t at = 0, next = 0; at < program.actions.size(); at = next) {
    auto found = chain_at(program, live, targets, at, next);
    if (!found) continue;
    const std::optional<size_t> start = code_of(found->first, assembler);
    if (!start) continue;
    firsts.push_back(at);
    starts.push_back(*start);
    chains.push_back(std::move(found->second));
  }
  if (chains.empty()) return;
  auto all = std::make_shared<Stretches>();
  all->code = CodeMemory::of(assembler.finish());
  if (!all->code) return;
  insert(program, firsts, chains);
  for (size_t i = 0; i < chains.size(); ++i)
    chains[i].run = reinterpret_cast<StretchFn>(reinterpret_cast<uintptr_t>(all->code->data() + starts[i]));
  all->chains = std::move(chains);
  program.chains = std::move(all);
}

}  // namespace tfmbs
