// Programs that take the f32 of one window through a chain and store the bytes in another one, in the order in which
// they lie, as quantizations do. Which ones these are, and all that they count, follows from their words alone.
#pragma once

#include <cstdint>
#include <optional>

#include "chain.h"
#include "siw.h"

namespace tfmbs {

struct Stream {
  Chain chain;
  uint8_t from = 0, to = 0;  // windows
  uint64_t elements = 0;
  VectorCounters counters;  // of the whole program
};

// The stream that a program is, if it is one.
std::optional<Stream> stream_of(const abi::Program& record, const uint8_t* words, const Kernels& kernels);

}  // namespace tfmbs
