// Strips of up to 32 rows of residues (trit_tiles.h): words of four trits of as many rows as a vector has lanes, side
// by side. Words are transposed while five trits are a byte, so that each plane of trits is a step of its own.
#pragma once

#include "kernels.h"
#include "octets.h"
#include "squares.h"

#if defined(__AVX2__)
namespace {

constexpr unsigned STRIP_VECTORS = tfmbs::STRIP_COLUMNS / LANES, PLANES = tfmbs::RESIDUE_PLANES - 1;
constexpr size_t STRIP_WORDS = tfmbs::STRIP_STEP / 4, STRIP_TILE = STRIP_WORDS * OCTETS;

#if defined(__AVX512BW__)

// -1, 0 or 1: a byte reaches none, one or both of 86 and 171.
inline VecI trits_of(VecI x) {
  const __m512i one = _mm512_set1_epi8(1);
  const __mmask64 some = _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(86));
  const __m512i low = _mm512_mask_mov_epi8(_mm512_set1_epi8(-1), some, _mm512_setzero_si512());
  return _mm512_mask_add_epi8(low, _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(171))), low, one);
}

#endif

// Vectors of residues of up to LANES rows, `apart` bytes apart, whose words are transposed; those of others are zero.
inline void load_residues(unsigned rows, const uint8_t* residues, size_t apart, VecI (&x)[LANES]) {
  const uintptr_t ahead = reinterpret_cast<uintptr_t>(residues) + tfmbs::STRIP_COLUMNS * apart;  // the next strip
  if (rows >= LANES) {
#pragma GCC unroll 16
    for (unsigned r = 0; r < LANES; ++r) {
      __builtin_prefetch(reinterpret_cast<const void*>(ahead + r * apart), 0, 2);
      x[r] = load_octets(residues + r * apart);
    }
  } else {
    for (unsigned r = 0; r < LANES; ++r) x[r] = r < rows ? load_octets(residues + r * apart) : zero_i();
  }
  transpose_words(x);
}

inline VecI tripled(VecI x) { return add_octets(add_octets(x, x), x); }

// COUNT planes of a block: what `value` makes of X_0, X_1, …
template <unsigned COUNT, class Value>
void make_planes(unsigned rows, const uint8_t* residues, size_t apart, uint8_t* out, Value value) {
  for (unsigned first = 0; first < tfmbs::STRIP_COLUMNS; first += LANES, residues += LANES * apart, out += STRIP_TILE)
    for (size_t at = 0; at < tfmbs::RESIDUE_BYTES; at += OCTETS) {
      VecI x[LANES];
      load_residues(rows > first ? rows - first : 0, residues + at, apart, x);
#pragma GCC unroll 16
      for (unsigned i = 0; i < LANES; ++i) {
        uint8_t* to = out + at * LANES + i * OCTETS;
#pragma GCC unroll 6
        for (unsigned plane = 0; plane < COUNT; ++plane, x[i] = tripled(x[i]))
          store_octets(to + plane * tfmbs::PLANE_BYTES, value(x[i]));
      }
    }
}

// As `StripFns::make_trits`, digits.
inline void strip_digits(unsigned rows, size_t blocks, const uint8_t* residues, size_t apart, uint8_t* out) {
  for (size_t i = 0; i < blocks; ++i, residues += tfmbs::RESIDUE_BYTES, out += PLANES * tfmbs::PLANE_BYTES)
    make_planes<PLANES>(rows, residues, apart, out, [](VecI x) { return digits_of(x); });
}

#if defined(__AVX512BW__)
// As `StripFns::make_trits`, signed.
inline void strip_trits(unsigned rows, size_t blocks, const uint8_t* residues, size_t apart, uint8_t* out) {
  for (size_t i = 0; i < blocks; ++i, residues += tfmbs::RESIDUE_BYTES, out += PLANES * tfmbs::PLANE_BYTES)
    make_planes<PLANES>(rows, residues, apart, out, [](VecI x) { return trits_of(x); });
}

// As `StripFns::make_residues`.
inline void strip_residues(unsigned rows, const uint8_t* residues, size_t apart, uint8_t* out) {
  make_planes<PLANES + 1>(rows, residues, apart, out, [](VecI x) { return x; });
}
#endif

}  // namespace
#endif
