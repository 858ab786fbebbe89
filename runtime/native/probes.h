// What this processor can do at most, for the benchmarks to compare with: operations per second of its multipliers,
// bytes per second of its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tfmbs {

// An instruction in chains that do not wait for each other.
struct Burn {
  const char* unit;    // the instruction and its width
  uint64_t operations;  // multiplications and additions of one trip
  uint32_t (*run)(uint64_t trips);  // what comes out is of no use, but keeps the loop alive
};

struct Probes {
  Burn f32, i8;
  uint64_t (*read)(const uint8_t* bytes, size_t size);  // touches every byte once
};

// Operations per second of `burn` on several threads at once, as long as each has a processor: the best of several
// bursts of about `seconds` each.
double peak_rate(const Burn& burn, unsigned threads, double seconds);
// Seconds of reading all bytes `passes` times, a part of them on each thread.
double read_seconds(const Probes& probes, const uint8_t* bytes, size_t size, unsigned threads, unsigned passes);
// Of the instruction set for all of a choice. Throws Error where it does not exist here.
const Probes& probes(const std::string& isa);

}  // namespace tfmbs
