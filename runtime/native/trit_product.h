// Products of i8 with weights of Words::RESIDUES.
#pragma once

#include "launch.h"

namespace tfmbs {

void run_trits(const Engine& engine, const Bound& bound, const PackedWeights& weights);
// Whether the rows of activations become tables, and not parts of strips.
bool looks_up(const Launch& launch);
// Bytes that each thread needs, and those of the packed activations for all; throw Error where they do not fit 64 bits.
uint64_t trits_buffer_bytes(const Engine& engine, const Launch& launch);
uint64_t trits_lhs_bytes(const Engine& engine, const Launch& launch);

}  // namespace tfmbs
