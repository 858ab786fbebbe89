// A chain as values: who is computed from whom, and what remains.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "siw_chain.h"
#include "siw_effects.h"

namespace tfmbs {

struct Node {
  enum class Kind : uint8_t { REGISTER, LOAD, SINGLE, OPERATION };
  Kind kind{};
  abi::DOp op{};
  abi::DType type{};  // of the result, or of the elements of a load
  uint8_t aux = 0;
  uint8_t pointer = 0;        // where it comes from, but for OPERATION
  int32_t sources[3] = {-1, -1, -1};
  bool is_exact = false;      // somebody looks at the bits of its NaNs
  bool is_used = false;
};

struct Step {
  enum class Kind : uint8_t { COMPUTE, STORE, SUM, OUT };
  Kind kind{};
  int32_t node = -1;
  uint8_t pointer = 0;  // of STORE and OUT
  uint8_t sum = 0;      // of SUM
  abi::DType type{};    // of STORE: the elements
};

struct Sum {
  abi::DType type{};
  abi::Reduce kind{};
  uint8_t index = 0, pointer = 0;  // the register
  bool is_extreme() const {
    return type == abi::DType::F32 && (kind == abi::Reduce::MAX || kind == abi::Reduce::MIN);
  }
};

struct Nodes {
  std::vector<Node> nodes;
  std::vector<Step> steps;
  std::vector<Sum> sums;
};

// A loop whose body is a chain: its turn, and what registers hold after it.
struct TurnNodes {
  Nodes turn, after;
  Turns turns;
};

// From the last step to the first: who is needed, and with the right bits of NaNs. Other steps go.
void mark_used(Nodes& nodes);

// Whether code can be made for an operation; its types have 32-bit lanes.
bool has_code(abi::DOp op, abi::DType type, uint8_t aux);

// The chain from an action on, as long as it is worth it: nodes and how to execute it. `live` is live_before(),
// `targets` tells actions that are jumped to. `next` is set to where to look for another one.
std::optional<std::pair<Nodes, Stretch>> chain_at(const Program& program, const std::vector<Lanes>& live,
                                                const std::vector<bool>& targets, size_t first, size_t& next);

// The turns of a loop whose body are the actions from `first` to `end`, all of a chain; nullopt where they hand on more
// than what some turns before loaded.
std::optional<TurnNodes> turns_at(const Program& program, const std::vector<Lanes>& live, size_t first, size_t end);

// About how long the operations take: those of numbers, additions and the like.
unsigned cost(const Nodes& nodes);

}  // namespace tfmbs
