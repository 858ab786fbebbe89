// Products of a few rows of activations with digits that are made of a strip of residues and not stored: what each word
// of these costs is shared by the rows, whose sums all stay in registers.
#pragma once

#include "digit_dots.h"
#include "trit_strips.h"

namespace {

#if defined(__AVX2__)

// Rows whose sums registers hold. Half as many take two vectors of columns, which have the activations in common.
#if defined(__AVX512BW__)
constexpr unsigned FEW_ROWS = 16;
#else
constexpr unsigned FEW_ROWS = 8;
#endif
static_assert(FEW_ROWS <= tfmbs::MOST_FEW, "rows of a few");

// sums += products of the digits in COUNT words of each column, from `first` on, and of the activations in all planes.
template <unsigned COUNT, unsigned ROWS, unsigned VECTORS>
[[gnu::always_inline]] inline void few_words(const VecI (&words)[VECTORS][LANES], unsigned first, const uint8_t* a,
                                             VecI (&sums)[ROWS][VECTORS]) {
#pragma GCC unroll 1
  for (unsigned word = first; word < first + COUNT; ++word) {
    VecI x[VECTORS];
#pragma GCC unroll 2
    for (unsigned v = 0; v < VECTORS; ++v) x[v] = words[v][word];
#pragma GCC unroll 5
    for (unsigned plane = 0; plane < PLANES; ++plane) {
      VecI digits[VECTORS];
#pragma GCC unroll 2
      for (unsigned v = 0; v < VECTORS; ++v) {
        digits[v] = digits_of(x[v]);
        x[v] = tripled(x[v]);
      }
#pragma GCC unroll 16
      for (unsigned r = 0; r < ROWS; ++r) {
        const VecI four = four_of(a + (plane * ROWS + r) * tfmbs::STRIP_STEP + 4 * word);
#pragma GCC unroll 2
        for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = dots_of(digits[v], four, sums[r][v]);
      }
    }
  }
}

// VECTORS vectors of columns, from `first` on.
template <unsigned ROWS, unsigned VECTORS>
void few_columns(const tfmbs::ResidueStrip& s, unsigned first) {
  VecI sums[ROWS][VECTORS];
#pragma GCC unroll 16
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
    for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = zero_i();
  const uint8_t *residues = s.residues + first * s.apart, *a = s.a;
  for (size_t block = 0; block < s.blocks; ++block, residues += tfmbs::RESIDUE_BYTES, a += tfmbs::RESIDUE_TRITS * ROWS)
    for (size_t at = 0; at < tfmbs::RESIDUE_BYTES; at += OCTETS) {
      VecI words[VECTORS][LANES];
      for (unsigned v = 0; v < VECTORS; ++v) {
        const unsigned column = first + v * LANES;
        load_residues(s.columns > column ? s.columns - column : 0, residues + v * LANES * s.apart + at, s.apart,
                      words[v]);
      }
      if constexpr (DOTS_TOGETHER == SIZE_MAX) {
        few_words<LANES>(words, 0, a + at, sums);
      } else {
        constexpr unsigned COUNT = 8;
        static_assert(COUNT * PLANES <= DOTS_TOGETHER && LANES % COUNT == 0, "sums of pairs do not overflow");
        for (unsigned word = 0; word < LANES; word += COUNT) {
          VecI pairs[ROWS][VECTORS];
#pragma GCC unroll 16
          for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
            for (unsigned v = 0; v < VECTORS; ++v) pairs[r][v] = zero_i();
          few_words<COUNT>(words, word, a + at, pairs);
#pragma GCC unroll 16
          for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
            for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = add_i(sums[r][v], words_of(pairs[r][v]));
        }
      }
    }
#pragma GCC unroll 16
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
    for (unsigned v = 0; v < VECTORS; ++v) store_i(s.sums + r * tfmbs::STRIP_COLUMNS + first + v * LANES, sums[r][v]);
}

// As `StripFns::few`: counts ROWS down until they match.
template <unsigned ROWS = FEW_ROWS>
void digit_few(const tfmbs::ResidueStrip& s) {
  if constexpr (ROWS > 1) {
    if (s.rows < ROWS) return digit_few<ROWS - 1>(s);
  }
  constexpr unsigned VECTORS = 2 * ROWS <= FEW_ROWS ? 2 : 1;
  for (unsigned first = 0; first < tfmbs::STRIP_COLUMNS; first += VECTORS * LANES)
    few_columns<ROWS, VECTORS>(s, first);
}

#else

constexpr unsigned FEW_ROWS = 0;

template <unsigned = FEW_ROWS>
constexpr void (*digit_few)(const tfmbs::ResidueStrip&) = nullptr;

#endif

}  // namespace
