// Products of rows of trits and activations in strips of 32 rows of trits.
//
// Trits of a strip and a part of the reduction are made once, and stay in the first cache while the activations pass;
// sums wait in the second one. A few activations, for which that does not pay, are multiplied as trits are made of a
// block, by a unit for matrices by residues as they are.
#pragma once

#include <algorithm>
#include <cstring>

#include "abreast.h"
#include "kernels.h"

namespace tfmbs {

class TritBlocks {
 public:
  static constexpr uint64_t MOST_TOKENS = 256;  // activations of a unit of work

  // `m` rows of activations, rows of trits of `blocks` blocks.
  TritBlocks(const StripFns& fns, uint64_t m, uint64_t blocks)
      : fns_(fns), m_(m), blocks_(blocks), length_(blocks * RESIDUE_TRITS) {}

  bool few() const { return m_ <= fns_.most_few; }
  // Rows of trits of a unit of work.
  uint64_t most_rows() const { return few() ? abi::VLMAX : fns_.rows; }
  // With rows that fill up the last block.
  uint64_t padded(uint64_t rows) const { return (rows + block() - 1) / block() * block(); }
  uint64_t lhs_bytes() const { return padded(m_) * length_; }
  // Of the tiles that are made for one strip.
  uint64_t strip_bytes() const { return few() ? RESIDUE_PLANES * PLANE_BYTES : PART * BLOCK_STEPS * PLANE_BYTES; }
  // Words from one row of sums to the next, of `rows` rows of trits: 32 at a time are stored, and neighbours do not
  // share the same places of the first cache.
  static uint64_t stride(uint64_t rows) { return (rows + STRIP_COLUMNS - 1) / STRIP_COLUMNS * STRIP_COLUMNS + 16; }

  // Puts the k activations of a token where strips take them.
  void place(uint64_t token, const int8_t* x, uint64_t k, uint8_t* lhs) const {
    const uint64_t first = token / block() * block(), apart = block() * STRIP_STEP;
    uint8_t* to = lhs + first * length_ + (token - first) * STRIP_STEP;
    for (uint64_t i = 0; i < length_; i += STRIP_STEP, to += apart) {
      const uint64_t count = i < k ? std::min<uint64_t>(STRIP_STEP, k - i) : 0;
      if (count == STRIP_STEP) {
        std::memcpy(to, x + i, STRIP_STEP);
        continue;
      }
      if (count) std::memcpy(to, x + i, count);
      std::memset(to + count, 0, STRIP_STEP - count);
    }
  }

  // out[t * stride + r] = products of `rows` rows of trits, in whole groups, and of activations from a multiple of a
  // block on, whose sums are `sums`. `buffer` has strip_bytes.
  void multiply(const uint8_t* lines, uint64_t rows, const uint8_t* lhs, uint64_t token, uint64_t tokens,
                const int32_t* sums, uint8_t* buffer, int32_t* out, uint64_t stride) const {
    const uint8_t* a = lhs + token * length_;
    if (!few()) return multiply_trits(lines, rows, a, tokens, sums, buffer, out, stride);
    for (uint64_t r = 0; r < rows; r += ABREAST_ROWS)
      multiply_few(lines + r * row_bytes(), a, sums, buffer, out + r, stride);
  }

 private:
  static constexpr uint64_t PART = 2;  // blocks of residues whose trits are made at once
  static constexpr uint64_t BLOCK_STEPS = RESIDUE_TRITS / STRIP_STEP;
  // 256 times a sum of so many products of 0…2 and i8 fits 31 bits, so that it may be computed modulo 2^32.
  static constexpr uint64_t MOST_BLOCKS = (uint64_t{1} << 15) / RESIDUE_TRITS;
  static_assert(MOST_BLOCKS * RESIDUE_TRITS * 2 * 128 <= uint64_t{1} << 23, "sums of residues are exact");

  // Rows of activations that follow each other in each step.
  uint64_t block() const { return few() ? m_ : fns_.block; }
  uint64_t row_bytes() const { return blocks_ * RESIDUE_BYTES; }

  void multiply_trits(const uint8_t* lines, uint64_t rows, const uint8_t* a, uint64_t tokens, const int32_t* sums,
                      uint8_t* buffer, int32_t* out, uint64_t stride) const {
    const uint64_t strips = rows / STRIP_COLUMNS;
    for (uint64_t block = 0; block < blocks_; block += PART) {
      const uint64_t count = std::min(PART, blocks_ - block), steps = count * BLOCK_STEPS;
      const uint64_t next = std::min(PART, blocks_ - block - count);
      Strip strip{};
      strip.rows = tokens;
      strip.steps = steps;
      strip.a = a + block * RESIDUE_TRITS * fns_.block;
      strip.apart = strip.fetch_apart = fns_.block * length_;
      strip.b = buffer;
      strip.stride = stride;
      strip.fresh = block == 0;
      strip.sums = sums;
      // Each strip fetches its share of the activations of the next part.
      strip.lines = (fns_.block * next + strips * count - 1) / (strips * count);
      strip.fetch = strip.a + steps * fns_.block * STRIP_STEP;
      for (uint64_t r = 0; r < rows; r += STRIP_COLUMNS) {
        const uint64_t group = r / ABREAST_ROWS * ABREAST_ROWS, apart = ABREAST_ROWS * row_bytes();
        // Behind the last group comes the next part of the first one, which wraps.
        const uint64_t back = count * ABREAST_BYTES - group * row_bytes();
        fns_.make_trits(count, lines + group * row_bytes() + block * ABREAST_BYTES,
                        static_cast<unsigned>((r - group) / STRIP_COLUMNS),
                        group + ABREAST_ROWS < rows ? apart : back, buffer);
        strip.out = out + r;
        fns_.trits(strip);
        strip.fetch += steps * strip.lines * STRIP_STEP;
      }
    }
  }

  // A group of rows.
  void multiply_few(const uint8_t* lines, const uint8_t* a, const int32_t* sums, uint8_t* buffer, int32_t* out,
                    uint64_t stride) const {
    for (uint64_t block = 0; block < blocks_; block += MOST_BLOCKS) {
      alignas(64) int32_t digits[MOST_FEW * ABREAST_ROWS];
      FewRows few{};
      few.rows = static_cast<unsigned>(m_);
      few.blocks = std::min(MOST_BLOCKS, blocks_ - block);
      few.a = a + block * RESIDUE_TRITS * m_;
      few.lines = lines + block * ABREAST_BYTES;
      few.ahead = reinterpret_cast<uintptr_t>(few.lines) + few.blocks * ABREAST_BYTES;
      few.make = fns_.make_residues;
      few.buffer = buffer;
      few.sums = digits;
      fns_.few(few);
      for (uint64_t t = 0; t < m_; ++t) {
        const uint32_t sum = static_cast<uint32_t>(sums[t]);
        int32_t* to = out + t * stride;
        for (uint64_t c = 0; c < ABREAST_ROWS; ++c)
          to[c] = static_cast<int32_t>(static_cast<uint32_t>(digits[t * ABREAST_ROWS + c]) +
                                       (block ? static_cast<uint32_t>(to[c]) : 0u - sum));
      }
    }
  }

  const StripFns& fns_;
  const uint64_t m_, blocks_, length_;
};

}  // namespace tfmbs
