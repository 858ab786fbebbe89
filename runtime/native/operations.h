// How many multiply-accumulates launches take, and how many of them have a weight that is not zero.
#pragma once

#include <cstdint>
#include <vector>

#include "abi.gen.h"
#include "pack.h"

namespace tfmbs {

// Multiply-accumulates of a launch (none on padding).
uint64_t operations_of(const abi::GemmGeometry& geometry);
uint64_t operations_of(const abi::VolumeGeometry& geometry);
// Those whose weight is not zero, where `nonzero` weights of each tap of the window are not.
uint64_t active_of(const abi::VolumeGeometry& geometry, const std::vector<uint64_t>& nonzero);
// How many weights are not zero: of all products, of each tap of a window, of all groups.
uint64_t nonzero_of(const abi::GemmGeometry& geometry, const Vectors& rhs);
std::vector<uint64_t> nonzero_of(const abi::VolumeGeometry& geometry, const Vectors& rhs);
uint64_t nonzero_of(const abi::GroupGeometry& geometry, const int8_t* weights);

}  // namespace tfmbs
