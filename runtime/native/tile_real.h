// Tiles of f32 whose weights are small integers with a scale for each group of the reduction; see `RealTile`.
#pragma once

#include "tile_nibbles.h"

namespace {

// How weights lie: some steps of the reduction together in a word, in rows of a panel. What `weight` makes f32 times
// what `factor` makes of a scale is f32(weight) * scale, rounded once.
struct NibbleWeights {
  static constexpr size_t STEPS = 8;
  // Number i of a word: bytes 0 to 3 have weights 0 to 3 in their low halves, 4 to 7 in their high ones.
  static VecF weight(VecI words, unsigned i) { return real_nibble(shift_right_i(words, 8 * (i % 4) + 4 * (i / 4))); }
  static VecF factor(VecF scale) { return scale; }
};
struct ByteWeights {
  static constexpr size_t STEPS = 4;
  static VecF weight(VecI words, unsigned i) { return float_of(extend_top_byte(top_byte(words, i))); }
  static VecF factor(VecF scale) { return scale; }
};
// The same, 2^24 times as large, of scales none of which is tiny: a byte less to do for each weight.
struct TopByteWeights {
  static constexpr size_t STEPS = 4;
  static VecF weight(VecI words, unsigned i) { return float_of(top_byte(words, i)); }
  static VecF factor(VecF scale) { return multiply_f(scale, broadcast_f(0x1p-24f)); }
};

// As `RealFns::weights`.
template <class Form>
void real_weights(size_t length, const uint32_t* weights, const float* scales, float* out) {
  const VecF factor[2] = {Form::factor(load_f(scales)), Form::factor(load_f(scales + LANES))};
  const int32_t* b = reinterpret_cast<const int32_t*>(weights);
  for (size_t first = 0; first < length; first += Form::STEPS, b += PANEL) {
    const VecI words[2] = {load_i(b), load_i(b + LANES)};
    const size_t count = length - first < Form::STEPS ? length - first : Form::STEPS;
#pragma GCC unroll 8
    for (unsigned i = 0; i < Form::STEPS; ++i) {
      if (i >= count) break;
#pragma GCC unroll 2
      for (unsigned p = 0; p < 2; ++p)
        store_f(out + i * PANEL + p * LANES, multiply_f(Form::weight(words[p], i), factor[p]));
    }
    out += count * PANEL;
  }
}

// One tile of rows, whose weights are made f32 in registers.
template <class Form, unsigned ROWS, unsigned PANELS>
void real_rows(const tfmbs::RealTile& t, size_t panel, float* out, size_t stride) {
  VecF sum[ROWS][2 * PANELS];
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p) sum[r][p] = zero_f();
  const size_t depth = (t.length + Form::STEPS - 1) / Form::STEPS;
  const int32_t* b[PANELS];
  const float* scales[PANELS];
  for (unsigned p = 0; p < PANELS; ++p) {
    b[p] = reinterpret_cast<const int32_t*>(t.b) + (panel + p) * t.groups * depth * PANEL;
    scales[p] = t.scales + (panel + p) * t.groups * PANEL;
  }
  const float* a = t.a;
  for (size_t group = 0; group < t.groups; ++group) {
    VecF factor[2 * PANELS];
#pragma GCC unroll 4
    for (unsigned p = 0; p < PANELS; ++p) {
      prefetch(scales[p], PANEL, GROUPS_AHEAD * PANEL);
      factor[2 * p] = Form::factor(load_f(scales[p]));
      factor[2 * p + 1] = Form::factor(load_f(scales[p] + LANES));
      scales[p] += PANEL;
    }
    for (size_t first = 0; first < t.length; first += Form::STEPS) {
      VecI words[2 * PANELS];
#pragma GCC unroll 4
      for (unsigned p = 0; p < PANELS; ++p) {
        prefetch(b[p], PANEL, WORDS_AHEAD);
        words[2 * p] = load_i(b[p]);
        words[2 * p + 1] = load_i(b[p] + LANES);
        b[p] += PANEL;
      }
      const size_t count = t.length - first < Form::STEPS ? t.length - first : Form::STEPS;
#pragma GCC unroll 8
      for (unsigned i = 0; i < Form::STEPS; ++i) {
        if (i >= count) break;
#pragma GCC unroll 8
        for (unsigned p = 0; p < 2 * PANELS; ++p) {
          const VecF weight = multiply_f(Form::weight(words[p], i), factor[p]);
#pragma GCC unroll 8
          for (unsigned r = 0; r < ROWS; ++r) sum[r][p] = fma_f(broadcast_f(a[i * ROWS + r]), weight, sum[r][p]);
        }
      }
      a += count * ROWS;
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p) store_canonical(out + r * stride + p * LANES, sum[r][p]);
}

template <class Form, unsigned ROWS = TILE_ROWS>
void real_tile(unsigned rows, const tfmbs::RealTile& tile, float* out, size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return real_tile<Form, ROWS - 1>(rows, tile, out, stride);
  }
  size_t panel = 0;
  // A single row waits for its own sums: two panels take turns.
  if constexpr (ROWS == 1)
    for (; panel + 2 <= tile.panels; panel += 2) real_rows<Form, ROWS, 2>(tile, panel, out + panel * PANEL, stride);
  for (; panel < tile.panels; ++panel) real_rows<Form, ROWS, 1>(tile, panel, out + panel * PANEL, stride);
}

inline void byte_tile(unsigned rows, const tfmbs::RealTile& tile, float* out, size_t stride) {
  if (tile.tiny) real_tile<ByteWeights>(rows, tile, out, stride);
  else real_tile<TopByteWeights>(rows, tile, out, stride);
}

constexpr tfmbs::RealFns REAL_NIBBLES{real_tile<NibbleWeights>, real_weights<NibbleWeights>};
constexpr tfmbs::RealFns REAL_BYTES{byte_tile, real_weights<ByteWeights>};

}  // namespace
