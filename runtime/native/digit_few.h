// Products of a few rows of activations with digits that are made of lines of residues and not stored: what each word
// of these costs is shared by the rows, whose sums all stay in registers.
#pragma once

#include "digit_dots.h"
#include "trit_strips.h"

namespace {

#if defined(__AVX2__)

// Rows whose sums registers hold. Half as many take two vectors of columns, which have the activations in common, a
// quarter with AVX-512 all four.
#if defined(__AVX512BW__)
constexpr unsigned FEW_ROWS = 16, FEW_VECTORS = 4;
#else
constexpr unsigned FEW_ROWS = 8, FEW_VECTORS = 2;
#endif
static_assert(FEW_ROWS <= tfmbs::MOST_FEW, "rows of a few");

#if defined(__AVX512VBMI__)

// Digits of the bytes that are not negative, by plane; those of opposite bytes add up to 2.
struct DigitTables {
  constexpr DigitTables() {
    for (unsigned byte = 0; byte < 128; ++byte)
      for (unsigned plane = 0, residue = byte ? byte : 128; plane < PLANES; ++plane, residue = 3 * residue % 256)
        digits[plane][byte] = static_cast<uint8_t>(3 * residue / 256);
  }
  alignas(64) uint8_t digits[PLANES][128] = {};
};
constexpr DigitTables DIGIT_TABLES;

// The digits of residues, one plane after the other.
class Digits {
 public:
  Digits() = default;
  explicit Digits(VecI residues) : index_(_mm512_abs_epi8(residues)), negative_(_mm512_movepi8_mask(residues)) {}
  VecI next(unsigned plane) const {
    const uint8_t* table = DIGIT_TABLES.digits[plane];
    const VecI digits = _mm512_permutex2var_epi8(load_octets(table), index_, load_octets(table + 64));
    return _mm512_mask_sub_epi8(digits, negative_, _mm512_set1_epi8(2), digits);
  }

 private:
  VecI index_;
  __mmask64 negative_;
};

#else

class Digits {
 public:
  Digits() = default;
  explicit Digits(VecI residues) : x_(residues) {}
  VecI next(unsigned) {
    const VecI digits = digits_of(x_);
    x_ = tripled(x_);
    return digits;
  }

 private:
  VecI x_;
};

#endif

// Lines of which words are taken, what is fetched meanwhile, and the first vector of rows.
struct FewLines {
  const uint8_t* lines;
  uintptr_t ahead;
  unsigned first;
};

// sums += products of the digits in COUNT words from `word` on and of the activations in all planes.
template <unsigned COUNT, unsigned ROWS, unsigned VECTORS>
[[gnu::always_inline]] inline void few_words(const FewLines& from, unsigned word, const uint8_t* a,
                                             VecI (&sums)[ROWS][VECTORS]) {
  // Of each four lines, those that this pass over the lines fetches of the ones behind.
  constexpr unsigned PASSES = ABREAST_VECTORS / VECTORS, SHARE = PASSES < 4 ? 4 / PASSES : 1;
#pragma GCC unroll 1
  for (const unsigned end = word + COUNT; word < end; ++word) {
#pragma GCC unroll 4
    for (unsigned i = 0; i < SHARE; ++i) {
      const uintptr_t ahead = from.ahead + (4 * word / PASSES + i) * tfmbs::ABREAST_ROWS;
      if (PASSES <= 4 || word % 2 == 0) __builtin_prefetch(reinterpret_cast<const void*>(ahead), 0, 2);
    }
    VecI x[VECTORS];
    load_words(from.lines + 4 * word * tfmbs::ABREAST_ROWS, from.first, x);
    Digits all[VECTORS];
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) all[v] = Digits(x[v]);
#pragma GCC unroll 5
    for (unsigned plane = 0; plane < PLANES; ++plane) {
      VecI digits[VECTORS];
#pragma GCC unroll 4
      for (unsigned v = 0; v < VECTORS; ++v) digits[v] = all[v].next(plane);
#pragma GCC unroll 16
      for (unsigned r = 0; r < ROWS; ++r) {
        const VecI four = four_of(a + (plane * ROWS + r) * tfmbs::STRIP_STEP + 4 * word);
#pragma GCC unroll 4
        for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = dots_of(digits[v], four, sums[r][v]);
      }
    }
  }
}

// VECTORS vectors of columns, from number `first` on.
template <unsigned ROWS, unsigned VECTORS>
void few_columns(const tfmbs::FewRows& s, unsigned first) {
  constexpr unsigned PASSES = ABREAST_VECTORS / VECTORS;
  VecI sums[ROWS][VECTORS];
#pragma GCC unroll 16
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = zero_i();
  const size_t share = s.blocks * tfmbs::ABREAST_BYTES / PASSES;
  FewLines from{s.lines, s.ahead + first / VECTORS * share, first};
  const uint8_t* a = s.a;
  for (size_t block = 0; block < s.blocks; ++block, a += tfmbs::RESIDUE_TRITS * ROWS) {
    if constexpr (DOTS_TOGETHER == SIZE_MAX) {
      few_words<STRIP_WORDS>(from, 0, a, sums);
    } else {
      constexpr unsigned COUNT = 8;
      static_assert(COUNT * PLANES <= DOTS_TOGETHER && STRIP_WORDS % COUNT == 0, "sums of pairs do not overflow");
      for (unsigned word = 0; word < STRIP_WORDS; word += COUNT) {
        VecI pairs[ROWS][VECTORS];
#pragma GCC unroll 16
        for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
          for (unsigned v = 0; v < VECTORS; ++v) pairs[r][v] = zero_i();
        few_words<COUNT>(from, word, a, pairs);
#pragma GCC unroll 16
        for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
          for (unsigned v = 0; v < VECTORS; ++v) sums[r][v] = add_i(sums[r][v], words_of(pairs[r][v]));
      }
    }
    from.lines += tfmbs::ABREAST_BYTES;
    from.ahead += tfmbs::ABREAST_BYTES / PASSES;
  }
#pragma GCC unroll 16
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; ++v) store_i(s.sums + r * tfmbs::ABREAST_ROWS + (first + v) * LANES, sums[r][v]);
}

// As `StripFns::few`: counts ROWS down until they match.
template <unsigned ROWS = FEW_ROWS>
void digit_few(const tfmbs::FewRows& s) {
  if constexpr (ROWS > 1) {
    if (s.rows < ROWS) return digit_few<ROWS - 1>(s);
  }
  constexpr unsigned VECTORS = FEW_VECTORS * ROWS <= FEW_ROWS ? FEW_VECTORS : 2 * ROWS <= FEW_ROWS ? 2 : 1;
  for (unsigned first = 0; first < ABREAST_VECTORS; first += VECTORS) few_columns<ROWS, VECTORS>(s, first);
}

#else

constexpr unsigned FEW_ROWS = 0;

template <unsigned = FEW_ROWS>
constexpr void (*digit_few)(const tfmbs::FewRows&) = nullptr;

#endif

}  // namespace
