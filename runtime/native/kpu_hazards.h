// Conflicts of a movement program: accesses to the same bytes, one of them a write, that nothing puts in an order; and
// accesses to external memory that do not wait for a token of their launch.
#pragma once

#include <vector>

#include "kpu_simulation.h"

namespace tfmbs::kpu {

// Movement `first` comes before `second` in the program.
struct Conflict {
  int64_t first, second, memory, low, high;
  bool first_writes, second_writes;
};

// Every pair of conflicting movements of a checked program, once for each memory, with the first bytes where they are.
// `accesses` are in the order of movements, `tokens` in that of launches. Throws Error where these, or waits, are not.
std::vector<Conflict> conflicts(const MovementProgram& program, const std::vector<movement::Access>& accesses,
                                const std::vector<movement::Token>& tokens);

}  // namespace tfmbs::kpu
