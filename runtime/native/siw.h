// Vector programs: decoded once per image, executed by a Machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "kernels.h"

namespace tfmbs {

// An operand window: the elements of one tensor.
struct Window {
  uint8_t* data = nullptr;
  uint64_t elements = 0;
};

// What a program does with one window through one element type.
struct WindowUse {
  unsigned window;
  abi::DType type;
  bool writes;
};

// One word, ready to execute.
struct Step {
  abi::Word word;
  LaneFn compute = nullptr;
  MoveFns moves{};
  bool stores_first = false;  // S reads registers that D may overwrite
  bool staged = false;        // S reads a register that D writes, and writes one that D reads
};

struct Program {
  std::string name;
  abi::ProgramKind kind;
  uint64_t max_steps;
  std::vector<Step> steps;
  std::vector<WindowUse> uses;
  std::vector<unsigned> registers;  // vector registers it names; the others are never read
};

// Decodes `count` words. Throws Error where a word is not valid: everything the Machine relies on is checked here.
Program decode_program(const abi::Program& record, const uint8_t* words, std::string name, const Kernels& kernels);

// What the vector units did; elements and lane operations.
struct VectorCounters {
  uint64_t words = 0;
  uint64_t lane_ops = 0;
  uint64_t loads = 0;
  uint64_t stores = 0;
};

class Machine {
 public:
  uint32_t* vector(unsigned index) { return vectors_[index]; }
  VectorCounters& counters() { return counters_; }

  // Zeroes the registers that the program names: every run of a program starts from the same state.
  void clear(const Program& program);
  void set_scalar(unsigned index, int64_t value) { scalars_[index] = value; }
  // Runs the program with VL = lanes on the registers as they are. Throws Error for an access outside a window and when
  // the program takes more than its max_steps, or more than *step_limit, which is counted down.
  void run(const Program& program, const Window* windows, uint32_t lanes, uint64_t* step_limit);

 private:
  void move(const Program& program, const Step& step, const Window* windows, uint32_t lanes, uint32_t* target);
  void address(const Step& step);

  alignas(64) uint32_t vectors_[abi::VECTOR_REGISTERS][abi::VLMAX];
  alignas(64) uint32_t staging_[abi::VLMAX];
  int64_t scalars_[abi::SCALAR_REGISTERS];
  VectorCounters counters_;
};

}  // namespace tfmbs
