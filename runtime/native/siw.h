// Vector programs: decoded once per image, executed by a Machine.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "finite_blocks.h"
#include "kernels.h"
#include "siw_columns.h"
#include "siw_registers.h"
#include "words.h"

namespace tfmbs {

// An operand window: the elements of one tensor.
struct Window {
  uint8_t* data = nullptr;
  uint64_t elements = 0;
  FiniteBlocks* known = nullptr;  // who is told of stores, with the bytes of an element
  uint64_t element_bytes = 0;

  // Elements low…last are about to be stored to.
  void tell(int64_t low, int64_t last) const {
    if (!known) return;
    const auto at = [this](int64_t element) { return data + static_cast<uint64_t>(element) * element_bytes; };
    known->forget(at(low), at(last + 1));
  }
};

// What a program does with one window through one element type.
struct WindowUse {
  unsigned window;
  abi::DType type;
  bool writes;
};

// One thing that a program does, ready to execute. The actions of a word stand in the order in which its slots run,
// then comes its control. COPY is the last part of a slot whose result waits for other slots, LATCH the first of a
// control whose register its own word changes, REPEAT the end of a loop; COUNT only counts words. CHAIN stands before
// actions that may be executed at once (siw_chain.h).
struct Action {
  enum class Kind : uint8_t {
    COMPUTE,
    COPY,
    INDEX,
    GET32,
    GET64,
    LOAD,
    STORE,
    GATHER,
    SCATTER,
    GATHER64,
    SCATTER64,
    RECV,
    SEND,
    LI,
    LIH,
    ADDI,
    SADD,
    SMUL,
    SSUB,
    SMIN,
    SMAX,
    LATCH,
    SETVL,
    SETVLR,
    LOOP,
    SKIP,
    BREAK,
    REPEAT,
    CHAIN,
    COUNT,
    END,
  };
  union Function {
    LaneFn lane = nullptr;
    LoadFn load;
    StoreFn store;
    GatherFn gather;
    ScatterFn scatter;
    IndexFn index;
  };

  Kind kind{};
  uint8_t window = 0;
  uint8_t target = 0;           // the scalar that is written
  uint8_t base = 0, index = 0;  // scalars
  uint8_t d = 0;                // vector registers; functions may look at operands that they do not have
  uint8_t a = Registers::UNUSED, b = Registers::UNUSED, c = Registers::UNUSED;
  bool lends = false;   // a load of lanes as they are in memory
  bool steady = false;  // and of a window that the program does not store to
  bool real = false;    // COMPUTE: see `computes_reals`
  int32_t immediate = 0;
  uint32_t writes = 0;   // registers, as bits
  uint32_t settles = 0;  // registers whose lanes must not be borrowed
  uint32_t words = 0;    // that start with it, since the action before it
  uint32_t word = 0;     // the one that it belongs to
  uint32_t jump = 0;     // LOOP, SKIP, BREAK: the one to go on with; REPEAT: the first of the loop; CHAIN: its number
  // COPY: its length, where it does not depend on VL, else that of a lane. COMPUTE: how far the first lane is repeated.
  uint16_t fixed_words = 0, lane_words = 0;
  Function run;
};

// What an action does to vector registers, for those who look at programs without running them.
struct Effect {
  uint64_t reads = 0, writes = 0;  // registers, and the pairs behind them that results wait in, as bits
  bool wide = false;               // an operand has 64-bit lanes
  bool whole = false;              // all VLMAX lanes are written, whatever VL is
  bool partial = false;            // the first lanes of the result are read and written, as sums
  abi::DOp op{};                   // of COMPUTE
  abi::DType type{};               // of its result, or of elements in memory
  uint8_t aux = 0;
};

struct Chain;
struct Stream;
struct Stretch;
struct Stretches;
struct Turns;
// What a turn of a loop adds to each scalar, modulo 2^64.
using Increments = std::array<uint64_t, abi::SCALAR_REGISTERS + 1>;

struct Program {
  std::string name;
  abi::ProgramKind kind{};
  uint64_t max_steps = 0;
  std::vector<Action> actions;
  std::vector<Effect> effects;  // of the actions
  std::vector<WindowUse> uses;
  std::vector<unsigned> cleared;  // vector registers whose value at the start matters
  std::shared_ptr<const Chain> chain;  // what an epilogue may run as instead, or nullptr
  std::shared_ptr<const Stream> stream;  // the same of a VECTOR
  std::shared_ptr<const Stretches> chains;  // of its CHAINs
};

// Decodes `count` words. Throws Error where a word is not valid: everything the Machine relies on is checked here.
// With `translates`, chains of operations become machine code where this processor and system allow it.
Program decode_program(const abi::Program& record, const uint8_t* words, std::string name, const Kernels& kernels,
                       bool translates);

// Whether an operation is one of floating-point numbers: by its type, or by the type that it converts from.
constexpr bool computes_reals(abi::DOp op, abi::DType type, uint8_t aux) {
  const auto real = [](abi::DType of) {
    return of == abi::DType::F64 || of == abi::DType::F32 || of == abi::DType::F16 || of == abi::DType::BF16;
  };
  return real(type) || (op == abi::DOp::CVT && real(static_cast<abi::DType>(aux)));
}

// What the vector units did; elements and lane operations, and those of them that compute reals.
struct VectorCounters {
  uint64_t words = 0;
  uint64_t lane_ops = 0;
  uint64_t real_lane_ops = 0;
  uint64_t loads = 0;
  uint64_t stores = 0;
};

constexpr uint8_t LATCHED = abi::SCALAR_REGISTERS;  // the scalar of LATCH
constexpr uint64_t TO_THE_END = UINT64_MAX;

// Where a program is.
struct Flow {
  struct Loop {
    const Action* start;
    int64_t left;
  };
  const Action* next = nullptr;
  uint32_t lanes = 0;  // VL
  unsigned depth = 0;
  Loop loops[abi::LOOP_DEPTH] = {};
};

// The scalar side of a machine at the head of an outermost loop.
struct Standing {
  int64_t scalars[abi::SCALAR_REGISTERS + 1] = {};
  uint64_t read[abi::WINDOWS] = {}, written[abi::WINDOWS] = {};  // cursors
  Flow flow;
  uint64_t words = 0;
};

class Machine {
 public:
  explicit Machine(const Kernels& kernels)
      : columns_(kernels),
        bounds32_(kernels.bounds32),
        bounds64_(kernels.bounds64),
        exp_(kernels.exp_f32),
        erf_(kernels.erf_f32) {}
  // The lanes of a register between runs.
  uint32_t* vector(unsigned index) { return registers_.own(index); }
  VectorCounters& counters() { return counters_; }

  // Zeroes what the program may read before it writes it: every run of a program starts from the same state.
  void clear(const Program& program);
  void set_scalar(unsigned index, int64_t value) { scalars_[index] = value; }
  // Where scalars that come from lanes are listed from now on, in order; nullptr: nowhere.
  void list_taken(std::vector<int64_t>* taken) { taken_ = taken; }
  // Runs the program with VL = lanes on the registers as they are. Throws Error for an access outside a window and when
  // the program takes more than its max_steps, or more than *step_limit, which is counted down.
  void run(const Program& program, const Window* windows, uint32_t lanes, uint64_t* step_limit);
  // The same in parts: start() goes before the first word, advance() on until `turns` more turns of outermost loops
  // have been taken, or before the access to memory that comes after `accesses` more, or to the end; then *step_limit
  // is counted down.
  void start(const Program& program, uint32_t lanes);
  // Goes to where another machine would be; vector registers stay as they are. The standing is of `program`.
  void stand(const Standing& standing);
  void advance(const Program& program, const Window* windows, uint64_t turns, uint64_t* step_limit,
               uint64_t accesses = TO_THE_END);

 private:
  struct Place;

  int64_t strided(const Action& action, const Place& place, uint32_t lanes) const;
  int64_t indexed(const Action& action, const Place& place, uint32_t lanes, BoundsFn bounds) const;
  int64_t next(uint64_t& cursor, const Action& action, const Place& place, uint32_t lanes) const;
  void load(const Action& action, const Window& window, int64_t first, int64_t stride, uint32_t lanes);
  void store(const Action& action, const Window& window, int64_t first, int64_t stride, uint32_t lanes);
  // How a chain was executed: not at all, as its actions have to be executed one by one; with elements where they are
  // in memory; or with some that a later turn needs and that were put side by side only for this one.
  enum class Ran : uint8_t { NOT, IN_PLACE, STAGED };

  bool run_chain(const Stretch& chain, const Action* actions, const Window* windows, Place& place, uint32_t lanes);
  // Takes turns of a loop whose body is the chain, at most so many; how many, which may be none. `hands_on`: those that
  // the chain has for registers that turns hand on.
  uint64_t run_turns(const Stretch& chain, bool hands_on, const Action* actions, const Window* windows, Place& place,
                     Flow& flow, uint64_t most);
  // Takes so many turns that differ by what each adds to scalars and cursors, and leaves the pointers of the last one.
  // False where they cannot be taken so: nothing has happened then.
  bool run_evenly(const Stretch& chain, const Turns* turns, const Action* actions, const Window* windows, Place& place,
                  Flow& flow, const void** pointers, const Increments& increments, uint64_t count);
  // Sets what all chains are given; returns the room for single values.
  uint32_t* begin_chain(const void** pointers, unsigned ring);
  // `ring` says which singles are this turn's.
  Ran prepare_and_run(const Stretch& chain, const Action* actions, const Window* windows, Place& place, uint32_t lanes,
                      const void** pointers, unsigned ring);

  Registers registers_;
  Columns columns_;
  int64_t scalars_[abi::SCALAR_REGISTERS + 1] = {};
  uint64_t read_[abi::WINDOWS] = {}, written_[abi::WINDOWS] = {};  // cursors, at most the elements of their window
  Flow flow_;
  uint64_t words_ = 0;
  VectorCounters counters_;
  BoundsFn bounds32_, bounds64_;
  GroupFn exp_, erf_;
  std::vector<int64_t>* taken_ = nullptr;
  AlignedWords room_;  // of chains: for values, and for elements that do not lie side by side
};

}  // namespace tfmbs
