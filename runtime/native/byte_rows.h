// Four rows of i8 with a scale for each group of the reduction, as files have them, by one row of i8; see `ByteRows`.
//
// Vectors go along the rows. Each part of a vector, of 16 bytes, ends with the sums of the four rows in its lanes: sums
// of groups are vectors of four rows, which take part in the results one group after the other.
#pragma once

#include <cstring>

#include "kernels.h"
#include "octets.h"

namespace {

constexpr unsigned BYTE_ROWS = tfmbs::BYTE_ROWS;

#if defined(__AVX2__)

constexpr size_t PART = 16;  // bytes of a vector whose words are four lanes

// A vector of the right operand, and words of four products of it with bytes of the left one.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
// Weights are unsigned, by 128 more than they are: `ByteRows::starts` are what sums begin with.
struct ByteColumn {
  static constexpr bool STARTS = true;
  explicit ByteColumn(const int8_t* p) : a(load_octets(p)) {}
  VecI dot(VecI weights, VecI sum) const {
    typedef uint8_t Octets __attribute__((vector_size(sizeof(VecI))));
    return dot_u8_i8((VecI)((Octets)weights ^ 0x80), a, sum);
  }
  VecI a;
};
#else
// Pairs of products of i8 may exceed an i16: even and odd bytes are i16 of their own.
struct ByteColumn {
  static constexpr bool STARTS = false;
  typedef int16_t Shorts __attribute__((vector_size(sizeof(VecI))));
  static VecI even_of(VecI x) { return (VecI)((Shorts)x << 8 >> 8); }
  static VecI odd_of(VecI x) { return (VecI)((Shorts)x >> 8); }
  explicit ByteColumn(const int8_t* p) : even(even_of(load_octets(p))), odd(odd_of(load_octets(p))) {}
  VecI dot(VecI weights, VecI sum) const {
    return dot_i16(odd_of(weights), odd, dot_i16(even_of(weights), even, sum));
  }
  VecI even, odd;
};
#endif

// Row r's sum of a part is lane r of that.
inline VecI part_sums(const VecI (&x)[BYTE_ROWS]) {
#if defined(__AVX512F__)
  const VecI ab = add_i(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
  const VecI cd = add_i(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
  return add_i(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
#else
  return _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]), _mm256_hadd_epi32(x[2], x[3]));
#endif
}

// Of one vector of each row.
[[gnu::always_inline]] inline VecI part_sums(const int8_t* weights, size_t apart, const int8_t* a) {
  const ByteColumn column(a);
  VecI x[BYTE_ROWS];
#pragma GCC unroll 4
  for (unsigned r = 0; r < BYTE_ROWS; ++r) x[r] = column.dot(load_octets(weights + r * apart), zero_i());
  return part_sums(x);
}

// Sums of a group that is whole vectors.
inline __m128i sums_of_group(const int8_t* weights, size_t apart, const int8_t* a, size_t length) {
  VecI x[BYTE_ROWS] = {zero_i(), zero_i(), zero_i(), zero_i()};
  for (size_t i = 0; i < length; i += OCTETS) {
    const ByteColumn column(a + i);
#pragma GCC unroll 4
    for (unsigned r = 0; r < BYTE_ROWS; ++r) x[r] = column.dot(load_octets(weights + r * apart + i), x[r]);
  }
#if defined(__AVX512F__)
  const VecI sums = part_sums(x);
  const __m256i pair = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
#else
  const __m256i pair = part_sums(x);
#endif
  return _mm_add_epi32(_mm256_castsi256_si128(pair), _mm256_extracti128_si256(pair, 1));
}

// Groups whose sums and scales are made together.
constexpr size_t GROUPS_AT_ONCE = 4;
// Groups of LENGTH elements, some of which share a vector: sums of GROUPS_AT_ONCE of them.
template <size_t LENGTH>
struct ShortGroups {
  static constexpr size_t SPAN = GROUPS_AT_ONCE * LENGTH;
  static void sums(const int8_t* weights, size_t apart, const int8_t* a, __m128i (&out)[GROUPS_AT_ONCE]) {
#if defined(__AVX512F__)
    VecI groups = part_sums(weights, apart, a);
    if constexpr (LENGTH == 2 * PART) {
      const VecI more = part_sums(weights + OCTETS, apart, a + OCTETS);
      groups = add_i(_mm512_shuffle_i64x2(groups, more, 0x88), _mm512_shuffle_i64x2(groups, more, 0xdd));
    }
    out[0] = _mm512_castsi512_si128(groups);
    out[1] = _mm512_extracti32x4_epi32(groups, 1);
    out[2] = _mm512_extracti32x4_epi32(groups, 2);
    out[3] = _mm512_extracti32x4_epi32(groups, 3);
#else
    static_assert(LENGTH == PART, "longer groups are whole vectors");
#pragma GCC unroll 2
    for (unsigned i = 0; i < 2; ++i) {
      const VecI groups = part_sums(weights + i * OCTETS, apart, a + i * OCTETS);
      out[2 * i] = _mm256_castsi256_si128(groups);
      out[2 * i + 1] = _mm256_extracti128_si256(groups, 1);
    }
#endif
  }
};

// Results of four rows, to which groups are added in ascending order.
class FourResults {
 public:
  // Sums of a group, of each row, and that group's scales.
  void add(__m128i sums, __m128 scales) {
    const __m128 real = _mm_cvtepi32_ps(sums);
#if defined(__AVX512VL__)
    acc_ = _mm_mask3_fmadd_ps(real, scales, acc_, 0xf);
#else
    acc_ = _mm_fmadd_ps(real, scales, acc_);
#endif
  }
  void store(float* out) const {
    const __m128 is_nan = _mm_cmp_ps(acc_, acc_, _CMP_UNORD_Q);
    _mm_storeu_ps(out, _mm_blendv_ps(acc_, _mm_set1_ps(canonical_nan()), is_nan));
  }

 private:
  __m128 acc_ = _mm_setzero_ps();
};

inline __m128i started(__m128i sums, const int32_t* starts) {
  if (!ByteColumn::STARTS) return sums;
  return _mm_add_epi32(sums, _mm_loadu_si128(reinterpret_cast<const __m128i*>(starts)));
}

template <size_t LENGTH>
void short_groups(const tfmbs::ByteRows& t, float* out) {
  using Form = ShortGroups<LENGTH>;
  FourResults results;
  // `count` groups from `group` on.
  const auto take = [&](size_t group, size_t count, const int8_t* weights, size_t apart, const float* scales,
                        size_t scales_apart) __attribute__((always_inline)) {
    __m128i sums[GROUPS_AT_ONCE];
    Form::sums(weights, apart, t.a + group * LENGTH, sums);
    __m128 by[BYTE_ROWS];
#pragma GCC unroll 4
    for (unsigned r = 0; r < BYTE_ROWS; ++r) by[r] = _mm_loadu_ps(scales + r * scales_apart);
    _MM_TRANSPOSE4_PS(by[0], by[1], by[2], by[3]);
#pragma GCC unroll 4
    for (size_t i = 0; i < GROUPS_AT_ONCE; ++i)
      if (i < count) results.add(started(sums[i], t.starts + (group + i) * BYTE_ROWS), by[i]);
  };
  const size_t whole = t.groups / GROUPS_AT_ONCE * GROUPS_AT_ONCE, left = t.groups - whole;
  for (size_t group = 0; group < whole; group += GROUPS_AT_ONCE)
    take(group, GROUPS_AT_ONCE, t.weights + group * LENGTH, t.apart, t.scales + group, t.scales_apart);
  if (left) {
    // Nothing behind a row is read, which may be the end of a file.
    int8_t weights[BYTE_ROWS][Form::SPAN] = {};
    float scales[BYTE_ROWS][GROUPS_AT_ONCE] = {};
    for (unsigned r = 0; r < BYTE_ROWS; ++r) {
      std::memcpy(weights[r], t.weights + r * t.apart + whole * LENGTH, left * LENGTH);
      std::memcpy(scales[r], t.scales + r * t.scales_apart + whole, left * sizeof(float));
    }
    take(whole, left, weights[0], Form::SPAN, scales[0], GROUPS_AT_ONCE);
  }
  results.store(out);
}

inline void long_groups(const tfmbs::ByteRows& t, float* out) {
  FourResults results;
  for (size_t group = 0; group < t.groups; ++group) {
    const size_t at = group * t.length;
    const float* scales = t.scales + group;
    const __m128 by = _mm_setr_ps(scales[0], scales[t.scales_apart], scales[2 * t.scales_apart],
                                  scales[3 * t.scales_apart]);
    const __m128i sums = sums_of_group(t.weights + at, t.apart, t.a + at, t.length);
    results.add(started(sums, t.starts + group * BYTE_ROWS), by);
  }
  results.store(out);
}

inline void byte_rows(const tfmbs::ByteRows& t, float* out) {
  if (t.length == PART) return short_groups<PART>(t, out);
#if defined(__AVX512F__)
  if (t.length == 2 * PART) return short_groups<2 * PART>(t, out);
#endif
  long_groups(t, out);
}

#else

inline void byte_rows(const tfmbs::ByteRows& t, float* out) {
  for (unsigned r = 0; r < BYTE_ROWS; ++r) {
    const int8_t *weights = t.weights + r * t.apart, *a = t.a;
    float acc = 0;
    for (size_t group = 0; group < t.groups; ++group, weights += t.length, a += t.length) {
      uint32_t sum = 0;
      for (size_t i = 0; i < t.length; ++i) sum += static_cast<uint32_t>(weights[i] * a[i]);
      acc = std::fma(static_cast<float>(static_cast<int32_t>(sum)), t.scales[r * t.scales_apart + group], acc);
    }
    out[r] = std::isnan(acc) ? canonical_nan() : acc;
  }
}

#endif

}  // namespace
