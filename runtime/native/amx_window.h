// Windows of integers on planes of words, on a unit as amx_block.h describes it: the rows of a tile of A are the
// weights of 16 output channels, those of a tile of B are 16 words of channels at 16 neighbouring pixels, which lie in
// the planes as the unit takes them. Sums of up to 32 channels at 32 pixels stay in its tiles from the first tap to the
// last one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "amx_block.h"
#include "kernels.h"

namespace {

static_assert(tfmbs::QuadWindow::CHANNELS == AMX_ROWS && tfmbs::QuadWindow::STEPS == AMX_STEPS,
              "a panel and a chunk are a tile");

// PANELS of 16 channels, from `weights` on, at VECTORS of 16 pixels; tile 2 * panel + vector has their sums.
template <unsigned PANELS, unsigned VECTORS, class Unit>
void amx_window_tiles(Unit& unit, const tfmbs::QuadWindow& w, const uint32_t* weights, const int32_t* starts,
                      size_t pixel, int32_t* out) {
  constexpr size_t TILE = AMX_ROWS * AMX_STEPS;  // words
  unit.template load<0>(starts, AMX_BYTES);
  if constexpr (VECTORS == 2) unit.template load<1>(starts, AMX_BYTES);
  if constexpr (PANELS == 2) {
    unit.template load<2>(starts + TILE, AMX_BYTES);
    if constexpr (VECTORS == 2) unit.template load<3>(starts + TILE, AMX_BYTES);
  }
  const size_t plane = w.plane * sizeof(uint32_t), row = w.stride * sizeof(int32_t);
  for (size_t chunk = 0; chunk < w.count; ++chunk, weights += TILE) {
    const uint32_t* x = w.image + w.chunks[chunk].at + pixel;
    unit.template load<4>(weights, AMX_BYTES);
    unit.template load<6>(x, plane);
    unit.template dot_signed<0, 4, 6>();
    if constexpr (VECTORS == 2) {
      unit.template load<7>(x + AMX_STEPS, plane);
      unit.template dot_signed<1, 4, 7>();
    }
    if constexpr (PANELS == 2) {
      unit.template load<5>(weights + w.panel, AMX_BYTES);
      unit.template dot_signed<2, 5, 6>();
      if constexpr (VECTORS == 2) unit.template dot_signed<3, 5, 7>();
    }
  }
  unit.template store<0>(out + pixel, row);
  if constexpr (VECTORS == 2) unit.template store<1>(out + pixel + AMX_STEPS, row);
  if constexpr (PANELS == 2) {
    out += AMX_ROWS * w.stride;
    unit.template store<2>(out + pixel, row);
    if constexpr (VECTORS == 2) unit.template store<3>(out + pixel + AMX_STEPS, row);
  }
}

template <class Unit>
void amx_window(const tfmbs::QuadWindow& w) {
  Unit unit;
  alignas(64) int32_t starts[2 * AMX_ROWS * AMX_STEPS];
  for (size_t c = 0; c < w.channels; c += 2 * AMX_ROWS) {
    const uint32_t* weights = w.weights + c / AMX_ROWS * w.panel;
    const size_t channels = w.channels - c < 2 * AMX_ROWS ? w.channels - c : 2 * AMX_ROWS;
    int32_t* out = w.out + c * w.stride;
    for (size_t i = 0; i < channels; ++i)
      for (size_t j = 0; j < AMX_STEPS; ++j) starts[i * AMX_STEPS + j] = w.starts[c + i];
    const bool both = channels > AMX_ROWS;
    size_t pixel = 0;
    for (; pixel + 2 * AMX_STEPS <= w.pixels; pixel += 2 * AMX_STEPS)
      (both ? amx_window_tiles<2, 2, Unit> : amx_window_tiles<1, 2, Unit>)(unit, w, weights, starts, pixel, out);
    if (pixel < w.pixels)
      (both ? amx_window_tiles<2, 1, Unit> : amx_window_tiles<1, 1, Unit>)(unit, w, weights, starts, pixel, out);
  }
}

}  // namespace
