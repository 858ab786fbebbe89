// Products of trits, five to a byte, with i8.
//
// A byte is the residue X_0 = ceil(256 v / 243) of the number v whose five ternary digits are trits plus 1, the most
// significant first. With X_{k+1} = 3 X_k mod 256, digit k is d_k = (3 X_k - X_{k+1}) / 256 = floor(3 X_k / 256), so
//   sum d_k a_k = (3 sum X_k a_k - sum X_{k+1} a_k) / 256
// which needs no digit where bytes are multiplied as they are. Byte j of a block of 64 holds trits k * 64 + j.
#pragma once

#include <algorithm>

#include "kernels.h"
#include "octets.h"

namespace {

constexpr size_t BLOCK_BYTES = tfmbs::RESIDUE_BYTES, BLOCK_TRITS = tfmbs::RESIDUE_TRITS, DIGITS = 5;
// 256 times a sum of so many products of 0…2 and i8 fits 31 bits, so that it may be computed modulo 2^32.
constexpr size_t MOST_BLOCKS = (1u << 15) / BLOCK_TRITS;
static_assert(MOST_BLOCKS * BLOCK_TRITS * 2 * 128 <= size_t{1} << 23, "sums of residues are exact");

#if defined(__AVX2__)

// So far ahead are weights fetched: what a core reads while memory answers, of one row or of RESIDUE_ROWS at a time.
constexpr size_t AHEAD = 8192;
constexpr unsigned RESIDUE_ROWS = 4;

inline void fetch(const uint8_t* p, size_t ahead) {
  _mm_prefetch(reinterpret_cast<const char*>(p + ahead), _MM_HINT_T0);
}

inline uint32_t wrapped(int32_t x) { return static_cast<uint32_t>(x); }

// out[r] is the sum of the lanes of x[r].
template <unsigned ROWS>
void sums_of(const VecI (&x)[ROWS], int32_t* out) {
  if constexpr (ROWS == 4) store_sums(x, out);
  else
    for (unsigned r = 0; r < ROWS; ++r) out[r] = sum_of(x[r]);
}

// Sums of pairs of products that an i16 holds: 63 of at most 512.
constexpr size_t MOST_PAIRS = 60;

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)

template <unsigned ROWS>
void residue_rows(size_t blocks, const uint8_t* weights, size_t apart, const int8_t* a, int32_t* dots) {
  for (unsigned r = 0; r < ROWS; ++r) dots[r] = 0;
  while (blocks) {
    const size_t part = std::min(blocks, MOST_BLOCKS);
    VecI own[ROWS], next[ROWS];
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r) own[r] = next[r] = zero_i();
    for (size_t block = 0; block < part; ++block, weights += BLOCK_BYTES, a += BLOCK_TRITS) {
#pragma GCC unroll 4
      for (unsigned r = 0; r < ROWS; ++r) fetch(weights + r * apart, AHEAD / RESIDUE_ROWS);
#pragma GCC unroll 2
      for (size_t at = 0; at < BLOCK_BYTES; at += OCTETS) {
        VecI x[ROWS];
#pragma GCC unroll 4
        for (unsigned r = 0; r < ROWS; ++r) x[r] = load_octets(weights + r * apart + at);
#pragma GCC unroll 5
        for (size_t k = 0; k < DIGITS; ++k) {
          const VecI right = load_octets(a + k * BLOCK_BYTES + at);
#pragma GCC unroll 4
          for (unsigned r = 0; r < ROWS; ++r) {
            own[r] = dot_u8_i8(x[r], right, own[r]);
            x[r] = add_octets(add_octets(x[r], x[r]), x[r]);
            next[r] = dot_u8_i8(x[r], right, next[r]);
          }
        }
      }
    }
    for (unsigned r = 0; r < ROWS; ++r) own[r] = subtract_i(add_words(add_words(own[r], own[r]), own[r]), next[r]);
    int32_t scaled[ROWS];
    sums_of(own, scaled);
    for (unsigned r = 0; r < ROWS; ++r) dots[r] = static_cast<int32_t>(wrapped(dots[r]) + wrapped(scaled[r] >> 8));
    blocks -= part;
  }
}

#else

template <unsigned ROWS>
void residue_rows(size_t blocks, const uint8_t* weights, size_t apart, const int8_t* a, int32_t* dots) {
  VecI sums[ROWS];
  for (unsigned r = 0; r < ROWS; ++r) sums[r] = zero_i();
  constexpr size_t TOGETHER = MOST_PAIRS / (DIGITS * BLOCK_BYTES / OCTETS);
  while (blocks) {
    const size_t part = std::min(blocks, TOGETHER);
    VecI pairs[ROWS];
    for (unsigned r = 0; r < ROWS; ++r) pairs[r] = zero_i();
    for (size_t block = 0; block < part; ++block, weights += BLOCK_BYTES, a += BLOCK_TRITS) {
      for (unsigned r = 0; r < ROWS; ++r) fetch(weights + r * apart, AHEAD / RESIDUE_ROWS);
      for (size_t at = 0; at < BLOCK_BYTES; at += OCTETS) {
        VecI x[ROWS];
        for (unsigned r = 0; r < ROWS; ++r) x[r] = load_octets(weights + r * apart + at);
#pragma GCC unroll 5
        for (size_t k = 0; k < DIGITS; ++k) {
          const VecI right = load_octets(a + k * BLOCK_BYTES + at);
#pragma GCC unroll 4
          for (unsigned r = 0; r < ROWS; ++r) {
            pairs[r] = add_pairs(pairs[r], pairs_of(digits_of(x[r]), right));
            x[r] = add_octets(add_octets(x[r], x[r]), x[r]);
          }
        }
      }
    }
    for (unsigned r = 0; r < ROWS; ++r) sums[r] = add_words(sums[r], widen_pairs(pairs[r]));
    blocks -= part;
  }
  sums_of(sums, dots);
}

#endif

template <unsigned ROWS = RESIDUE_ROWS>
void residue_dots(unsigned rows, size_t blocks, const uint8_t* weights, size_t apart, const int8_t* a, int32_t* dots) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return residue_dots<ROWS - 1>(rows, blocks, weights, apart, a, dots);
  }
  residue_rows<ROWS>(blocks, weights, apart, a, dots);
}

#else

constexpr unsigned RESIDUE_ROWS = 1;

inline void residue_dots(unsigned rows, size_t blocks, const uint8_t* weights, size_t apart, const int8_t* a,
                         int32_t* dots) {
  for (unsigned r = 0; r < rows; ++r) {
    uint32_t sum = 0;
    for (size_t block = 0; block < blocks; ++block) {
      const uint8_t* row = weights + r * apart + block * BLOCK_BYTES;
      const int8_t* right = a + block * BLOCK_TRITS;
      for (size_t j = 0; j < BLOCK_BYTES; ++j) {
        uint8_t x = row[j];
        for (size_t k = 0; k < DIGITS; ++k, x = static_cast<uint8_t>(3 * x))
          sum += static_cast<uint32_t>((3 * x >> 8) * right[k * BLOCK_BYTES + j]);
      }
    }
    dots[r] = static_cast<int32_t>(sum);
  }
}

#endif

constexpr tfmbs::TritFns TRIT_FNS{RESIDUE_ROWS, residue_dots};

}  // namespace
