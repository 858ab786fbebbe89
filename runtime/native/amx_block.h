// Blocks of 32 rows by 32 columns of a product of integers, on a unit with eight tiles of 16 rows of 64 bytes. `Unit`
// is the processor's (AMX) or the model of it: both have load, store and dot of numbered tiles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr unsigned AMX_TILES = 8, AMX_ROWS = 16, AMX_BYTES = 64;  // rows of a tile, bytes of a row

// What LDTILECFG reads.
struct AmxConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};

  // All tiles as large as they can be, but those of sums and of A, 0 to 5, of `height` rows: that many take their time.
  explicit AmxConfig(unsigned height = AMX_ROWS) {
    for (unsigned i = 0; i < AMX_TILES; ++i) {
      bytes[i] = AMX_BYTES;
      rows[i] = static_cast<uint8_t>(i < 6 ? height : AMX_ROWS);
    }
  }
};
static_assert(sizeof(AmxConfig) == 64, "as the processor reads it");

constexpr unsigned AMX_STEPS = AMX_BYTES / 4;   // words of the reduction that a tile of activations holds
constexpr unsigned AMX_COLUMNS = 2 * AMX_STEPS;  // of a block
constexpr size_t AMX_PANEL_BYTES = 4 * AMX_COLUMNS;

// Adds the products of one step of 16 words. `HALVES`: tiles of rows.
template <unsigned HALVES, class Unit>
void amx_step(Unit& unit, const uint8_t* a, const uint8_t* b) {
  unit.template load<6>(b, AMX_PANEL_BYTES);
  unit.template load<7>(b + AMX_BYTES, AMX_PANEL_BYTES);
  unit.template load<4>(a, AMX_BYTES);
  unit.template dot<0, 4, 6>();
  unit.template dot<1, 4, 7>();
  if constexpr (HALVES == 2) {
    unit.template load<5>(a + AMX_ROWS * AMX_BYTES, AMX_BYTES);
    unit.template dot<2, 5, 6>();
    unit.template dot<3, 5, 7>();
  }
}

template <unsigned HALVES, class Unit>
void amx_multiply(size_t k, const uint8_t* a, const uint8_t* b, int32_t* out, size_t stride) {
  constexpr size_t A_STEP = HALVES * AMX_ROWS * AMX_BYTES, B_STEP = AMX_STEPS * AMX_PANEL_BYTES;
  Unit unit;
  const size_t bytes = stride * sizeof(int32_t);
  unit.template load<0>(out, bytes);
  unit.template load<1>(out + AMX_STEPS, bytes);
  if constexpr (HALVES == 2) {
    unit.template load<2>(out + AMX_ROWS * stride, bytes);
    unit.template load<3>(out + AMX_ROWS * stride + AMX_STEPS, bytes);
  }
  size_t i = 0;
  for (; i + AMX_STEPS <= k; i += AMX_STEPS, a += A_STEP, b += B_STEP) amx_step<HALVES>(unit, a, b);
  if (i < k) {
    // Behind the last weights come zeros, with which it does not matter what activations there are.
    alignas(64) uint8_t rest[B_STEP] = {};
    std::memcpy(rest, b, (k - i) * AMX_PANEL_BYTES);
    amx_step<HALVES>(unit, a, rest);
  }
  unit.template store<0>(out, bytes);
  unit.template store<1>(out + AMX_STEPS, bytes);
  if constexpr (HALVES == 2) {
    unit.template store<2>(out + AMX_ROWS * stride, bytes);
    unit.template store<3>(out + AMX_ROWS * stride + AMX_STEPS, bytes);
  }
}

// A `TileFn` for panels of 32 columns, whose a is made of blocks of 16 words: all rows up to a multiple of 16, one
// after the other, in each.
template <class Unit>
void amx_tile(unsigned rows, size_t k, const uint32_t* a, const uint32_t* b, int32_t* out, size_t stride) {
  const uint8_t* left = reinterpret_cast<const uint8_t*>(a);
  const uint8_t* right = reinterpret_cast<const uint8_t*>(b);
  const auto multiply = rows > AMX_ROWS ? amx_multiply<2, Unit> : amx_multiply<1, Unit>;
  if (rows % AMX_ROWS == 0) return multiply(k, left, right, out, stride);
  alignas(64) int32_t sums[2 * AMX_ROWS * AMX_COLUMNS] = {};
  for (unsigned r = 0; r < rows; ++r)
    std::memcpy(sums + r * AMX_COLUMNS, out + r * stride, AMX_COLUMNS * sizeof(int32_t));
  multiply(k, left, right, sums, AMX_COLUMNS);
  for (unsigned r = 0; r < rows; ++r)
    std::memcpy(out + r * stride, sums + r * AMX_COLUMNS, AMX_COLUMNS * sizeof(int32_t));
}

}  // namespace
