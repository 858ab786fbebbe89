// The time of a vector program by the timing rule of runtime/abi/siw_cycles.py, and what it accesses, part by part. The
// scalar side is executed; lanes are not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kpu_intervals.h"
#include "movement.gen.h"

namespace tfmbs::kpu {

// A program as the rule sees it: the tables of runtime/abi/movement/timed_words.py.
struct TimedProgram {
  std::vector<movement::TimedWord> words;
  std::vector<movement::TimedOp> ops;
  std::vector<int64_t> places;                    // registers that operations read and write
  std::vector<movement::TimedWindow> windows;
  movement::TimedEngine engine;
};

// Accesses, cycles, and the bytes that they read and write.
struct WalkedPart {
  int64_t accesses;  // -1: to the end
  int64_t cycles;    // to the first in which a word of the next part may issue
  int64_t lag;       // and how many more, until the last beats of its accesses are over
  std::vector<Runs> reads, writes;
};

struct Walked {
  // False: what it accesses depends on its operands, or a word accesses too much, or all of it is too much to be noted;
  // then there is one part without runs.
  bool is_known = true;
  bool is_endless = false;  // it takes more words than it may
  bool leaves = false;      // an access leaves its window: what comes after it is not looked at
  bool branches = false;    // control depends on operands: the time is not known
  int64_t words = 0;
  int64_t bytes = 0;  // of all accesses
  int64_t stored = 0;  // of those that write
  int64_t beats = 0;  // of an engine that moves `width` bytes per cycle and begins one for each access or element
  std::vector<WalkedPart> parts;
  // Bytes that it writes, but for those of strided stores to what it does not load; and those of windows that it loads
  // and stores which it reads before it has written them.
  std::vector<Runs> written, exposed;
};

// A part ends before a word with which it would read or write more than `wanted` bytes; no word may read or write more
// than `most`.
struct Cut {
  int64_t wanted = 0, most = 0;
};

// `taken` are the scalars that the program takes from lanes, in order, where they are known.
Walked walk_timed(const TimedProgram& program, const Cut& cut, const std::vector<int64_t>* taken = nullptr);

}  // namespace tfmbs::kpu
