// Strips of 32 columns of a product of integers, on a unit as amx_block.h describes it. The tiles of weights of a part
// of the reduction stay in the first cache while those of all rows pass, which come from the second one.
#pragma once

#include "abreast.h"
#include "amx_block.h"
#include "kernels.h"

namespace {

static_assert(tfmbs::STRIP_COLUMNS == AMX_COLUMNS && tfmbs::STRIP_STEP == AMX_BYTES, "columns and steps of tiles");
static_assert(tfmbs::MOST_FEW == AMX_ROWS, "a few rows are a tile");
constexpr size_t AMX_TILE = AMX_ROWS * AMX_BYTES;

inline void amx_fetch(const uint8_t* at, size_t lines) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(at);
  for (size_t i = 0; i < lines; ++i) __builtin_prefetch(reinterpret_cast<const void*>(first + i * AMX_BYTES), 0, 2);
}

// HALVES tiles of 16 rows, of a block of two.
template <unsigned HALVES, class Unit>
void amx_strip_rows(Unit& unit, const tfmbs::Strip& s, const uint8_t* a, const uint8_t* fetch, int32_t* out) {
  const size_t row = s.stride * sizeof(int32_t);
  int32_t* low = out + AMX_ROWS * s.stride;
  if (s.fresh) {
    unit.template zero<0>();
    unit.template zero<1>();
    if constexpr (HALVES == 2) {
      unit.template zero<2>();
      unit.template zero<3>();
    }
  } else {
    unit.template load<0>(out, row);
    unit.template load<1>(out + AMX_STEPS, row);
    if constexpr (HALVES == 2) {
      unit.template load<2>(low, row);
      unit.template load<3>(low + AMX_STEPS, row);
    }
  }
  const uint8_t* b = s.b;
  for (size_t step = 0; step < s.steps; ++step, a += 2 * AMX_TILE, b += 2 * AMX_TILE) {
    unit.template load<6>(b, AMX_BYTES);
    unit.template load<4>(a, AMX_BYTES);
    unit.template dot_i8<0, 4, 6>();
    unit.template load<7>(b + AMX_TILE, AMX_BYTES);
    unit.template dot_i8<1, 4, 7>();
    if constexpr (HALVES == 2) {
      unit.template load<5>(a + AMX_TILE, AMX_BYTES);
      unit.template dot_i8<2, 5, 6>();
      unit.template dot_i8<3, 5, 7>();
    }
    amx_fetch(fetch, s.lines);
    fetch += s.lines * AMX_BYTES;
  }
  unit.template store<0>(out, row);
  unit.template store<1>(out + AMX_STEPS, row);
  if constexpr (HALVES == 2) {
    unit.template store<2>(low, row);
    unit.template store<3>(low + AMX_STEPS, row);
  }
}

// A `StripFn`.
template <class Unit>
void amx_strip(const tfmbs::Strip& s) {
  Unit unit;
  const uint8_t *a = s.a, *fetch = s.fetch;
  int32_t* out = s.out;
  for (size_t row = 0; row < s.rows; row += 2 * AMX_ROWS) {
    if (s.rows - row > AMX_ROWS) amx_strip_rows<2>(unit, s, a, fetch, out);
    else amx_strip_rows<1>(unit, s, a, fetch, out);
    a += s.apart;
    fetch += s.fetch_apart;
    out += 2 * AMX_ROWS * s.stride;
  }
}

// Plane PLANE of the residues of a block: products with the digits' activations, and with those of the digits before.
template <int PLANE, class Unit>
void amx_plane(Unit& unit, const uint8_t* a, size_t step, const uint8_t* b) {
  constexpr int OWN = 4 + PLANE % 2, BEFORE = 5 - PLANE % 2;
  constexpr bool FIRST = PLANE == 0, LAST = PLANE == tfmbs::RESIDUE_PLANES - 1;
  if constexpr (!LAST) unit.template load<OWN>(a + PLANE * step, AMX_BYTES);
  unit.template load<6>(b + 2 * PLANE * AMX_TILE, AMX_BYTES);
  if constexpr (!LAST) unit.template dot_signed<0, OWN, 6>();
  if constexpr (!FIRST) unit.template dot_signed<1, BEFORE, 6>();
  unit.template load<7>(b + (2 * PLANE + 1) * AMX_TILE, AMX_BYTES);
  if constexpr (!LAST) unit.template dot_signed<2, OWN, 7>();
  if constexpr (!FIRST) unit.template dot_signed<3, BEFORE, 7>();
  if constexpr (!LAST) amx_plane<PLANE + 1>(unit, a, step, b);
}

// As `StripFns::few`.
template <class Unit>
void amx_few(const tfmbs::FewRows& s) {
  constexpr size_t COLUMNS = tfmbs::ABREAST_ROWS, ROW = COLUMNS * sizeof(int32_t);
  alignas(AMX_BYTES) int32_t next[tfmbs::MOST_FEW * COLUMNS];
  {
    Unit unit(s.rows);
    const size_t step = s.rows * AMX_BYTES;
    for (unsigned half = 0; half < 2; ++half) {
      unit.template zero<0>();
      unit.template zero<1>();
      unit.template zero<2>();
      unit.template zero<3>();
      const uint8_t *a = s.a, *lines = s.lines;
      for (size_t block = 0; block < s.blocks; ++block, a += tfmbs::RESIDUE_TRITS * s.rows) {
        s.make(lines, half, s.blocks * tfmbs::ABREAST_BYTES, s.buffer);
        amx_plane<0>(unit, a, step, s.buffer);
        lines += tfmbs::ABREAST_BYTES;
      }
      const size_t first = half * AMX_COLUMNS;
      unit.template store<0>(s.sums + first, ROW);
      unit.template store<1>(next + first, ROW);
      unit.template store<2>(s.sums + first + AMX_STEPS, ROW);
      unit.template store<3>(next + first + AMX_STEPS, ROW);
    }
  }
  for (size_t i = 0; i < s.rows * COLUMNS; ++i)
    s.sums[i] = static_cast<int32_t>(3u * static_cast<uint32_t>(s.sums[i]) - static_cast<uint32_t>(next[i])) >> 8;
}

}  // namespace
