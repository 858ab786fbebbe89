// Unpacking of ternary and 4-bit weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "kernels.h"

namespace tfmbs {

// The elements of `rows` packed rows of `length` each, one i8 per element, rows not padded. `data` holds `packed_rows`
// times the bytes of a row. Throws Error, located at `where`, for a byte that is no code, or padding that is not 0.
std::vector<int8_t> unpack_elements(const uint8_t* data, uint64_t rows, uint64_t length, abi::Packing packing,
                                 const std::string& where);

// Throws Error as `unpack_elements` does, for rows of A5, with `CodeFns::abreast` of an instruction set.
void check_abreast(const uint8_t* data, uint64_t rows, uint64_t length, CodesFn codes_before,
                   const std::string& where);

// Bytes of a row of `length` packed elements, and how many rows memory holds for `rows` of them.
uint64_t packed_row_bytes(abi::Packing packing, uint64_t length);
uint64_t packed_rows(abi::Packing packing, uint64_t rows);

}  // namespace tfmbs
