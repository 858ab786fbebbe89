// Strips of 32 of the rows of trits that stand abreast (abreast.h): words of four trits of as many rows as a vector has
// lanes, side by side. Bytes are interleaved while they are five trits, so that each plane of trits is a step of its
// own.
#pragma once

#include "abreast.h"
#include "kernels.h"
#include "octets.h"

#if defined(__AVX2__)
namespace {

constexpr unsigned STRIP_VECTORS = tfmbs::STRIP_COLUMNS / LANES, PLANES = tfmbs::RESIDUE_PLANES - 1;
constexpr size_t STRIP_WORDS = tfmbs::STRIP_STEP / 4, STRIP_TILE = STRIP_WORDS * OCTETS;
constexpr unsigned ABREAST_VECTORS = tfmbs::ABREAST_ROWS / LANES;  // of words of all rows

#if defined(__AVX512BW__)

// -1, 0 or 1: a byte reaches none, one or both of 86 and 171.
inline VecI trits_of(VecI x) {
  const __m512i one = _mm512_set1_epi8(1);
  const __mmask64 some = _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(86));
  const __m512i low = _mm512_mask_mov_epi8(_mm512_set1_epi8(-1), some, _mm512_setzero_si512());
  return _mm512_mask_add_epi8(low, _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(171))), low, one);
}

#endif

// Words of the bytes of four lines, of COUNT vectors of rows from number `first` on, which is a multiple of COUNT. The
// places of rows in a line are such that these come in order.
template <unsigned COUNT>
[[gnu::always_inline]] inline void load_words(const uint8_t* lines, unsigned first, VecI (&x)[COUNT]) {
  constexpr unsigned PARTS = tfmbs::ABREAST_ROWS / OCTETS;  // vectors of a line
#pragma GCC unroll 2
  for (unsigned part = 0; part < PARTS; ++part) {
    if (COUNT < PARTS && first % PARTS != part) continue;
    VecI line[4];
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; ++i) line[i] = load_octets(lines + i * tfmbs::ABREAST_ROWS + part * OCTETS);
#pragma GCC unroll 2
    for (unsigned half = 0; half < 2; ++half) {
      // Vectors 2 PARTS * half + … of sixteen rows each.
      if (COUNT <= 2 * PARTS && first / (2 * PARTS) != half) continue;
      const VecI front = half ? high_octets(line[0], line[1]) : low_octets(line[0], line[1]);
      const VecI back = half ? high_octets(line[2], line[3]) : low_octets(line[2], line[3]);
#pragma GCC unroll 2
      for (unsigned quarter = 0; quarter < 2; ++quarter) {
        const unsigned v = (2 * half + quarter) * PARTS + part;
        if (COUNT <= PARTS && first / PARTS != 2 * half + quarter) continue;
        x[v % COUNT] = quarter ? high_doubles(front, back) : low_doubles(front, back);
      }
    }
  }
}

inline VecI tripled(VecI x) { return add_octets(add_octets(x, x), x); }

// COUNT planes of a block: what `value` makes of X_0, X_1, …
template <unsigned COUNT, class Value>
[[gnu::always_inline]] inline void make_planes(const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out,
                                               Value value) {
#pragma GCC unroll 1
  for (size_t word = 0; word < STRIP_WORDS; ++word, lines += 4 * tfmbs::ABREAST_ROWS, out += OCTETS) {
    const uintptr_t next = reinterpret_cast<uintptr_t>(lines) + ahead + 2 * half * tfmbs::ABREAST_ROWS;
    __builtin_prefetch(reinterpret_cast<const void*>(next), 0, 2);
    __builtin_prefetch(reinterpret_cast<const void*>(next + tfmbs::ABREAST_ROWS), 0, 2);
    VecI x[STRIP_VECTORS];
    load_words(lines, half * STRIP_VECTORS, x);
#pragma GCC unroll 4
    for (unsigned v = 0; v < STRIP_VECTORS; ++v)
#pragma GCC unroll 6
      for (unsigned plane = 0; plane < COUNT; ++plane, x[v] = tripled(x[v]))
        store_octets(out + v * STRIP_TILE + plane * tfmbs::PLANE_BYTES, value(x[v]));
  }
}

// As `StripFns::make_trits`: what `value` makes of residues.
template <class Value>
[[gnu::always_inline]] inline void make_blocks(size_t blocks, const uint8_t* lines, unsigned half, size_t ahead,
                                               uint8_t* out, Value value) {
  for (size_t i = 0; i < blocks; ++i, lines += tfmbs::ABREAST_BYTES, out += PLANES * tfmbs::PLANE_BYTES)
    if (half) make_planes<PLANES>(lines, 1, ahead, out, value);
    else make_planes<PLANES>(lines, 0, ahead, out, value);
}

inline void strip_digits(size_t blocks, const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out) {
  make_blocks(blocks, lines, half, ahead, out, [](VecI x) { return digits_of(x); });
}

#if defined(__AVX512BW__)
inline void strip_trits(size_t blocks, const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out) {
  make_blocks(blocks, lines, half, ahead, out, [](VecI x) { return trits_of(x); });
}

// As `StripFns::make_residues`.
inline void strip_residues(const uint8_t* lines, unsigned half, size_t ahead, uint8_t* out) {
  make_planes<PLANES + 1>(lines, half, ahead, out, [](VecI x) { return x; });
}
#endif

}  // namespace
#endif
