// Matrix tiles: a few rows of broadcast operands against one panel of columns, all accumulators in registers.
#pragma once

#include <cstddef>

#include "kernels.h"
#include "simd.h"

namespace {

constexpr unsigned PANEL = 2 * LANES;
static_assert(PANEL <= 32, "which columns of a step count are the bits of one u32");
#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr unsigned TILE_ROWS = 8;
#else
constexpr unsigned TILE_ROWS = 6;
#endif

template <unsigned ROWS, bool MASKED>
void tile_rows_f32(size_t k, const float* a, const float* b, const uint32_t* valid, float* out, size_t stride) {
  VecF sum[ROWS][2];
  for (unsigned r = 0; r < ROWS; ++r) {
    sum[r][0] = load_f(out + r * stride);
    sum[r][1] = load_f(out + r * stride + LANES);
  }
  for (size_t i = 0; i < k; ++i, a += ROWS, b += PANEL) {
    const VecF left = load_f(b), right = load_f(b + LANES);
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r) {
      const VecF x = broadcast_f(a[r]);
      if (MASKED) {
        sum[r][0] = fma_where(valid[i], x, left, sum[r][0]);
        sum[r][1] = fma_where(valid[i] >> LANES, x, right, sum[r][1]);
      } else {
        sum[r][0] = fma_f(x, left, sum[r][0]);
        sum[r][1] = fma_f(x, right, sum[r][1]);
      }
    }
  }
  for (unsigned r = 0; r < ROWS; ++r, out += stride) {
    store_canonical(out, sum[r][0]);
    store_canonical(out + LANES, sum[r][1]);
  }
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

template <class Dot, unsigned ROWS>
void tile_rows_int(size_t k, const int32_t* a, const int32_t* b, int32_t* out, size_t stride) {
  VecI sum[ROWS][2];
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
  if (valid) return tile_rows_f32<ROWS, true>(k, a, b, valid, out, stride);
  tile_rows_f32<ROWS, false>(k, a, b, valid, out, stride);
}

template <class Dot, unsigned ROWS = TILE_ROWS>
void tile_int(unsigned rows, size_t k, const uint32_t* a, const uint32_t* b, int32_t* out, size_t stride) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_int<Dot, ROWS - 1>(rows, k, a, b, out, stride);
  }
  tile_rows_int<Dot, ROWS>(k, reinterpret_cast<const int32_t*>(a), reinterpret_cast<const int32_t*>(b), out, stride);
}

constexpr tfmbs::IntegerTiles PAIR_TILES{tfmbs::Words::PAIRS, tile_int<DotPairs>, tile_int<DotPairs>};
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr tfmbs::IntegerTiles QUAD_TILES{tfmbs::Words::QUADS, tile_int<DotActivations>, tile_int<DotWeights>};
#endif

}  // namespace
