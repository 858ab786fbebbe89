// GROUP_GEMM of a few rows of i8 with weights of Words::BYTE_ROWS.
#pragma once

#include "launch.h"

namespace tfmbs {

// Whether a product of i8 with i8 weights reads them from the file. More rows of activations are faster with packed
// weights.
bool takes_byte_rows(const abi::GroupGeometry& geometry);
void run_byte_rows(const Engine& engine, const Bound& bound, const PackedWeights& weights);
// Bytes that each thread needs, and those of the activations for all; throw Error where they do not fit 64 bits.
uint64_t byte_rows_buffer_bytes(const Engine& engine, const Launch& launch);
uint64_t byte_rows_lhs_bytes(const Engine& engine, const Launch& launch);

}  // namespace tfmbs
