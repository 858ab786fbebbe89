#include "siw_chain_nodes.h"

#include <algorithm>
#include <utility>

#include "checks.h"

namespace tfmbs {
namespace {

using abi::DOp;
using abi::DType;
using abi::Reduce;
using Kind = Action::Kind;

bool is_integer(DType type) { return type == DType::I32 || type == DType::U32; }
bool is_narrow(DType type) {
  return type == DType::BOOL || type == DType::I8 || type == DType::U8 || type == DType::I16 || type == DType::U16;
}
bool is_word(DType type) { return type == DType::F32 || is_integer(type); }

bool may_sum(DType type, Reduce kind) {
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
bool is_free(DType type, Reduce kind) {
  return type != DType::F32 || kind == Reduce::MAX || kind == Reduce::MIN;
}

bool is_scalar(Kind kind) { return kind >= Kind::LI && kind <= Kind::LATCH; }
bool moves(Kind kind) {
  return kind == Kind::LOAD || kind == Kind::RECV || kind == Kind::STORE || kind == Kind::SEND;
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
    chain_.end = static_cast<uint32_t>(end_);
    chain_.words = words_;
    for (unsigned i = 0; i < EVERY_REGISTER; ++i) {
      if (later_[i] >= 0) {
        Stretch::Item& load = chain_.items[static_cast<size_t>(later_[i])];
        load.stays = live_[end_][i] != 0;
      } else if (at_[i] >= 0 && touched_[i] && live_[end_][i]) {
        if (i >= abi::VECTOR_REGISTERS) return std::nullopt;
        keep(at_[i]);
        const uint8_t pointer = new_pointer();
        chain_.outputs.push_back({static_cast<uint8_t>(i), pointer});
        chain_.written |= uint32_t{1} << i;
        nodes_.steps.push_back({Step::Kind::OUT, at_[i], pointer, 0, DType::I32});
      }
    }
    mark_used();
    for (Stretch::Item& item : chain_.items)
      if (item.kind == Stretch::Item::Kind::LOAD || item.kind == Stretch::Item::Kind::SINGLE_LOAD ||
          item.kind == Stretch::Item::Kind::INDEX || item.kind == Stretch::Item::Kind::SINGLE_INDEX)
        item.is_used = std::any_of(nodes_.nodes.begin(), nodes_.nodes.end(), [&](const Node& node) {
          return node.kind != Node::Kind::OPERATION && node.is_used && node.pointer == item.pointer;
        });
    const bool worth = chain_.operations >= 2 || (chain_.operations && chain_.loads + chain_.stores);
    if (!worth) return std::nullopt;
    return std::make_pair(std::move(nodes_), std::move(chain_));
  }

 private:
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
      return true;
    }
    if (action.kind == Kind::COPY) {
      if (action.fixed_words || action.lane_words != 1 || sum_of_[action.a] >= 0 || sum_of_[action.d] >= 0) return false;
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
  void keep(int32_t number) {
    Node& node = nodes_.nodes[static_cast<size_t>(number)];
    if (node.kind != Node::Kind::REGISTER) return;
    node.kind = Node::Kind::LOAD;
    nodes_.steps.insert(nodes_.steps.begin(), {Step::Kind::COMPUTE, number, 0, 0, DType::I32});
  }

  // From the last step to the first: who is needed, and with the right bits of NaNs.
  void mark_used() {
    for (size_t i = nodes_.steps.size(); i--;) {
      const Step& step = nodes_.steps[i];
      if (step.kind != Step::Kind::COMPUTE) {
        const bool exact = step.kind != Step::Kind::SUM || nodes_.sums[step.sum].type != DType::F32;
        need(step.node, exact);
      } else if (const Node& node = nodes_.nodes[static_cast<size_t>(step.node)]; node.is_used) {
        need_sources(node);
      }
    }
    auto& steps = nodes_.steps;
    steps.erase(std::remove_if(steps.begin(), steps.end(),
                               [&](const Step& step) { return !nodes_.nodes[static_cast<size_t>(step.node)].is_used; }),
                steps.end());
  }
  void need(int32_t node, bool exact) {
    if (node < 0) return;
    nodes_.nodes[static_cast<size_t>(node)].is_used = true;
    nodes_.nodes[static_cast<size_t>(node)].is_exact |= exact;
  }
  void need_sources(const Node& node) {
    const bool keeps = node.op == DOp::SEL || node.op == DOp::NEG || node.op == DOp::ABS;
    for (unsigned i = 0; i < 3; ++i) {
      bool exact = node.type != DType::F32;
      if (node.op == DOp::CVT) exact = static_cast<DType>(node.aux) != DType::F32;
      if (keeps && (node.op == DOp::SEL || node.type == DType::F32)) exact = node.is_exact || (node.op == DOp::SEL && i == 0);
      need(node.sources[i], exact);
    }
  }

  const Program& program_;
  const std::vector<Lanes>& live_;
  Nodes nodes_;
  Stretch chain_;
  size_t end_ = 0;
  uint32_t words_ = 0;
  unsigned pointers_ = FIRST_POINTER, singles_ = 0, indices_ = 0;
  std::array<int32_t, EVERY_REGISTER> at_{};           // the node that a register holds; -1: what it held
  std::array<bool, EVERY_REGISTER> touched_{};         // written here
  std::array<int, EVERY_REGISTER> sum_of_{}, later_{};  // its sum; the item that loads it
};

}  // namespace

bool has_code(DOp op, DType type, uint8_t aux) {
  switch (op) {
    case DOp::MOV:
    case DOp::SEL: return true;
    case DOp::ADD:
    case DOp::SUB:
    case DOp::MUL:
    case DOp::FMA:
    case DOp::NEG:
    case DOp::ABS:
    case DOp::CMP: return type == DType::F32 || type == DType::I32;
    case DOp::MIN:
    case DOp::MAX: return is_word(type);
    case DOp::AND:
    case DOp::OR:
    case DOp::XOR:
    case DOp::SHL:
    case DOp::SHRA:
    case DOp::SHRL: return type == DType::I32;
    case DOp::DIV:
    case DOp::SQRT:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC:
    case DOp::EXP:
    case DOp::ERF: return type == DType::F32;
    case DOp::CVT: {
      const auto from = static_cast<DType>(aux);
      if (from == DType::F32) return is_narrow(type) || type == DType::I32 || type == DType::F32;
      return (is_narrow(from) || is_integer(from)) && (is_narrow(type) || is_word(type));
    }
    default: return false;
  }
}

std::optional<std::pair<Nodes, Stretch>> chain_at(const Program& program, const std::vector<Lanes>& live,
                                                const std::vector<bool>& targets, size_t first, size_t& next) {
  Collector collector(program, live);
  size_t at = first;
  while (at < program.actions.size() && (at == first || !targets[at]) && collector.take(at)) ++at;
  next = std::max(at, first + 1);
  return at > first ? collector.finish() : std::nullopt;
}

}  // namespace tfmbs
