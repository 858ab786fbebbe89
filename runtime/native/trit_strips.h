// Trits of up to 32 rows of residues (trit_tiles.h) as the tiles of weights of a unit for matrices: words of four trits of
// 16 rows side by side. Words are transposed while five trits are a byte, so that each plane of trits is a tile of its own.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
namespace {

constexpr unsigned STRIP_ROWS = 16, PLANES = tfmbs::RESIDUE_PLANES - 1;
constexpr size_t STRIP_TILE = STRIP_ROWS * tfmbs::STRIP_STEP;

// Word i of all rows becomes x[i].
inline void transpose_words(__m512i (&x)[STRIP_ROWS]) {
  __m512i y[STRIP_ROWS];
#pragma GCC unroll 8
  for (unsigned i = 0; i < STRIP_ROWS; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (unsigned i = 0; i < STRIP_ROWS; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  // x[4 g + w] has words w, w + 4, w + 8 and w + 12 of rows 4 g … 4 g + 3.
#pragma GCC unroll 4
  for (unsigned w = 0; w < 4; ++w) {
    const __m512i low = _mm512_shuffle_i32x4(x[w], x[4 + w], 0x88), high = _mm512_shuffle_i32x4(x[w], x[4 + w], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(x[8 + w], x[12 + w], 0x88);
    const __m512i high2 = _mm512_shuffle_i32x4(x[8 + w], x[12 + w], 0xdd);
    y[w] = _mm512_shuffle_i32x4(low, low2, 0x88);
    y[w + 8] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    y[w + 4] = _mm512_shuffle_i32x4(high, high2, 0x88);
    y[w + 12] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
#pragma GCC unroll 16
  for (unsigned i = 0; i < STRIP_ROWS; ++i) x[i] = y[i];
}

// Residues of a block of `rows` rows, `apart` bytes apart, whose words are transposed; those of other rows are zero.
inline void load_residues(unsigned rows, const uint8_t* residues, size_t apart, __m512i (&x)[STRIP_ROWS]) {
  const uintptr_t ahead = reinterpret_cast<uintptr_t>(residues) + 2 * STRIP_ROWS * apart;  // the next strip
  if (rows >= STRIP_ROWS) {
#pragma GCC unroll 16
    for (unsigned r = 0; r < STRIP_ROWS; ++r) {
      __builtin_prefetch(reinterpret_cast<const void*>(ahead + r * apart), 0, 2);
      x[r] = _mm512_loadu_si512(residues + r * apart);
    }
  } else {
    for (unsigned r = 0; r < STRIP_ROWS; ++r)
      x[r] = r < rows ? _mm512_loadu_si512(residues + r * apart) : _mm512_setzero_si512();
  }
  transpose_words(x);
}

inline __m512i tripled(__m512i x) { return _mm512_add_epi8(_mm512_add_epi8(x, x), x); }

// -1, 0 or 1: a byte reaches none, one or both of 86 and 171.
inline __m512i trits_of(__m512i x) {
  const __m512i one = _mm512_set1_epi8(1);
  const __mmask64 some = _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(86));
  const __m512i low = _mm512_mask_mov_epi8(_mm512_set1_epi8(-1), some, _mm512_setzero_si512());
  return _mm512_mask_add_epi8(low, _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(171))), low, one);
}

inline unsigned rest_of(unsigned rows, unsigned half) { return rows > half * STRIP_ROWS ? rows - half * STRIP_ROWS : 0; }

// As `StripFns::make_trits`.
inline void strip_trits(unsigned rows, size_t blocks, const uint8_t* residues, size_t apart, uint8_t* out) {
  for (size_t block = 0; block < blocks; ++block, residues += tfmbs::RESIDUE_BYTES, out += 2 * PLANES * STRIP_TILE)
    for (unsigned half = 0; half < 2; ++half) {
      __m512i x[STRIP_ROWS];
      load_residues(rest_of(rows, half), residues + half * STRIP_ROWS * apart, apart, x);
#pragma GCC unroll 16
      for (unsigned i = 0; i < STRIP_ROWS; ++i) {
        uint8_t* to = out + half * STRIP_TILE + i * tfmbs::STRIP_STEP;
#pragma GCC unroll 5
        for (unsigned plane = 0; plane < PLANES; ++plane, x[i] = tripled(x[i]))
          _mm512_storeu_si512(to + 2 * plane * STRIP_TILE, trits_of(x[i]));
      }
    }
}

// As `StripFns::make_residues`.
inline void strip_residues(unsigned rows, const uint8_t* residues, size_t apart, uint8_t* out) {
  for (unsigned half = 0; half < 2; ++half) {
    __m512i x[STRIP_ROWS];
    load_residues(rest_of(rows, half), residues + half * STRIP_ROWS * apart, apart, x);
#pragma GCC unroll 16
    for (unsigned i = 0; i < STRIP_ROWS; ++i) {
      uint8_t* to = out + half * STRIP_TILE + i * tfmbs::STRIP_STEP;
#pragma GCC unroll 6
      for (unsigned plane = 0; plane <= PLANES; ++plane, x[i] = tripled(x[i]))
        _mm512_storeu_si512(to + 2 * plane * STRIP_TILE, x[i]);
    }
  }
}

}  // namespace
#endif
