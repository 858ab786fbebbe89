// Products of rows of activations with strips of digits, which stay in the first cache while activations of all rows
// pass: each word of these meets the words of neighbouring columns in the lanes of a vector, so that sums end where
// they are stored.
#pragma once

#include <algorithm>

#include "digit_dots.h"
#include "digit_few.h"
#include "trit_strips.h"

namespace {

constexpr unsigned DIGIT_COLUMNS = 256;  // as `StripFns::rows`

#if defined(__AVX2__)

// A tile, which is a block of a strip: as many sums as registers hold, and what else a step needs.
#if defined(__AVX512BW__)
constexpr unsigned DIGIT_TILE_ROWS = 8, DIGIT_VECTORS = 2;
#else
constexpr unsigned DIGIT_TILE_ROWS = 4, DIGIT_VECTORS = 2;
#endif

constexpr bool DIGIT_WORDS = DOTS_TOGETHER == SIZE_MAX;  // sums are words, and stay in their registers for all steps
constexpr size_t DIGIT_STEPS = DOTS_TOGETHER / STRIP_WORDS;

// ROWS rows by DIGIT_VECTORS vectors of columns.
template <unsigned ROWS>
void digit_tile(const tfmbs::Strip& s, const uint8_t* a, const uint8_t* fetch, const int32_t* starts, const uint8_t* b,
                int32_t* out) {
  const auto start = [=](unsigned r) { return subtract_i(zero_i(), broadcast_i(starts[r])); };
  if (!DIGIT_WORDS && s.fresh) {
    for (unsigned r = 0; r < ROWS; ++r)
      for (unsigned v = 0; v < DIGIT_VECTORS; ++v) store_i(out + r * s.stride + v * LANES, start(r));
  }
  for (size_t done = 0; done < s.steps;) {
    const size_t steps = std::min(s.steps - done, DIGIT_STEPS);
    VecI sums[ROWS][DIGIT_VECTORS];
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
      for (unsigned v = 0; v < DIGIT_VECTORS; ++v)
        if (DIGIT_WORDS) sums[r][v] = s.fresh ? start(r) : load_i(out + r * s.stride + v * LANES);
        else sums[r][v] = zero_i();
    for (size_t step = 0; step < steps; ++step) {
      for (size_t i = 0; i < s.lines; ++i) __builtin_prefetch(fetch + i * tfmbs::STRIP_STEP, 0, 2);
#pragma GCC unroll 1
      for (size_t word = 0; word < STRIP_WORDS; ++word) {
        VecI digits[DIGIT_VECTORS];
#pragma GCC unroll 2
        for (unsigned v = 0; v < DIGIT_VECTORS; ++v) digits[v] = load_octets(b + v * STRIP_TILE + word * OCTETS);
#pragma GCC unroll 8
        for (unsigned r = 0; r < ROWS; ++r) {
          const VecI four = four_of(a + r * tfmbs::STRIP_STEP + 4 * word);
#pragma GCC unroll 2
          for (unsigned v = 0; v < DIGIT_VECTORS; ++v) sums[r][v] = dots_of(digits[v], four, sums[r][v]);
        }
      }
      fetch += s.lines * tfmbs::STRIP_STEP;
      a += DIGIT_TILE_ROWS * tfmbs::STRIP_STEP;
      b += tfmbs::PLANE_BYTES;
    }
#pragma GCC unroll 8
    for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
      for (unsigned v = 0; v < DIGIT_VECTORS; ++v) {
        int32_t* to = out + r * s.stride + v * LANES;
        store_i(to, DIGIT_WORDS ? sums[r][v] : add_i(load_i(to), words_of(sums[r][v])));
      }
    done += steps;
  }
}

// The instance for a number of rows known at run time: counts ROWS down until it matches.
template <unsigned ROWS = DIGIT_TILE_ROWS>
void digit_rows(unsigned rows, const tfmbs::Strip& s, const uint8_t* a, const uint8_t* fetch, const int32_t* starts,
                int32_t* out) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return digit_rows<ROWS - 1>(rows, s, a, fetch, starts, out);
  }
  for (unsigned v = 0; v < STRIP_VECTORS; v += DIGIT_VECTORS)
    digit_tile<ROWS>(s, a, fetch, starts, s.b + v * STRIP_TILE, out + v * LANES);
}

// As `StripFns::trits`.
inline void digit_strip(const tfmbs::Strip& s) {
  const uint8_t *a = s.a, *fetch = s.fetch;
  for (size_t row = 0; row < s.rows; row += DIGIT_TILE_ROWS, a += s.apart, fetch += s.fetch_apart)
    digit_rows(static_cast<unsigned>(std::min<size_t>(DIGIT_TILE_ROWS, s.rows - row)), s, a, fetch, s.sums + row,
               s.out + row * s.stride);
}

#else

constexpr unsigned DIGIT_TILE_ROWS = 1;

inline void strip_digits(size_t blocks, const uint8_t* lines, unsigned half, size_t, uint8_t* out) {
  for (size_t block = 0; block < blocks; ++block, out += tfmbs::RESIDUE_TRITS * tfmbs::STRIP_COLUMNS)
    for (size_t j = 0; j < tfmbs::RESIDUE_BYTES; ++j, lines += tfmbs::ABREAST_ROWS)
      for (unsigned c = 0; c < tfmbs::STRIP_COLUMNS; ++c) {
        uint8_t x = lines[tfmbs::abreast_place(half * tfmbs::STRIP_COLUMNS + c)];
        for (size_t at = j; at < tfmbs::RESIDUE_TRITS; at += tfmbs::RESIDUE_BYTES, x = static_cast<uint8_t>(3 * x))
          out[at * tfmbs::STRIP_COLUMNS + c] = static_cast<uint8_t>(3 * x >> 8);
      }
}

inline void digit_strip(const tfmbs::Strip& s) {
  for (size_t row = 0; row < s.rows; ++row) {
    const int8_t* a = reinterpret_cast<const int8_t*>(s.a) + row * s.apart;
    uint32_t* out = reinterpret_cast<uint32_t*>(s.out + row * s.stride);
    if (s.fresh) std::fill_n(out, tfmbs::STRIP_COLUMNS, 0u - static_cast<uint32_t>(s.sums[row]));
    const uint8_t* b = s.b;
    for (size_t i = 0; i < s.steps * tfmbs::STRIP_STEP; ++i, b += tfmbs::STRIP_COLUMNS)
      for (size_t c = 0; c < tfmbs::STRIP_COLUMNS; ++c) out[c] += static_cast<uint32_t>(b[c] * a[i]);
  }
}

#endif

constexpr tfmbs::StripFns DIGIT_STRIPS{DIGIT_COLUMNS, DIGIT_TILE_ROWS, digit_strip,  FEW_ROWS,
                                       digit_few<>,   strip_digits,    nullptr};

}  // namespace
