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
[[gnu::always_inline]] inline void add_products(size_t words, const int32_t* a, const int32_t* b,
                                                VecI (&sum)[ROWS][2]) {
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
[[gnu::always_inline]] inline void add_products(size_t words, const int32_t* a, const int32_t* b,
                                                VecI (&sum)[ROWS][2]) {
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

constexpr tfmbs::NibbleTiles NIBBLE_TILES{NIBBLE_ROWS, tile_nibbles<>};

}  // namespace
