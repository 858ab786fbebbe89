// Matrix tiles: a few rows of broadcast operands against one panel of columns, all accumulators in registers.
#pragma once

#include <cstddef>
#include <type_traits>

#include "byte_rows.h"
#include "digit_strips.h"
#include "kernels.h"
#include "simd.h"
#include "spread.h"
#include "window_words.h"

namespace {

constexpr unsigned PANEL = 2 * LANES;
static_assert(PANEL <= 32, "which columns of a step count are the bits of one u32");
#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr unsigned TILE_ROWS = 8;
#else
constexpr unsigned TILE_ROWS = 6;
#endif

constexpr size_t WORDS_AHEAD = 1024;  // of a panel: what is read next is on its way from memory

// `count` elements of four bytes, `ahead` behind those at `at`, which may lie behind the end.
inline void prefetch(const void* at, size_t count, size_t ahead) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(at) + 4 * ahead;
  for (size_t i = 0; i < count; i += 16) __builtin_prefetch(reinterpret_cast<const void*>(first + 4 * i));
}

// Left operands whose rows are packed: element i of row r is at a[i * ROWS + r].
template <unsigned ROWS>
struct PackedRows {
  const float* a;
  float at(unsigned row, size_t i) const { return a[i * ROWS + row]; }
};

// Left operands whose rows lie anywhere, elements one after the other.
struct SpreadRows {
  const float* const* rows;
  float at(unsigned row, size_t i) const { return rows[row][i]; }
};

// Steps of b are `step` apart, panels of a step `apart`; those of out follow each other. FRESH sums start from +0.0,
// others from what is in out.
template <unsigned ROWS, unsigned PANELS, bool MASKED, bool FRESH, class Left>
[[gnu::always_inline]] inline void tile_rows_f32(size_t k, Left left, const float* b, size_t step, size_t apart,
                                                 const uint32_t* valid, float* out, size_t stride) {
  VecF sum[ROWS][2 * PANELS];
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p) sum[r][p] = FRESH ? zero_f() : load_f(out + r * stride + p * LANES);
  for (size_t i = 0; i < k; ++i, b += step) {
    VecF right[2 * PANELS];
#pragma GCC unroll 4
    for (unsigned p = 0; p < PANELS; ++p) {
      right[2 * p] = load_f(b + p * apart);
      right[2 * p + 1] = load_f(b + p * apart + LANES);
    }
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      const VecF x = broadcast_f(left.at(r, i));
#pragma GCC unroll 8
      for (unsigned p = 0; p < 2 * PANELS; ++p) {
        if (MASKED) sum[r][p] = fma_where(valid[i] >> (p * LANES), x, right[p], sum[r][p]);
        else sum[r][p] = fma_f(x, right[p], sum[r][p]);
      }
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r, out += stride)
#pragma GCC unroll 8
    for (unsigned p = 0; p < 2 * PANELS; ++p) store_canonical(out + p * LANES, sum[r][p]);
}

// The products of one word of a, in all lanes, and of the words of b.
struct DotPairs {
  static VecI dot(VecI a, VecI b, VecI sum) { return dot_i16(a, b, sum); }
};
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
struct DotActivations {
  static VecI dot(VecI a, VecI b, VecI sum) { return dot_u8_i8(a, b, sum); }
};
struct DotWeights {
  static VecI dot(VecI a, VecI b, VecI sum) { return dot_u8_i8(b, a, sum); }
};
#endif

inline void add_scaled(unsigned rows, const int32_t* parts, const float* scales, float* out, size_t stride) {
  const VecF left = load_f(scales), right = load_f(scales + LANES);
  for (unsigned r = 0; r < rows; ++r, parts += PANEL, out += stride) {
    store_canonical(out, fma_f(float_of(load_i(parts)), left, load_f(out)));
    store_canonical(out + LANES, fma_f(float_of(load_i(parts + LANES)), right, load_f(out + LANES)));
  }
}

// A single row waits for its own sums: two steps at a time have sums of their own, which add up to the same.
template <class Dot>
void one_row_int(size_t k, const int32_t* a, const int32_t* b, int32_t* out) {
  VecI even[2] = {load_i(out), load_i(out + LANES)}, odd[2] = {zero_i(), zero_i()};
  size_t i = 0;
  for (; i + 2 <= k; i += 2, b += 2 * PANEL) {
    prefetch(b, 2 * PANEL, WORDS_AHEAD);
    const VecI x = broadcast_i(a[i]), y = broadcast_i(a[i + 1]);
    even[0] = Dot::dot(x, load_i(b), even[0]);
    even[1] = Dot::dot(x, load_i(b + LANES), even[1]);
    odd[0] = Dot::dot(y, load_i(b + PANEL), odd[0]);
    odd[1] = Dot::dot(y, load_i(b + PANEL + LANES), odd[1]);
  }
  if (i < k) {
    const VecI x = broadcast_i(a[i]);
    even[0] = Dot::dot(x, load_i(b), even[0]);
    even[1] = Dot::dot(x, load_i(b + LANES), even[1]);
  }
  store_i(out, add_i(even[0], odd[0]));
  store_i(out + LANES, add_i(even[1], odd[1]));
}

template <class Dot, unsigned ROWS>
void tile_rows_int(size_t k, const int32_t* a, const int32_t* b, int32_t* out, size_t stride) {
  VecI sum[ROWS][2];
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r) {
    sum[r][0] = load_i(out + r * stride);
    sum[r][1] = load_i(out + r * stride + LANES);
  }
  for (size_t i = 0; i < k; ++i, a += ROWS, b += PANEL) {
    const VecI left = load_i(b), right = load_i(b + LANES);
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      const VecI x = broadcast_i(a[r]);
      sum[r][0] = Dot::dot(x, left, sum[r][0]);
      sum[r][1] = Dot::dot(x, right, sum[r][1]);
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < ROWS; ++r, out += stride) {
    store_i(out, sum[r][0]);
    store_i(out + LANES, sum[r][1]);
  }
}

// The instance for a number of rows known at run time: counts ROWS down until it matches.
template <unsigned ROWS = TILE_ROWS>
void tile_f32(unsigned rows, size_t k, const float* a, const float* b, const uint32_t* valid, float* out,
              size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_f32<ROWS - 1>(rows, k, a, b, valid, out, stride);
  }
  const PackedRows<ROWS> left{a};
  if (valid) return tile_rows_f32<ROWS, 1, true, false>(k, left, b, PANEL, PANEL, valid, out, stride);
  tile_rows_f32<ROWS, 1, false, false>(k, left, b, PANEL, PANEL, valid, out, stride);
}

// Few rows take several panels at once: each accumulator waits for itself, so there must be enough of them.
template <unsigned ROWS = TILE_ROWS>
void spread_tile_f32(unsigned rows, unsigned panels, size_t k, const float* const* a, const float* b, size_t step,
                     size_t apart, float* out, size_t stride, bool goes_on) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return spread_tile_f32<ROWS - 1>(rows, panels, k, a, b, step, apart, out, stride, goes_on);
  }
  const SpreadRows left{a};
  unsigned panel = 0;
  const auto take = [&](auto together) {
    constexpr unsigned PANELS = decltype(together)::value;
    for (; panel + PANELS <= panels; panel += PANELS)
      if (goes_on)
        tile_rows_f32<ROWS, PANELS, false, false>(k, left, b + panel * apart, step, apart, nullptr, out + panel * PANEL,
                                                  stride);
      else
        tile_rows_f32<ROWS, PANELS, false, true>(k, left, b + panel * apart, step, apart, nullptr, out + panel * PANEL,
                                                 stride);
  };
  if constexpr (ROWS == 1) take(std::integral_constant<unsigned, 4>());
  if constexpr (ROWS <= 3) take(std::integral_constant<unsigned, 2>());
  take(std::integral_constant<unsigned, 1>());
}

// Pixels of a convolution by a panel of its weights: the words of a pixel are where the window finds them.
template <class Dot, unsigned ROWS, unsigned VECTORS>
void window_rows_int(const tfmbs::Runs& runs, const uint32_t* const* pixels, const int32_t* b, const int32_t* start,
                     int32_t* out) {
  VecI sum[ROWS][VECTORS];
  for (unsigned r = 0; r < ROWS; ++r)
    for (unsigned v = 0; v < VECTORS; ++v) sum[r][v] = load_i(start + v * LANES);
  for (size_t run = 0; run < runs.count; ++run) {
    const int32_t* x[ROWS];
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) x[r] = reinterpret_cast<const int32_t*>(pixels[r] + runs.offsets[run]);
    for (size_t i = 0; i < runs.words; ++i, b += PANEL) {
      VecI right[VECTORS];
      for (unsigned v = 0; v < VECTORS; ++v) right[v] = load_i(b + v * LANES);
#pragma GCC unroll 8
      for (unsigned r = 0; r < ROWS; ++r) {
        const VecI left = broadcast_i(x[r][i]);
        for (unsigned v = 0; v < VECTORS; ++v) sum[r][v] = Dot::dot(left, right[v], sum[r][v]);
      }
    }
  }
  for (unsigned r = 0; r < ROWS; ++r)
    for (unsigned v = 0; v < VECTORS; ++v) store_i(out + r * PANEL + v * LANES, sum[r][v]);
}

template <class Dot, unsigned ROWS = TILE_ROWS>
void window_int(unsigned rows, unsigned columns, const tfmbs::Runs& runs, const uint32_t* const* pixels,
                const uint32_t* b, const int32_t* start, int32_t* out) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return window_int<Dot, ROWS - 1>(rows, columns, runs, pixels, b, start, out);
  }
  const int32_t* weights = reinterpret_cast<const int32_t*>(b);
  if (columns <= LANES) window_rows_int<Dot, ROWS, 1>(runs, pixels, weights, start, out);
  else window_rows_int<Dot, ROWS, 2>(runs, pixels, weights, start, out);
}

template <class Dot, unsigned ROWS = TILE_ROWS>
void tile_int(unsigned rows, size_t k, const uint32_t* a, const uint32_t* b, int32_t* out, size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_int<Dot, ROWS - 1>(rows, k, a, b, out, stride);
  }
  const int32_t *left = reinterpret_cast<const int32_t*>(a), *right = reinterpret_cast<const int32_t*>(b);
  if constexpr (ROWS == 1) one_row_int<Dot>(k, left, right, out);
  else tile_rows_int<Dot, ROWS>(k, left, right, out, stride);
}

constexpr tfmbs::IntegerTiles PAIR_TILES{tfmbs::Words::PAIRS, tile_int<DotPairs>, tile_int<DotPairs>, {},
                                         DIGIT_STRIPS, window_int<DotPairs>, spread_pairs,
                                         row_fns<DotPairs, sizeof(int16_t), pad_pairs>(), byte_rows};
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr tfmbs::IntegerTiles QUAD_TILES{tfmbs::Words::QUADS, tile_int<DotActivations>, tile_int<DotWeights>, {},
                                         DIGIT_STRIPS, window_int<DotActivations>, spread_quads,
                                         row_fns<DotActivations, sizeof(uint8_t), pad_quads>(), byte_rows};
#endif

}  // namespace
