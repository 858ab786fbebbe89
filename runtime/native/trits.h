// Unpacking of ternary weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi.gen.h"

namespace tfmbs {

// The trits of `rows` packed rows of `length` trits each, one i8 per trit, rows not padded. `data` holds `rows` times
// the bytes of a row. Throws Error, located at `where`, for a byte that is no code or a tail that is not trit 0.
std::vector<int8_t> unpack_trits(const uint8_t* data, uint64_t rows, uint64_t length, abi::Packing packing,
                                 const std::string& where);

// Bytes of a row of `length` trits.
uint64_t trit_row_bytes(abi::Packing packing, uint64_t length);

}  // namespace tfmbs
