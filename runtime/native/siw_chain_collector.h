// Follows the actions of a chain, and finds what its registers hold as values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "checks.h"
#include "siw_chain_nodes.h"

namespace tfmbs {

inline bool is_integer(abi::DType type) { return type == abi::DType::I32 || type == abi::DType::U32; }
inline bool is_word(abi::DType type) { return type == abi::DType::F32 || is_integer(type); }
inline bool is_narrow(abi::DType type) {
  using abi::DType;
  return type == DType::BOOL || type == DType::I8 || type == DType::U8 || type == DType::I16 || type == DType::U16;
}

class Collector {
 public:
  Collector(const Program& program, const std::vector<Lanes>& live) : program_(program), live_(live) {
    at_.fill(-1);
    touched_.fill(false);
    sum_of_.fill(-1);
    later_.fill(-1);
  }

  // Takes the action in; false where it cannot be part of the chain.
  bool take(size_t at) {
    const Action& action = program_.actions[at];
    const Effect& effect = program_.effects[at];
    // At the end, each register may take one more.
    if (effect.wide || pointers_ + 8 + abi::VECTOR_REGISTERS > MOST_POINTERS) return false;
    if (action.kind == Kind::COMPUTE ? !compute(action, effect) : !other(at, action, effect)) return false;
    words_ += action.words;
    if (action.kind != Kind::COMPUTE && action.kind != Kind::COPY) {
      chain_.items.back().words = std::exchange(words_, 0);
    }
    end_ = at + 1;
    return true;
  }

  std::optional<std::pair<Nodes, Stretch>> finish() {
    if (!leave(nodes_)) return std::nullopt;
    mark_used(nodes_);
    for (Stretch::Item& item : chain_.items)
      if (is_read(item)) item.is_used = uses(nodes_, item.pointer);
    const bool worth = chain_.operations >= 2 || (chain_.operations && chain_.loads + chain_.stores);
    if (!worth) return std::nullopt;
    return std::make_pair(std::move(nodes_), std::move(chain_));
  }

  // Takes the turns of a loop in, of which all but the last one store nothing and add nothing up.
  bool take_turns(size_t first, size_t end, unsigned count) {
    for (unsigned turn = 0; turn < count; ++turn) {
      is_last_ = turn + 1 == count;
      if (turn) begin_turn();
      for (size_t at = first; at < end; ++at)
        if (!take(at)) return false;
    }
    return true;
  }
  // The last of them, made of what all of them load; nullopt where it needs what the registers held before them.
  std::optional<TurnNodes> finish_turns() {
    TurnNodes found;
    Nodes after = nodes_;
    after.sums.clear();
    after.steps.erase(std::remove_if(after.steps.begin(), after.steps.end(),
                                     [](const Step& step) { return step.kind != Step::Kind::COMPUTE; }),
                      after.steps.end());
    if (!leave(after)) return std::nullopt;
    mark_used(nodes_);
    mark_used(after);
    if (needs_before(nodes_) || needs_before(after)) return std::nullopt;
    Turns& turns = found.turns;
    turns.depth = static_cast<unsigned>(items_before_.size());
    for (size_t i = 0; i < chain_.items.size(); ++i) {
      Stretch::Item& item = chain_.items[i];
      if (!is_read(item)) continue;
      item.is_used = uses(nodes_, item.pointer) || uses(after, item.pointer);
      bool is_late = item.kind == Stretch::Item::Kind::LOAD && uses(after, item.pointer), is_kept = false;
      for (size_t turn = 0; turn < turns.depth; ++turn) {
        const uint8_t pointer = items_before_[turn][i].pointer;
        is_kept = is_kept || uses(nodes_, pointer) || uses(after, pointer);
        if (!is_kept) continue;
        const bool ends = turn + 1 == turns.depth;
        turns.shifts.push_back({pointer, ends ? item.pointer : items_before_[turn + 1][i].pointer});
      }
      if (is_kept && item.kind == Stretch::Item::Kind::INDEX) return std::nullopt;
      if (is_kept) item.is_used = item.is_kept = true;
      is_late = is_late || (is_kept && item.kind == Stretch::Item::Kind::LOAD);
      if (is_late && is_stored(program_.actions[item.action].window)) return std::nullopt;
    }
    for (Nodes* nodes : {&nodes_, &after}) on_demand(*nodes);
    turns.stretch = std::move(chain_);
    found.turn = std::move(nodes_);
    found.after = std::move(after);
    return found;
  }

 private:
  using DOp = abi::DOp;
  using DType = abi::DType;
  using Reduce = abi::Reduce;
  using Kind = Action::Kind;

  static bool may_sum(DType type, Reduce kind) {
    switch (kind) {
      case Reduce::SUM: return type == DType::F32 || type == DType::I32;
      case Reduce::MAX:
      case Reduce::MIN: return is_word(type);
      case Reduce::PROD:
      case Reduce::AND:
      case Reduce::OR:
      case Reduce::XOR: return type == DType::I32;
    }
    return false;
  }
  // Whether partials may take lanes in any order.
  static bool is_free(DType type, Reduce kind) {
    return type != DType::F32 || kind == Reduce::MAX || kind == Reduce::MIN;
  }
  static bool is_scalar(Kind kind) { return kind >= Kind::LI && kind <= Kind::LATCH; }
  static bool moves(Kind kind) {
    return kind == Kind::LOAD || kind == Kind::RECV || kind == Kind::STORE || kind == Kind::SEND;
  }

  static bool is_read(const Stretch::Item& item) {
    using Item = Stretch::Item;
    return item.kind == Item::Kind::LOAD || item.kind == Item::Kind::SINGLE_LOAD || item.kind == Item::Kind::INDEX ||
           item.kind == Item::Kind::SINGLE_INDEX;
  }
  static bool uses(const Nodes& nodes, uint8_t pointer) {
    return std::any_of(nodes.nodes.begin(), nodes.nodes.end(), [&](const Node& node) {
      return node.kind != Node::Kind::OPERATION && node.is_used && node.pointer == pointer;
    });
  }

  // What registers hold at the end, written to them. False where one cannot be.
  bool leave(Nodes& nodes) {
    chain_.end = static_cast<uint32_t>(end_);
    chain_.words = words_;
    for (unsigned i = 0; i < EVERY_REGISTER; ++i) {
      if (later_[i] >= 0) {
        Stretch::Item& load = chain_.items[static_cast<size_t>(later_[i])];
        load.stays = live_[end_][i] != 0;
      } else if (at_[i] >= 0 && touched_[i] && live_[end_][i]) {
        if (i >= abi::VECTOR_REGISTERS) return false;
        keep(nodes, at_[i]);
        const uint8_t pointer = new_pointer();
        chain_.outputs.push_back({static_cast<uint8_t>(i), pointer});
        chain_.written |= uint32_t{1} << i;
        nodes.steps.push_back({Step::Kind::OUT, at_[i], pointer, 0, DType::I32});
      }
    }
    return true;
  }

  // Whether the chain stores to a window. No two of them overlap then.
  bool is_stored(uint8_t window) const {
    return std::any_of(chain_.items.begin(), chain_.items.end(), [&](const Stretch::Item& item) {
      return item.kind == Stretch::Item::Kind::STORE && program_.actions[item.action].window == window;
    });
  }
  void begin_turn() {
    items_before_.push_back(std::move(chain_.items));
    auto inputs = std::move(chain_.inputs);
    chain_ = {};
    chain_.inputs = std::move(inputs);
    words_ = 0;
    singles_ = indices_ = 0;
    first_of_turn_ = nodes_.nodes.size();
  }
  // Whether something is computed from a register as it was before the first turn, and is not in all of them.
  bool needs_before(const Nodes& nodes) const {
    return std::any_of(chain_.inputs.begin(), chain_.inputs.end(), [&](const Stretch::Place& input) {
      return (touched_[input.index] || sum_of_[input.index] >= 0) && uses(nodes, input.pointer);
    });
  }
  // Puts what earlier turns left to the last one to where it is needed first.
  void on_demand(Nodes& nodes) const {
    std::vector<Step> steps;
    std::vector<const Step*> waiting(nodes.nodes.size(), nullptr);
    for (const Step& step : nodes.steps)
      if (step.kind == Step::Kind::COMPUTE && static_cast<size_t>(step.node) < first_of_turn_)
        waiting[static_cast<size_t>(step.node)] = &step;
    // Nodes on the way to what is needed, and how many of their sources have been visited. Sources come first, each
    // once: values have many ways to where they are needed, and ways are as long as bodies of loops.
    std::vector<std::pair<size_t, unsigned>> path;
    std::vector<bool> is_visited(nodes.nodes.size());
    const auto visit = [&](int32_t node) {
      if (node < 0 || is_visited[static_cast<size_t>(node)]) return;
      is_visited[static_cast<size_t>(node)] = true;
      path.push_back({static_cast<size_t>(node), 0});
    };
    for (const Step& step : nodes.steps) {
      visit(step.node);
      while (!path.empty()) {
        const size_t node = path.back().first;
        if (path.back().second < std::size(nodes.nodes[node].sources)) {
          visit(nodes.nodes[node].sources[path.back().second++]);
          continue;
        }
        path.pop_back();
        if (waiting[node]) steps.push_back(*waiting[node]);
      }
      if (step.kind != Step::Kind::COMPUTE || static_cast<size_t>(step.node) >= first_of_turn_) steps.push_back(step);
    }
    nodes.steps = std::move(steps);
  }

  static void note(std::vector<uint8_t>& numbers, uint8_t number) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
  }

  uint8_t new_pointer() { return static_cast<uint8_t>(pointers_++); }

  int32_t add(Node node) {
    nodes_.nodes.push_back(node);
    return static_cast<int32_t>(nodes_.nodes.size() - 1);
  }

  // The value of a register.
  int32_t read(unsigned index) {
    if (at_[index] >= 0) return at_[index];
    Node node;
    node.kind = Node::Kind::REGISTER;
    node.type = DType::I32;
    node.pointer = new_pointer();
    chain_.inputs.push_back({static_cast<uint8_t>(index), node.pointer});
    return at_[index] = add(node);
  }
  void write(unsigned index, int32_t node) {
    at_[index] = node;
    touched_[index] = true;
    later_[index] = -1;
  }

  bool compute(const Action& action, const Effect& effect) {
    if (effect.op == DOp::RED && effect.partial) return sum(action, effect);
    if (effect.partial || effect.whole || !has_code(effect.op, effect.type, effect.aux)) return false;
    for (const uint8_t index : {action.d, action.a, action.b, action.c})
      if (sum_of_[index] >= 0) return false;
    const unsigned count = abi::read_operands(effect.op) >> 1;
    int32_t sources[3] = {-1, -1, -1};
    const unsigned operands[3] = {action.a, action.b, action.c};
    for (unsigned i = 0; i < 3; ++i)
      if (count >> i & 1u) sources[i] = read(operands[i]);
    ++chain_.operations;
    if (action.real) ++chain_.real_operations;
    if (effect.op == DOp::MOV || (effect.op == DOp::CVT && effect.type == static_cast<DType>(effect.aux) &&
                                  is_word(effect.type))) {
      write(action.d, sources[0]);
      return true;
    }
    Node node;
    node.kind = Node::Kind::OPERATION;
    node.op = effect.op;
    node.type = effect.type;
    node.aux = effect.aux;
    std::copy(std::begin(sources), std::end(sources), std::begin(node.sources));
    const int32_t number = add(node);
    nodes_.steps.push_back({Step::Kind::COMPUTE, number, 0, 0, DType::I32});
    write(action.d, number);
    return true;
  }

  bool sum(const Action& action, const Effect& effect) {
    if (!is_last_) return true;
    const auto kind = static_cast<Reduce>(effect.aux);
    const unsigned index = action.d;
    if (index >= abi::VECTOR_REGISTERS || !may_sum(effect.type, kind)) return false;
    if (sum_of_[action.a] >= 0 || at_[index] >= 0 || later_[index] >= 0) return false;
    if (sum_of_[index] < 0) {
      if (nodes_.sums.size() == 4) return false;
      sum_of_[index] = static_cast<int>(nodes_.sums.size());
      nodes_.sums.push_back({effect.type, kind, static_cast<uint8_t>(index), new_pointer()});
      chain_.sums.push_back({static_cast<uint8_t>(index), nodes_.sums.back().pointer});
      chain_.settled |= uint32_t{1} << index;
    } else {
      const Sum& before = nodes_.sums[static_cast<size_t>(sum_of_[index])];
      if (before.kind != kind || before.type != effect.type || !is_free(effect.type, kind)) return false;
    }
    ++chain_.operations;
    if (action.real) ++chain_.real_operations;
    nodes_.steps.push_back(
        {Step::Kind::SUM, read(action.a), 0, static_cast<uint8_t>(sum_of_[index]), DType::I32});
    return true;
  }

  bool other(size_t at, const Action& action, const Effect& effect) {
    using Item = Stretch::Item;
    const auto number = static_cast<uint32_t>(at);
    if (is_scalar(action.kind)) {
      chain_.items.push_back({Item::Kind::SCALAR, false, 0, 0, false, false, number, 0});
      note(chain_.counted, action.kind == Kind::LATCH ? LATCHED : action.target);
      return true;
    }
    if (action.kind == Kind::COPY) {
      const bool is_plain = !action.fixed_words && action.lane_words == 1;
      if (!is_plain || sum_of_[action.a] >= 0 || sum_of_[action.d] >= 0) return false;
      write(action.d, read(action.a));
      return true;
    }
    if (action.kind == Kind::INDEX) return effect.type == DType::I32 && index(number, action);
    if (!moves(action.kind) || chain_.loads + chain_.stores == MOST_MOVES) return false;
    const bool streams = action.kind == Kind::RECV || action.kind == Kind::SEND;
    const bool stores = action.kind == Kind::STORE || action.kind == Kind::SEND;
    if (!is_word(effect.type) && !is_narrow(effect.type)) return false;
    if (stores && effect.type == DType::BOOL) return false;
    if (sum_of_[stores ? action.a : action.d] >= 0) return false;
    const auto size = static_cast<uint8_t>(element_bytes(effect.type));
    if (streams) note(chain_.streamed, action.window);
    if (stores && !is_last_) {
      chain_.items.push_back({Item::Kind::STORE, streams, size, 0, false, false, number, 0});
      return true;
    }
    if (stores) {
      const int32_t node = read(action.a);
      const uint8_t pointer = new_pointer();
      chain_.items.push_back({Item::Kind::STORE, streams, size, pointer, true, false, number, 0});
      nodes_.steps.push_back({Step::Kind::STORE, node, pointer, 0, effect.type});
      ++chain_.stores;
      return true;
    }
    if (action.d >= abi::VECTOR_REGISTERS) return false;
    const bool single = !streams && action.index == 0;
    if (single && ++singles_ > MOST_SINGLES) return false;
    Node node;
    node.kind = single ? Node::Kind::SINGLE : Node::Kind::LOAD;
    node.type = effect.type;
    node.pointer = new_pointer();
    chain_.items.push_back(
        {single ? Item::Kind::SINGLE_LOAD : Item::Kind::LOAD, streams, size, node.pointer, false, false, number, 0});
    ++chain_.loads;
    const int32_t value = add(node);
    if (!single) nodes_.steps.push_back({Step::Kind::COMPUTE, value, 0, 0, DType::I32});
    write(action.d, value);
    later_[action.d] = static_cast<int>(chain_.items.size() - 1);
    return true;
  }

  bool index(uint32_t number, const Action& action) {
    using Item = Stretch::Item;
    if (sum_of_[action.d] >= 0 || action.d >= abi::VECTOR_REGISTERS) return false;
    const bool single = action.index == 0;
    if (single ? ++singles_ > MOST_SINGLES : ++indices_ > MOST_MOVES / 4) return false;
    Node node;
    node.kind = single ? Node::Kind::SINGLE : Node::Kind::LOAD;
    node.type = DType::I32;
    node.pointer = new_pointer();
    chain_.items.push_back(
        {single ? Item::Kind::SINGLE_INDEX : Item::Kind::INDEX, false, 4, node.pointer, false, false, number, 0});
    const int32_t value = add(node);
    if (!single) nodes_.steps.push_back({Step::Kind::COMPUTE, value, 0, 0, DType::I32});
    write(action.d, value);
    return true;
  }

  // What a register held before the chain may be gone when it is stored to another one: it is loaded at first.
  static void keep(Nodes& nodes, int32_t number) {
    Node& node = nodes.nodes[static_cast<size_t>(number)];
    if (node.kind != Node::Kind::REGISTER) return;
    node.kind = Node::Kind::LOAD;
    nodes.steps.insert(nodes.steps.begin(), {Step::Kind::COMPUTE, number, 0, 0, DType::I32});
  }

  const Program& program_;
  const std::vector<Lanes>& live_;
  Nodes nodes_;
  Stretch chain_;
  size_t end_ = 0;
  uint32_t words_ = 0;
  unsigned pointers_ = FIRST_POINTER, singles_ = 0, indices_ = 0;
  bool is_last_ = true;                                    // of turns
  std::vector<std::vector<Stretch::Item>> items_before_;  // of the others
  size_t first_of_turn_ = 0;                               // node
  std::array<int32_t, EVERY_REGISTER> at_{};           // the node that a register holds; -1: what it held
  std::array<bool, EVERY_REGISTER> touched_{};         // written here
  std::array<int, EVERY_REGISTER> sum_of_{}, later_{};  // its sum; the item that loads it
};

}  // namespace tfmbs
