// Chains: operations of a program that follow each other with one VL, lane by lane, so that sixteen lanes can go
// through all of them in vector registers of the processor. What does not go lane by lane ends a chain.
//
// A chain of values is made of nodes. Machine code for it works on 16 lanes at a time; memory, scalars and checks are
// prepared before (siw_run_chain.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "jit_memory.h"
#include "siw.h"

namespace tfmbs {

constexpr uint32_t LEAST_LANES = 32;  // fewer are not worth it
constexpr unsigned MOST_POINTERS = 128, MOST_MOVES = 24, MOST_SINGLES = 24, MOST_ROOMS = 64;
// Rooms behind those for values: the vector registers of the processor, masks, and the lanes of a GroupFn.
constexpr unsigned SAVED_ROOMS = MOST_ROOMS, MASK_ROOM = SAVED_ROOMS + 32, GROUP_ROOM = MASK_ROOM + 1;
constexpr unsigned ALL_ROOMS = GROUP_ROOM + 1;
// The first pointers of every chain: the rooms, and the functions for lanes that it is not sure of.
constexpr uint8_t ROOMS = 0, EXP_GROUP = 1, ERF_GROUP = 2, FIRST_POINTER = 3;

// What a chain is given: the addresses of its registers and elements, lanes that are whole groups of 16, and the mask
// of the last group, where it is not whole.
using StretchFn = void (*)(const void* const* pointers, uint64_t lanes, uint64_t rest);

inline void run_lanes(StretchFn run, const void* const* pointers, uint32_t lanes) {
  const uint32_t rest = lanes % Registers::GROUP;
  run(pointers, lanes - rest, (uint64_t{1} << rest) - 1);
}

struct Turns;

// How a chain is executed.
struct Stretch {
  // Something to be done before the code runs, in the order of the actions.
  struct Item {
    enum class Kind : uint8_t { SCALAR, LOAD, SINGLE_LOAD, STORE, SINGLE_INDEX, INDEX };
    Kind kind;
    bool streams;        // of a LOAD or STORE: at a cursor
    uint8_t size;        // bytes of an element
    uint8_t pointer;     // that the code takes
    bool is_used;        // by the code
    bool stays;          // a load whose register is read after the chain
    uint32_t action, words;
    bool is_kept = false;  // by later turns
  };
  struct Place {
    uint8_t index, pointer;  // a register, and its pointer
  };
  std::vector<Item> items;
  std::vector<Place> inputs, outputs, sums;
  uint32_t end = 0;    // the action behind it
  uint32_t words = 0;  // behind the last item
  uint32_t operations = 0, real_operations = 0, loads = 0, stores = 0;
  uint32_t written = 0, settled = 0;  // registers, as bits
  std::vector<uint8_t> counted, streamed;  // scalars that it changes, and windows whose cursors it moves
  bool is_body = false;  // all of a loop's
  StretchFn run = nullptr;
  std::shared_ptr<Turns> turns;  // where it is such a body and hands registers on
};

constexpr unsigned MOST_DEPTH = 3;
constexpr uint64_t LEAST_TURNS = 3;       // fewer that are left are prepared one by one
constexpr unsigned EVEN_SINGLES = MOST_DEPTH + 2;  // where single values of turns are that are taken evenly
constexpr size_t LEAST_HANDED_ON = 256;  // lanes from turn to turn; fewer are not worth it

// The turns of a loop whose body is a chain. Schedules let turns overlap: what one computes is stored by a later one.
// Here a turn computes all that it stores itself, from what it and the `depth` turns before it loaded, so that
// registers which turns hand on are not written until the loop ends.
struct Turns {
  struct Shift {
    uint8_t to, from;  // pointers, from those of the turn before
  };
  Stretch stretch;
  StretchFn after = nullptr;  // writes the registers as they are after the last turn
  std::vector<Shift> shifts;
  unsigned depth = 0;
};

// All chains of a program.
struct Stretches {
  std::vector<Stretch> chains;
  std::shared_ptr<const CodeMemory> code;
};

// Finds the chains of a program, translates them, and puts a CHAIN before each. Does nothing where that cannot be.
void add_chains(Program& program);

}  // namespace tfmbs
