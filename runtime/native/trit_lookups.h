// Products of one row of activations with rows of trits abreast (abreast.h), by look-ups: what five activations come to
// with five trits is in a table, |byte| its index, and the sign of the byte that of the sum.
//
// An entry is RADIX h + l, two bytes, which a vector looks up for 64 rows at once. Bytes hold the sums of
// OCTETS_TOGETHER of them, i16 those of DOUBLES_TOGETHER.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "abreast.h"
#include "intrinsics.h"

#if defined(__AVX512VBMI__)
namespace {

constexpr size_t ENTRIES = 128, TABLE_BYTES = 2 * ENTRIES;  // all l, then all h
constexpr int RADIX = 36, RECIPROCAL = (1 << 15) / RADIX, MOST_ENTRY = 5 * 128;
constexpr size_t OCTETS_TOGETHER = 7, DOUBLES_TOGETHER = 49;
constexpr size_t GROUPS_TOGETHER = 5;  // at most: they share what loading a table costs
constexpr size_t LINE = tfmbs::ABREAST_ROWS;  // bytes
constexpr unsigned MOST_ROWS = 3;  // of activations: with more of them digits cost less

// As _mm512_mulhrs_epi16 has it.
constexpr int rounded_part(int entry) { return (entry * RECIPROCAL + (1 << 14)) >> 15; }
constexpr bool sums_fit() {
  constexpr int most = 127 / static_cast<int>(OCTETS_TOGETHER);
  for (int entry = -MOST_ENTRY; entry <= MOST_ENTRY; ++entry) {
    const int high = rounded_part(entry), low = entry - RADIX * high;
    if (high < -most || high > most || low < -most || low > most) return false;
  }
  return true;
}
static_assert(sums_fit(), "sums of entries fit bytes");
static_assert(MOST_ENTRY * DOUBLES_TOGETHER < 1 << 15, "sums of entries fit i16");

// An entry is the sum of what its first three trits come to, one of 27, and its last two, one of 9: the places of these
// for the entries in the order in which vectors of i16 are made bytes.
struct Places {
  constexpr Places() {
    int numbers[ENTRIES] = {};  // of the codes that are no residue, any
    for (size_t i = 0; i < ENTRIES; ++i) numbers[i] = 121;
    for (int number = 0; number < 121; ++number) numbers[256 * number / 243 + 1] = number;
    for (size_t i = 0; i < ENTRIES; ++i) {
      const size_t entry = i / 64 * 64 + i % 32 / 8 * 16 + i / 32 % 2 * 8 + i % 8;
      front[i] = static_cast<int16_t>(numbers[entry] / 9);
      back[i] = static_cast<int16_t>(numbers[entry] % 9);
    }
    for (int number = 0; number < 27; ++number)
      for (int k = 0, rest = number; k < 3; ++k, rest /= 3) {
        trits[2 - k][number] = static_cast<int16_t>(rest % 3 - 1);
        if (k < 2) trits[4 - k][number] = static_cast<int16_t>(rest % 3 - 1);
      }
  }
  alignas(64) int16_t front[ENTRIES] = {}, back[ENTRIES] = {};
  alignas(64) int16_t trits[5][32] = {};
};
constexpr Places PLACES;

// As `TritFns::tables`.
inline void make_tables(size_t blocks, const int8_t* a, uint8_t* out, const tfmbs::Fetched& fetched) {
  const uint8_t* next = fetched.weights;
  for (size_t block = 0; block < blocks; ++block, a += tfmbs::RESIDUE_TRITS)
    for (size_t j = 0; j < tfmbs::RESIDUE_BYTES; ++j, out += TABLE_BYTES, next += LINE) {
      if (block < fetched.blocks)
        for (size_t g = 0; g < fetched.groups; ++g) _mm_prefetch(next + g * fetched.apart, _MM_HINT_T1);
      const auto product = [=](size_t k) {
        return _mm512_mullo_epi16(_mm512_load_si512(PLACES.trits[k]),
                                  _mm512_set1_epi16(a[k * tfmbs::RESIDUE_BYTES + j]));
      };
      const __m512i front = _mm512_add_epi16(_mm512_add_epi16(product(0), product(1)), product(2));
      const __m512i back = _mm512_add_epi16(product(3), product(4));
      __m512i low[4], high[4];
#pragma GCC unroll 4
      for (size_t q = 0; q < 4; ++q) {
        const __m512i entries =
            _mm512_add_epi16(_mm512_permutexvar_epi16(_mm512_load_si512(PLACES.front + 32 * q), front),
                             _mm512_permutexvar_epi16(_mm512_load_si512(PLACES.back + 32 * q), back));
        high[q] = _mm512_mulhrs_epi16(entries, _mm512_set1_epi16(RECIPROCAL));
        low[q] = _mm512_sub_epi16(entries, _mm512_mullo_epi16(high[q], _mm512_set1_epi16(RADIX)));
      }
      for (size_t half = 0; half < 2; ++half) {
        _mm512_storeu_si512(out + 64 * half, _mm512_packs_epi16(low[2 * half], low[2 * half + 1]));
        _mm512_storeu_si512(out + ENTRIES + 64 * half, _mm512_packs_epi16(high[2 * half], high[2 * half + 1]));
      }
    }
}

// GROUPS groups of rows.
template <size_t GROUPS>
void look_up_groups(size_t blocks, const uint8_t* weights, const uint8_t* tables, int32_t* out) {
  constexpr size_t AHEAD = tfmbs::RESIDUE_BYTES * (GROUPS < 4 ? 4 / GROUPS : 1);
  const size_t lines = blocks * tfmbs::RESIDUE_BYTES, apart = lines * LINE;
  const __m512i factors = _mm512_set1_epi16(RADIX << 8 | 1), zero = _mm512_setzero_si512();
  __m512i words[GROUPS][4];
  for (auto& group : words)
    for (auto& rows : group) rows = zero;
  for (size_t line = 0; line < lines;) {
    __m512i doubles[GROUPS][2];
    for (auto& group : doubles) group[0] = group[1] = zero;
    for (const size_t end = std::min(lines, line + DOUBLES_TOGETHER); line < end;) {
      __m512i low[GROUPS], high[GROUPS];
#pragma GCC unroll 8
      for (size_t g = 0; g < GROUPS; ++g) low[g] = high[g] = zero;
      for (const size_t stop = std::min(end, line + OCTETS_TOGETHER); line < stop; ++line) {
        const uint8_t* table = tables + line * TABLE_BYTES;
        const __m512i l0 = _mm512_loadu_si512(table), l1 = _mm512_loadu_si512(table + 64);
        const __m512i h0 = _mm512_loadu_si512(table + ENTRIES), h1 = _mm512_loadu_si512(table + ENTRIES + 64);
        // Behind the last line of a group comes what the groups behind these begin with.
        const size_t ahead = (line + AHEAD) * LINE + (line + AHEAD < lines ? 0 : (GROUPS - 1) * apart);
#pragma GCC unroll 8
        for (size_t g = 0; g < GROUPS; ++g) {
          const uint8_t* group = weights + g * apart;
          const uintptr_t next = reinterpret_cast<uintptr_t>(group) + ahead;
          _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
          const __m512i codes = _mm512_loadu_si512(group + line * LINE), index = _mm512_abs_epi8(codes);
          const __mmask64 negative = _mm512_movepi8_mask(codes);
          const __m512i l = _mm512_permutex2var_epi8(l0, index, l1), h = _mm512_permutex2var_epi8(h0, index, h1);
          low[g] = _mm512_add_epi8(low[g], _mm512_mask_sub_epi8(l, negative, zero, l));
          high[g] = _mm512_add_epi8(high[g], _mm512_mask_sub_epi8(h, negative, zero, h));
        }
      }
#pragma GCC unroll 8
      for (size_t g = 0; g < GROUPS; ++g) {
        doubles[g][0] = _mm512_add_epi16(doubles[g][0],
                                         _mm512_maddubs_epi16(factors, _mm512_unpacklo_epi8(low[g], high[g])));
        doubles[g][1] = _mm512_add_epi16(doubles[g][1],
                                         _mm512_maddubs_epi16(factors, _mm512_unpackhi_epi8(low[g], high[g])));
      }
    }
    // Places of a line are such that halves of 128 bits are four rows of sixteen.
    for (size_t g = 0; g < GROUPS; ++g)
      for (size_t i = 0; i < 2; ++i) {
        const __m512i signs = _mm512_srai_epi16(doubles[g][i], 15);
        words[g][2 * i] = _mm512_add_epi32(words[g][2 * i], _mm512_unpacklo_epi16(doubles[g][i], signs));
        words[g][2 * i + 1] = _mm512_add_epi32(words[g][2 * i + 1], _mm512_unpackhi_epi16(doubles[g][i], signs));
      }
  }
  for (size_t g = 0; g < GROUPS; ++g)
    for (size_t i = 0; i < 4; ++i) _mm512_storeu_si512(out + g * LINE + 16 * i, words[g][i]);
}

template <size_t... I>
constexpr auto look_ups(std::index_sequence<I...>) {
  return std::array{look_up_groups<I + 1>...};
}

// As `TritFns::look_up`.
inline void look_up(size_t groups, size_t blocks, const uint8_t* weights, const uint8_t* tables, int32_t* sums) {
  constexpr auto by_groups = look_ups(std::make_index_sequence<GROUPS_TOGETHER>());
  for (size_t passes = (groups + GROUPS_TOGETHER - 1) / GROUPS_TOGETHER; passes; --passes) {
    const size_t count = groups / passes;
    by_groups[count - 1](blocks, weights, tables, sums);
    weights += count * blocks * tfmbs::ABREAST_BYTES;
    sums += count * LINE;
    groups -= count;
  }
}

}  // namespace
#endif
