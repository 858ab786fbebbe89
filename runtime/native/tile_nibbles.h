// Tiles whose weights have four bits and a scale for each group of the reduction; see `NibbleTile`.
#pragma once

#include "tile.h"

namespace {

inline VecI low_nibbles(VecI x) { return and_i(x, broadcast_i(0x0f0f0f0f)); }
inline VecI high_nibbles(VecI x) { return and_i(shift_right_i(x, 4), broadcast_i(0x0f0f0f0f)); }

#if (defined(__AVX2__) || defined(__AVX512BW__)) && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)

// A product of a nibble and an i8 has a magnitude of at most 15 * 128: an i16 holds the sum of two pairs of them eight
// times over.
constexpr size_t MOST_NARROW = 4;  // words of weights whose products are summed in i16
#if defined(__AVX512BW__)
constexpr unsigned NIBBLE_ROWS = 4;
#else
constexpr unsigned NIBBLE_ROWS = 2;
#endif

template <unsigned ROWS>
[[gnu::always_inline]] inline void add_products(size_t words, const int32_t* a, const int32_t* b, VecI (&sum)[ROWS][2]) {
  for (size_t first = 0; first < words; first += MOST_NARROW) {
    const size_t end = words - first < MOST_NARROW ? words : first + MOST_NARROW;
    VecI narrow[ROWS][2];
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r) narrow[r][0] = narrow[r][1] = zero_i();
    for (size_t i = first; i < end; ++i, a += 2 * ROWS, b += PANEL) {
      const VecI left = load_i(b), right = load_i(b + LANES);
#pragma GCC unroll 2
      for (unsigned half = 0; half < 2; ++half) {
        const VecI l = half ? high_nibbles(left) : low_nibbles(left);
        const VecI h = half ? high_nibbles(right) : low_nibbles(right);
#pragma GCC unroll 4
        for (unsigned r = 0; r < ROWS; ++r) {
          const VecI x = broadcast_i(a[half * ROWS + r]);
          narrow[r][0] = add_i16(narrow[r][0], pairs_u8_i8(l, x));
          narrow[r][1] = add_i16(narrow[r][1], pairs_u8_i8(h, x));
        }
      }
    }
    const VecI ones = broadcast_i(0x00010001);
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r) {
      sum[r][0] = dot_i16(narrow[r][0], ones, sum[r][0]);
      sum[r][1] = dot_i16(narrow[r][1], ones, sum[r][1]);
    }
  }
}

#else

#if defined(__AVX512VNNI__)
constexpr unsigned NIBBLE_ROWS = 8;
#else
constexpr unsigned NIBBLE_ROWS = 4;
#endif

template <unsigned ROWS>
[[gnu::always_inline]] inline void add_products(size_t words, const int32_t* a, const int32_t* b, VecI (&sum)[ROWS][2]) {
  for (size_t i = 0; i < words; ++i, a += 2 * ROWS, b += PANEL) {
    const VecI left = load_i(b), right = load_i(b + LANES);
#pragma GCC unroll 2
    for (unsigned half = 0; half < 2; ++half) {
      const VecI l = half ? high_nibbles(left) : low_nibbles(left);
      const VecI h = half ? high_nibbles(right) : low_nibbles(right);
#pragma GCC unroll 8
      for (unsigned r = 0; r < ROWS; ++r) {
        const VecI x = broadcast_i(a[half * ROWS + r]);
        sum[r][0] = dot_u8_i8(l, x, sum[r][0]);
        sum[r][1] = dot_u8_i8(h, x, sum[r][1]);
      }
    }
  }
}

#endif

constexpr size_t GROUPS_AHEAD = 16;  // as WORDS_AHEAD

template <unsigned ROWS>
void nibble_rows(const tfmbs::NibbleTile& t, float* out, size_t stride) {
  const int32_t* a = reinterpret_cast<const int32_t*>(t.a);
  const int32_t* b = reinterpret_cast<const int32_t*>(t.b);
  const int32_t* starts = t.starts;
  const VecI zero = broadcast_i(t.zero);
  for (size_t group = 0; group < t.groups; ++group) {
    prefetch(b, t.words * PANEL, WORDS_AHEAD);
    prefetch(t.scales + group * PANEL, PANEL, GROUPS_AHEAD * PANEL);
    VecI shift[2] = {zero_i(), zero_i()};
    if (t.sums) {
      shift[0] = multiply_i(zero, load_i(t.sums + group * PANEL));
      shift[1] = multiply_i(zero, load_i(t.sums + group * PANEL + LANES));
    }
    VecI sum[ROWS][2];
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      const VecI start = broadcast_i(starts[r]);
      sum[r][0] = subtract_i(start, shift[0]);
      sum[r][1] = subtract_i(start, shift[1]);
    }
    add_products<ROWS>(t.words, a, b, sum);
    a += 2 * ROWS * t.words;
    b += PANEL * t.words;
    starts += ROWS;
    const VecF left = load_f(t.scales + group * PANEL), right = load_f(t.scales + group * PANEL + LANES);
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      float* to = out + r * stride;
      store_canonical(to, fma_f(float_of(sum[r][0]), left, load_f(to)));
      store_canonical(to + LANES, fma_f(float_of(sum[r][1]), right, load_f(to + LANES)));
    }
  }
}

template <unsigned ROWS = NIBBLE_ROWS>
void tile_nibbles(unsigned rows, const tfmbs::NibbleTile& tile, float* out, size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_nibbles<ROWS - 1>(rows, tile, out, stride);
  }
  nibble_rows<ROWS>(tile, out, stride);
}

// Weight number i of a word, less 8: bytes 0 to 3 have weights 0 to 3 in their low halves, 4 to 7 in their high ones.
inline VecF real_weight(VecI word, unsigned i) { return real_nibble(shift_right_i(word, 8 * (i % 4) + 4 * (i / 4))); }

// out[i * PANEL + c] = f32(weight i of column c) * scales[c], rounded, for i < length.
inline void real_nibbles(size_t length, const uint32_t* b, const float* scales, float* out) {
  const VecF factor[2] = {load_f(scales), load_f(scales + LANES)};
  for (size_t first = 0; first < length; first += 8, b += PANEL) {
    const VecI words[2] = {load_i(reinterpret_cast<const int32_t*>(b)),
                           load_i(reinterpret_cast<const int32_t*>(b + LANES))};
    const size_t count = length - first < 8 ? length - first : 8;
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; ++i) {
      if (i >= count) break;
#pragma GCC unroll 2
      for (unsigned p = 0; p < 2; ++p)
        store_f(out + i * PANEL + p * LANES, multiply_f(real_weight(words[p], i), factor[p]));
    }
    out += count * PANEL;
  }
}

// One tile of rows, whose weights are made f32 in registers.
template <unsigned ROWS, unsigned PANELS>
void real_rows(const tfmbs::RealTile& t, size_t panel, float* out, size_t stride) {
  VecF sum[ROWS][2 * PANELS];
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (unsigned p = 0; p < 2 * PANELS; ++p) sum[r][p] = zero_f();
  const size_t words = (t.length + 7) / 8;
  const int32_t* b[PANELS];
  const float* scales[PANELS];
  for (unsigned p = 0; p < PANELS; ++p) {
    b[p] = reinterpret_cast<const int32_t*>(t.b) + (panel + p) * t.groups * words * PANEL;
    scales[p] = t.scales + (panel + p) * t.groups * PANEL;
  }
  const float* a = t.a;
  for (size_t group = 0; group < t.groups; ++group) {
    VecF factor[2 * PANELS];
#pragma GCC unroll 2
    for (unsigned p = 0; p < PANELS; ++p) {
      prefetch(b[p], words * PANEL, WORDS_AHEAD);
      prefetch(scales[p], PANEL, GROUPS_AHEAD * PANEL);
      factor[2 * p] = load_f(scales[p]);
      factor[2 * p + 1] = load_f(scales[p] + LANES);
      scales[p] += PANEL;
    }
    for (size_t first = 0; first < t.length; first += 8) {
      VecI word[2 * PANELS];
#pragma GCC unroll 2
      for (unsigned p = 0; p < PANELS; ++p) {
        word[2 * p] = load_i(b[p]);
        word[2 * p + 1] = load_i(b[p] + LANES);
        b[p] += PANEL;
      }
      const size_t count = t.length - first < 8 ? t.length - first : 8;
#pragma GCC unroll 8
      for (unsigned i = 0; i < 8; ++i) {
        if (i >= count) break;
#pragma GCC unroll 4
        for (unsigned p = 0; p < 2 * PANELS; ++p) {
          const VecF weight = multiply_f(real_weight(word[p], i), factor[p]);
#pragma GCC unroll 8
          for (unsigned r = 0; r < ROWS; ++r) sum[r][p] = fma_f(broadcast_f(a[i * ROWS + r]), weight, sum[r][p]);
        }
      }
      a += count * ROWS;
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (unsigned p = 0; p < 2 * PANELS; ++p) store_canonical(out + r * stride + p * LANES, sum[r][p]);
}

template <unsigned ROWS = TILE_ROWS>
void real_tile(unsigned rows, const tfmbs::RealTile& tile, float* out, size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return real_tile<ROWS - 1>(rows, tile, out, stride);
  }
  size_t panel = 0;
  // A single row waits for its own sums: two panels take turns.
  if constexpr (ROWS == 1)
    for (; panel + 2 <= tile.panels; panel += 2) real_rows<ROWS, 2>(tile, panel, out + panel * PANEL, stride);
  for (; panel < tile.panels; ++panel) real_rows<ROWS, 1>(tile, panel, out + panel * PANEL, stride);
}

constexpr tfmbs::NibbleTiles NIBBLE_TILES{NIBBLE_ROWS, tile_nibbles<>};

}  // namespace
