// The kernel table of one instruction set; the including file names it.
#pragma once

#include "activations.h"
#include "chain_rows.h"
#include "codes.h"
#include "columns.h"
#include "flat_taps.h"
#include "float_block.h"
#include "group_sums.h"
#include "lane_loops.h"
#include "lanes.h"
#include "max_lines.h"
#include "line_taps.h"
#include "moves.h"
#include "pixel_row.h"
#include "pixel_tile.h"
#include "rows.h"
#include "scores.h"
#include "slide_taps.h"
#include "tile.h"
#include "tile_real.h"

namespace {

constexpr tfmbs::Kernels kernel_table(const char* name) {
  return {name,
          PANEL,
          TILE_ROWS,
          tile_f32<>,
          float_block<>,
          PIXEL_RUN,
          pixel_tile<>,
          pixel_row,
          LANES,
          lines_f32,
          flat_f32,
          slide_f32,
          PAIR_TILES,
          {},
          {},
          add_scaled,
          NIBBLE_TILES,
          {REAL_NIBBLES, REAL_BYTES, magnitude_of_row, factor_of, quantize_row, sum_row, scale_sums, divide_row},
          spread_tile_f32<>,
          {panel_of, are_finite, scale_row, add_row, hide_row, soften_row, has_minus_zero},
          tap_row_f32,
          tap_row_i8,
          max_line<FloatLine>,
          max_line<ByteLine>,
          lane,
          moves,
          index<uint32_t>,
          index<uint64_t>,
          bounds<int32_t>,
          bounds<int64_t>,
          columns,
          CHAIN,
#if defined(__AVX512F__)
          true,
          group_by_doubles<QuickExp>,
          group_by_doubles<QuickErf>,
#else
          false,
          nullptr,
          nullptr,
#endif
          CODES};
}

}  // namespace
