// Where the values of a chain are while its code is written: in vector registers, in memory that they came from, in the
// room for values, or in mask registers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "siw_chain_nodes.h"
#include "siw_chain_opcodes.h"

namespace tfmbs {

constexpr Gpr POINTERS = RDI, SCRATCH = RAX, VALUES = RDX;
constexpr Gpr KEPT[] = {R8, R9, R10, R11, RBX, RBP, R12, R13, R14, R15};  // hold the first pointers
constexpr unsigned VECTORS = 32, REST = 1, SPARE = 2, FIRST_MASK = 3, MASKS = 8;
constexpr size_t NEVER = SIZE_MAX;

class ChainValues {
 public:
  unsigned rooms() const { return most_rooms_; }

 protected:
  ChainValues(const Nodes& chain, Assembler& assembler)
      : nodes_(chain.nodes), steps_(chain.steps), sums_(chain.sums), to_(assembler), uses_(nodes_.size()) {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const auto use = [&](int32_t node) {
        if (node >= 0) uses_[static_cast<size_t>(node)].push_back(i);
      };
      if (steps_[i].kind != Step::Kind::COMPUTE) use(steps_[i].node);
      else
        for (const int32_t source : nodes_[static_cast<size_t>(steps_[i].node)].sources) use(source);
    }
    sorted_pointers();
  }

  enum class Where : uint8_t { NOWHERE, VECTOR, ROOM, MASK };
  struct State {
    Where where = Where::NOWHERE;
    bool has_room = false;  // its value is in the room for values, too
    uint8_t number = 0;
    uint16_t room = 0;
  };

  const Node& node_at(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  State& state_at(int32_t node) { return states_[static_cast<size_t>(node)]; }

  Gpr base(uint8_t pointer) {
    const auto found = std::find(kept_.begin(), kept_.end(), pointer);
    if (found != kept_.end()) return KEPT[found - kept_.begin()];
    to_.load(SCRATCH, POINTERS, 8 * pointer);
    return SCRATCH;
  }

  // Before a group of lanes.
  void forget() {
    states_.assign(nodes_.size(), {});
    owner_.fill(-1);
    mask_owner_.fill(-1);
    rooms_ = 0;
  }

  size_t next_use(int32_t node) const {
    const auto& uses = uses_[static_cast<size_t>(node)];
    const auto found = std::lower_bound(uses.begin(), uses.end(), step_);
    return found == uses.end() ? NEVER : *found;
  }
  size_t use_after(int32_t node) const {
    const auto& uses = uses_[static_cast<size_t>(node)];
    const auto found = std::upper_bound(uses.begin(), uses.end(), step_);
    return found == uses.end() ? NEVER : *found;
  }
  bool is_locked(int32_t node) const { return std::find(locked_.begin(), locked_.end(), node) != locked_.end(); }

  unsigned free_vector() {
    const unsigned count = VECTORS - static_cast<unsigned>(sums_.size());
    unsigned worst = VECTORS;
    size_t farthest = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (taken_[i]) continue;
      if (owner_[i] < 0) return i;
      if (is_locked(owner_[i])) continue;
      const size_t next = use_after(owner_[i]);
      if (worst == VECTORS || next > farthest) worst = i, farthest = next;
    }
    drop(owner_[worst]);
    return worst;
  }
  // A register for something on the way, until give_back().
  unsigned take() {
    const unsigned number = free_vector();
    taken_[number] = true;
    return number;
  }
  void give_back() { taken_.fill(false); }
  // The vector registers that hold something after this step, which is nothing new.
  template <class Visit>
  void each_kept(Visit visit) const {
    for (unsigned i = 0; i < VECTORS; ++i)
      if (i + sums_.size() >= VECTORS || (owner_[i] >= 0 && use_after(owner_[i]) != NEVER)) visit(i);
  }
  // And the masks, the mask of the rest among them.
  template <class Visit>
  void each_kept_mask(unsigned of_sums, Visit visit) const {
    visit(REST);
    for (unsigned i = FIRST_MASK; i < MASKS; ++i)
      if (i < FIRST_MASK + of_sums || mask_owner_[i] >= 0) visit(i);
  }

  // Takes a value out of its register; what cannot be loaded again goes into the room.
  void drop(int32_t node) {
    State& state = state_at(node);
    const Node::Kind kind = node_at(node).kind;
    if ((kind == Node::Kind::OPERATION || kind == Node::Kind::LOAD) && !state.has_room) {
      state.room = rooms_++;
      most_rooms_ = std::max(most_rooms_, rooms_);
      state.has_room = true;
      to_.vector(STORE_WORDS, state.number, 0, room(state));
    }
    owner_[state.number] = -1;
    state.where = state.has_room ? Where::ROOM : Where::NOWHERE;
  }
  static Operand room(const State& state) { return Operand::at(VALUES, 64 * state.room); }
  unsigned own(int32_t node, unsigned number) {
    owner_[number] = node;
    State& state = state_at(node);
    state.where = Where::VECTOR;
    state.number = static_cast<uint8_t>(number);
    state.has_room = false;
    return number;
  }
  unsigned result(int32_t node) { return own(node, free_vector()); }

  // Brings a value into a register, which it keeps during the step.
  unsigned vector(int32_t node) {
    State& state = state_at(node);
    locked_.push_back(node);
    if (state.where == Where::VECTOR) return state.number;
    const bool had = state.has_room;
    const uint16_t place = state.room;
    const unsigned number = free_vector();
    if (had) to_.vector(LOAD_WORDS, number, 0, room(state));
    else to_.vector(node_at(node).kind == Node::Kind::SINGLE ? BROADCAST : LOAD_WORDS, number, 0, memory(node));
    own(node, number);
    state.has_room = had;
    state.room = place;
    return number;
  }
  Operand memory(int32_t node) {
    const Node& from = node_at(node);
    const Gpr at = base(from.pointer);
    return from.kind == Node::Kind::SINGLE ? Operand::at(at, 0) : Operand::lanes(at, 2);
  }
  // A value as the last operand of an instruction, which may be in memory.
  Operand operand(int32_t node) {
    const Node::Kind kind = node_at(node).kind;
    const bool once = use_after(node) == NEVER;
    if (state_at(node).where != Where::VECTOR && !state_at(node).has_room) {
      if (kind == Node::Kind::SINGLE) return Operand::word_at(base(node_at(node).pointer));
      if (kind == Node::Kind::REGISTER && once) return memory(node);
    }
    return Operand::vector(vector(node));
  }
  // After their last use, registers are free.
  void release(size_t step) {
    step_ = step;
    for (int32_t& owner : owner_)
      if (owner >= 0 && use_after(owner) == NEVER) {
        state_at(owner).where = Where::NOWHERE;
        owner = -1;
      }
    for (unsigned i = FIRST_MASK; i < MASKS; ++i)
      if (mask_owner_[i] >= 0 && use_after(mask_owner_[i]) == NEVER) mask_owner_[i] = -1;
  }

  const std::vector<Node>& nodes_;
  const std::vector<Step>& steps_;
  const std::vector<Sum>& sums_;
  Assembler& to_;
  std::vector<std::vector<size_t>> uses_;  // steps by node
  std::vector<uint8_t> kept_;              // pointers in registers
  std::vector<State> states_;
  std::array<int32_t, MASKS> mask_owner_{};
  std::vector<int32_t> locked_;  // nodes that keep their registers during the step
  size_t step_ = 0;

 private:
  // The pointers that are used, the first ones in registers.
  void sorted_pointers() {
    std::vector<unsigned> counts(MOST_POINTERS);
    for (const Step& step : steps_) {
      if (step.kind == Step::Kind::STORE || step.kind == Step::Kind::OUT) ++counts[step.pointer];
    }
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].kind != Node::Kind::OPERATION) counts[nodes_[i].pointer] += static_cast<unsigned>(uses_[i].size());
    for (unsigned i = FIRST_POINTER; i < counts.size(); ++i)
      if (counts[i]) kept_.push_back(static_cast<uint8_t>(i));
    std::stable_sort(kept_.begin(), kept_.end(), [&](uint8_t a, uint8_t b) { return counts[a] > counts[b]; });
    if (kept_.size() > std::size(KEPT)) kept_.resize(std::size(KEPT));
  }

  std::array<int32_t, VECTORS> owner_{};
  std::array<bool, VECTORS> taken_{};
  uint16_t rooms_ = 0, most_rooms_ = 0;
};

}  // namespace tfmbs
