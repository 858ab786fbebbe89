// Products of f32.
#pragma once

#include "launch.h"

namespace tfmbs {

void run_floats(const Engine& engine, const Bound& bound, const PackedWeights& weights);
// Bytes that each thread needs, and those of the packed left operand for all; throw Error where they do not fit 64
// bits.
uint64_t floats_buffer_bytes(const Engine& engine, const Launch& launch);
uint64_t floats_lhs_bytes(const Launch& launch);

}  // namespace tfmbs
