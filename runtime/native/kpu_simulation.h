// Events: movements start and end, and what they do happens when they end.
#pragma once

#include <vector>

#include "kpu_jobs.h"
#include "kpu_walk.h"
#include "movement.gen.h"

namespace tfmbs::kpu {

// A movement program; see runtime/abi/movement/program.py.
struct MovementProgram {
  std::vector<movement::Movement> movements;
  std::vector<int64_t> waits;
  std::vector<movement::Part> parts;
  std::vector<int64_t> parameters;
  std::vector<TimedProgram> timed;
  int64_t engines = 0;
  int64_t workspace = 0;  // bytes of external memory that its launches keep things in
};

// When each movement started and ended, in picoseconds; when its engine was free before; which movement it waited for
// last, or -1; the bytes that it moved, and those of a vector program's own accesses that were stores.
struct Trace {
  std::vector<int64_t> start, end, ready, cause, bytes, stored;
};

// Throws Error where numbers of a program lie outside of its tables.
void check_program(const MovementProgram& program);
// Executes a checked program. Throws Error, also where movements wait for each other.
Trace simulate(const MovementProgram& program, Jobs& jobs);

}  // namespace tfmbs::kpu
