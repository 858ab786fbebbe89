// What a vector program accesses, found without its operands: the scalar side alone is executed.
#pragma once

#include <cstdint>
#include <vector>

#include "siw.h"

namespace tfmbs {

// Elements first + i * stride of a window, for i < lanes.
struct Access {
  unsigned window;
  bool writes;
  int64_t first, stride;
  uint32_t lanes;
};

struct Walk {
  uint64_t words = 0;
  uint64_t turns = 0;  // of outermost loops
};

// Whom a walk tells what it meets, in order. `turn` counts the turns of outermost loops that are over.
class Visitor {
 public:
  virtual ~Visitor() = default;
  // `inside`: of an outermost loop.
  virtual void access(const Access&, uint64_t /*turn*/, bool /*inside*/) {}
  // The head of an outermost loop, before a turn; `loop` is its LOOP action.
  virtual void head(size_t /*loop*/, uint64_t /*turn*/, const Standing&) {}
};

// Walks a program that starts with VL = VLMAX. Returns false where what it accesses depends on its operands, where it
// leaves a window, of `elements` each, and where it takes more than `limit` words; what it told until then is void.
bool walk(const Program& program, const std::vector<uint64_t>& elements, uint64_t limit, Walk& result,
          Visitor& visitor);
// The same of stores alone: what is loaded may depend on operands, as that of embeddings does. What a run stores is
// told unless it fails.
bool walk_stores(const Program& program, const std::vector<uint64_t>& elements, uint64_t limit, Walk& result,
                 Visitor& visitor);

}  // namespace tfmbs
