// The operands of an entry's launches, bound to the memory of a context: once, but for what each run brings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image.h"

namespace tfmbs {

// Memory of a region, an input or an output.
struct Buffer {
  uint8_t* data = nullptr;
  uint64_t size = 0;
};

// A launch with its operands bound to memory.
struct Bound {
  explicit Bound(const Launch& of) : launch(of) {}

  const Launch& launch;
  const uint8_t* lhs = nullptr;
  const uint8_t* rhs = nullptr;
  uint8_t* out = nullptr;
  const uint8_t* further[5] = {};  // of an ATTENTION: values, mask; of an LSTM: recurrent weights and what else it has
  abi::DType out_type{};
  uint64_t out_bytes = 0;
  Window windows[abi::WINDOWS];
  std::vector<Buffer> stored;  // state that it stores to, unless it is a VECTOR, whose stores its windows tell of
  uint64_t operations = 0;  // multiply-accumulates or pooling taps
  bool is_small = false;    // done before another thread has heard of it
  bool keeps_rows = false;  // its left operand, packed, is that of the product before it
  std::vector<uint32_t> constants;  // tensors of WEIGHTS that it reads
};

// Multiply-accumulates or pooling taps of a launch. Throws Error where they do not fit 64 bits.
uint64_t operations_of(const Launch& launch);

class Bindings {
 public:
  // `known` is of the state. Throws Error where an operand does not lie in its region.
  Bindings(const Image& image, const abi::Entry& entry, Buffer scratch, Buffer state, FiniteBlocks& known);
  Bindings(const Bindings&) = delete;
  Bindings& operator=(const Bindings&) = delete;

  // Binds the operands that are inputs and outputs. Throws Error where these are too few, too short or not aligned.
  void bind(const std::vector<Buffer>& inputs, const std::vector<Buffer>& outputs);
  // By launch of the entry.
  const std::vector<Bound>& launches() const { return launches_; }

 private:
  // An operand that each run brings.
  struct Brought {
    uint32_t launch;
    uint32_t tensor;
    unsigned operand;
  };

  void add(const Launch& launch);
  void add(uint32_t tensor, unsigned operand);
  void note_stores(Bound& bound, unsigned operand, uint8_t* data, const abi::Tensor& tensor);
  bool shares_rows(const Launch& before, const Launch& launch) const;
  void note_rows(const Launch& launch);
  bool stores(const Launch& launch, const abi::Tensor& to) const;
  void set(Bound& bound, unsigned operand, uint8_t* data) const;
  uint8_t* place(const abi::Tensor& tensor, Buffer buffer, const std::string& where) const;

  const Image& image_;
  Buffer scratch_, state_;
  FiniteBlocks& known_;
  std::vector<Bound> launches_;
  std::vector<Brought> brought_;
  const Launch* packed_ = nullptr;  // the last one that packed rows, while these are what its left operand has
};

}  // namespace tfmbs
