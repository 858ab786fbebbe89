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

inline void fetch(const uint8_t* p, size_t ahead) { _mm_prefetch(reinterpret_cast<const char*>(p + ahead), _MM_HINT_T0); }

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

inline void digits(size_t blocks, const uint8_t* weights, uint8_t* out) {
  for (; blocks; --blocks, weights += BLOCK_BYTES, out += BLOCK_TRITS) {
    fetch(weights, AHEAD);
    for (size_t at = 0; at < BLOCK_BYTES; at += OCTETS) {
      VecI x = load_octets(weights + at);
#pragma GCC unroll 5
      for (size_t k = 0; k < DIGITS; ++k) {
        store_octets(out + k * BLOCK_BYTES + at, digits_of(x));
        x = add_octets(add_octets(x, x), x);
      }
    }
  }
}

// Sums that compilers keep in registers: GCC 12 moves some of 24 to the stack and back for every step.
#if defined(__AVX512BW__)
constexpr unsigned DOT_ROWS = 4, DOT_TOKENS = 4;
#else
constexpr unsigned DOT_ROWS = 2, DOT_TOKENS = 4;
#endif

// As `TritFns::digit_dots`, for TOKENS vectors of activations. Loops over sums are unrolled, so that these
// stay in registers.
template <unsigned ROWS, unsigned TOKENS>
void digit_tile(size_t bytes, const uint8_t* d, size_t d_stride, const int8_t* a, size_t a_stride, int32_t* out,
                size_t stride) {
  VecI sums[ROWS][TOKENS];
#pragma GCC unroll 4
  for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 6
    for (unsigned t = 0; t < TOKENS; ++t) sums[r][t] = zero_i();
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
  for (size_t at = 0; at < bytes; at += OCTETS) {
    VecI left[ROWS];
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r) left[r] = load_octets(d + r * d_stride + at);
#pragma GCC unroll 6
    for (unsigned t = 0; t < TOKENS; ++t) {
      const VecI right = load_octets(a + t * a_stride + at);
#pragma GCC unroll 4
      for (unsigned r = 0; r < ROWS; ++r) sums[r][t] = dot_u8_i8(left[r], right, sums[r][t]);
    }
  }
#else
  for (size_t first = 0; first < bytes; first += MOST_PAIRS * OCTETS) {
    const size_t end = std::min(bytes, first + MOST_PAIRS * OCTETS);
    VecI pairs[ROWS][TOKENS];
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
      for (unsigned t = 0; t < TOKENS; ++t) pairs[r][t] = zero_i();
    for (size_t at = first; at < end; at += OCTETS) {
      VecI left[ROWS];
#pragma GCC unroll 4
      for (unsigned r = 0; r < ROWS; ++r) left[r] = load_octets(d + r * d_stride + at);
#pragma GCC unroll 4
      for (unsigned t = 0; t < TOKENS; ++t) {
        const VecI right = load_octets(a + t * a_stride + at);
#pragma GCC unroll 4
        for (unsigned r = 0; r < ROWS; ++r) pairs[r][t] = add_pairs(pairs[r][t], pairs_of(left[r], right));
      }
    }
#pragma GCC unroll 4
    for (unsigned r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
      for (unsigned t = 0; t < TOKENS; ++t) sums[r][t] = add_words(sums[r][t], widen_pairs(pairs[r][t]));
  }
#endif
#pragma GCC unroll 6
  for (unsigned t = 0; t < TOKENS; ++t, out += stride) {
    int32_t part[ROWS];
    if constexpr (ROWS == 4) {
      store_sums({sums[0][t], sums[1][t], sums[2][t], sums[3][t]}, part);
    } else {
#pragma GCC unroll 4
      for (unsigned r = 0; r < ROWS; ++r) part[r] = sum_of(sums[r][t]);
    }
    for (unsigned r = 0; r < ROWS; ++r)
      out[r] = static_cast<int32_t>(static_cast<uint32_t>(out[r]) + static_cast<uint32_t>(part[r]));
  }
}

template <unsigned ROWS, unsigned TOKENS = DOT_TOKENS>
void digit_tiles(unsigned tokens, size_t bytes, const uint8_t* d, size_t d_stride, const int8_t* a, size_t a_stride,
                 int32_t* out, size_t stride) {
  for (; tokens >= TOKENS; tokens -= TOKENS, a += TOKENS * a_stride, out += TOKENS * stride)
    digit_tile<ROWS, TOKENS>(bytes, d, d_stride, a, a_stride, out, stride);
  if constexpr (TOKENS > 1) {
    if (tokens) digit_tiles<ROWS, TOKENS - 1>(tokens, bytes, d, d_stride, a, a_stride, out, stride);
  }
}

inline void digit_dots(unsigned rows, unsigned tokens, size_t bytes, const uint8_t* d, size_t d_stride,
                       const int8_t* a, size_t a_stride, int32_t* out, size_t stride) {
  for (; rows >= DOT_ROWS; rows -= DOT_ROWS, d += DOT_ROWS * d_stride, out += DOT_ROWS)
    digit_tiles<DOT_ROWS>(tokens, bytes, d, d_stride, a, a_stride, out, stride);
  for (; rows; --rows, d += d_stride, ++out) digit_tiles<1>(tokens, bytes, d, d_stride, a, a_stride, out, stride);
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

inline void digits(size_t blocks, const uint8_t* weights, uint8_t* out) {
  for (size_t block = 0; block < blocks; ++block)
    for (size_t j = 0; j < BLOCK_BYTES; ++j) {
      uint8_t x = weights[block * BLOCK_BYTES + j];
      for (size_t k = 0; k < DIGITS; ++k, x = static_cast<uint8_t>(3 * x))
        out[block * BLOCK_TRITS + k * BLOCK_BYTES + j] = static_cast<uint8_t>(3 * x >> 8);
    }
}

inline void digit_dots(unsigned rows, unsigned tokens, size_t bytes, const uint8_t* d, size_t d_stride,
                       const int8_t* a, size_t a_stride, int32_t* out, size_t stride) {
  for (unsigned t = 0; t < tokens; ++t)
    for (unsigned r = 0; r < rows; ++r) {
      uint32_t sum = static_cast<uint32_t>(out[t * stride + r]);
      for (size_t i = 0; i < bytes; ++i) sum += static_cast<uint32_t>(d[r * d_stride + i] * a[t * a_stride + i]);
      out[t * stride + r] = static_cast<int32_t>(sum);
    }
}

#endif

constexpr tfmbs::TritFns TRIT_FNS{RESIDUE_ROWS, residue_dots, digits, digit_dots};

}  // namespace
