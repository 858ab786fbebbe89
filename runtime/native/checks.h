// Checks of tensor records and launches: what the kernels rely on when they compute addresses.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "abi.gen.h"
#include "image.h"

namespace tfmbs {

// Product of sizes; throws Error where it does not fit.
uint64_t product(std::initializer_list<uint64_t> factors, const std::string& where);
// Elements of a tensor; throws Error where they do not fit its bytes.
uint64_t element_count(const abi::Tensor& tensor, const std::string& where);
// Whether the args of a launch of this kind are operands, not windows of a program.
bool lists_operands(abi::Kind kind);
// Whether elements of a type only exist packed.
bool is_packed(abi::DType type);
// Bytes of one element; 0 for packed ones.
unsigned element_bytes(abi::DType type);
// Throws Error unless the tensor lies in a region of `size` bytes and is aligned to its element.
void check_place(const abi::Tensor& tensor, uint64_t size, const std::string& where);
// Throws Error unless operands, geometry and windows of the launch fit together. Sets launch.integer.
void check_launch(const Image& image, Launch& launch);

}  // namespace tfmbs
