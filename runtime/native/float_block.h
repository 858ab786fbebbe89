// Blocks of f32 products: rows of packed operands against panels of columns that are on their way from memory.
#pragma once

#include "tile.h"

namespace {

static_assert(PANEL % LINE_FLOATS == 0 || LANES < 8, "a step of a panel is whole lines where there are vectors");

// How much ahead of its own steps a panel is fetched that is read once. Few rows wait for memory only: many panels at
// once come straight to the first cache, further ahead they would push each other out of it. Many rows have time to
// take a single panel from the second cache, in which it may be far ahead.
template <unsigned ROWS>
inline void fetch_stream(const float* b) {
  constexpr unsigned FEW = 4;
  constexpr size_t NEAR = 512, FAR = 2048;
  const uintptr_t at = reinterpret_cast<uintptr_t>(b) + sizeof(float) * (ROWS < FEW ? NEAR : FAR);
#pragma GCC unroll 2
  for (size_t i = 0; i < PANEL; i += LINE_FLOATS) {
    const void* const line = reinterpret_cast<const void*>(at + sizeof(float) * i);
    if constexpr (ROWS < FEW) __builtin_prefetch(line, 0, 3);
    else __builtin_prefetch(line, 0, 2);
  }
}

// STREAM: panels are read once.
template <unsigned ROWS, unsigned PANELS, bool STREAM>
void block_rows(const tfmbs::FloatBlock& t, unsigned panel) {
  const float *a = t.a, *b = t.b + panel * t.apart;
  VecF sum[ROWS][2 * PANELS];
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p)
      sum[r][p] = t.from ? load_f(t.from + panel * PANEL + r * t.from_stride + p * LANES) : zero_f();
  const auto step = [&]() __attribute__((always_inline)) {
    VecF right[2 * PANELS];
#pragma GCC unroll 4
    for (unsigned p = 0; p < PANELS; ++p) {
      if constexpr (STREAM) fetch_stream<ROWS>(b + p * t.apart);
      right[2 * p] = load_f(b + p * t.apart);
      right[2 * p + 1] = load_f(b + p * t.apart + LANES);
    }
    if constexpr (!STREAM) prefetch(a, 1, LINE_FLOATS * ROWS);
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      const VecF x = broadcast_f(a[r]);
#pragma GCC unroll 8
      for (unsigned p = 0; p < 2 * PANELS; ++p) sum[r][p] = fma_f(x, right[p], sum[r][p]);
    }
    a += ROWS;
    b += PANEL;
  };
  size_t i = 0;
  for (const float* next = t.next; i < t.next_lines; ++i, next += LINE_FLOATS) {
    __builtin_prefetch(next, 0, 2);
    step();
  }
  for (; i < t.steps; ++i) step();
  float* out = t.out + panel * PANEL;
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r, out += t.out_stride)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p) store_canonical(out + p * LANES, sum[r][p]);
}

template <unsigned ROWS = TILE_ROWS>
void float_block(unsigned rows, const tfmbs::FloatBlock& block) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return float_block<ROWS - 1>(rows, block);
  }
  if (!block.streams) {
    for (unsigned panel = 0; panel < block.panels; ++panel) block_rows<ROWS, 1, false>(block, panel);
    return;
  }
  // Each accumulator waits for itself, so there must be enough of them.
  unsigned panel = 0;
  if constexpr (ROWS == 1)
    for (; panel + 4 <= block.panels; panel += 4) block_rows<ROWS, 4, true>(block, panel);
  if constexpr (ROWS <= 3)
    for (; panel + 2 <= block.panels; panel += 2) block_rows<ROWS, 2, true>(block, panel);
  for (; panel < block.panels; ++panel) block_rows<ROWS, 1, true>(block, panel);
}

}  // namespace
