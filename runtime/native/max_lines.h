// Maxima of windows line by line: down the lines of the input first, then across, of which every stride-th is a result.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "chain_lanes.h"
#include "kernels.h"
#include "simd.h"

namespace {

struct FloatLine {
  using Element = float;
  using Vector = VecF;
  static constexpr size_t LENGTH = LANES;
  static constexpr float LEAST = -std::numeric_limits<float>::infinity();

  static Vector all(float x) { return broadcast_f(x); }
  static Vector load(const float* p) { return load_f(p); }
  static void store(float* p, Vector x) { store_f(p, x); }
#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))
  static Vector larger(Vector a, Vector b) { return max_f(a, b); }
#else
  static Vector larger(Vector a, Vector b) {
    for (unsigned i = 0; i < LANES; ++i) {
      const float x = a.lane[i], y = b.lane[i];
      // Of two zeros the one without a sign.
      a.lane[i] = std::isnan(x) || std::isnan(y) ? canonical_nan() : x == y ? (std::signbit(x) ? y : x) : x < y ? y : x;
    }
    return a;
  }
#endif
  static uint32_t lane(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
  }
};

struct ByteLine {
  using Element = int8_t;
  typedef int8_t Vector __attribute__((vector_size(4 * LANES)));
  static constexpr size_t LENGTH = 4 * LANES;
  static constexpr int8_t LEAST = std::numeric_limits<int8_t>::min();

  static Vector all(int8_t x) { return Vector{} + x; }
  static Vector load(const int8_t* p) {
    Vector x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static void store(int8_t* p, Vector x) { std::memcpy(p, &x, sizeof x); }
  static Vector larger(Vector a, Vector b) { return a > b ? a : b; }
  static uint32_t lane(int8_t x) { return static_cast<uint32_t>(static_cast<int32_t>(x)); }
};

// The maxima of the lines, with what is not on the input around them.
template <class Line>
void max_down(const tfmbs::MaxLine& line, typename Line::Element* out) {
  using Element = typename Line::Element;
  using Vector = typename Line::Vector;
  const Element* in = static_cast<const Element*>(line.in);
  for (size_t i = 0; i < line.before; i += Line::LENGTH) Line::store(out + i, Line::all(Line::LEAST));
  Element* to = out + line.before;
  size_t i = 0;
  for (; i + Line::LENGTH <= line.on; i += Line::LENGTH) {
    Vector most = Line::all(Line::LEAST);
    for (size_t row = 0; row < line.lines; ++row) most = Line::larger(most, Line::load(in + row * line.pitch + i));
    Line::store(to + i, most);
  }
  if (i < line.on) {
    Vector most = Line::all(Line::LEAST);
    Element last[Line::LENGTH] = {};
    for (size_t row = 0; row < line.lines; ++row) {
      std::memcpy(last, in + row * line.pitch + i, (line.on - i) * sizeof(Element));
      most = Line::larger(most, Line::load(last));
    }
    Line::store(to + i, most);
  }
  for (i = line.before + line.on; i < line.size; i += Line::LENGTH) Line::store(out + i, Line::all(Line::LEAST));
}

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))

// Plain instructions lose NaNs and take the second one of two zeros. What of that might count is remembered.
class Doubts {
 public:
#if defined(__AVX512F__)
  // The larger ones, where neither is a NaN.
  VecF larger(VecF a, VecF b) {
    any_ = _mm512_kor(any_, _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q));
    return _mm512_max_ps(a, b);
  }
  // Of the first `count` lanes: a zero without a sign is what it should be.
  void zeros(VecF x, size_t count) {
    const __mmask16 first = static_cast<__mmask16>(count >= LANES ? 0xffffu : (1u << count) - 1);
    const __mmask16 signs = _mm512_mask_cmpeq_epi32_mask(first, _mm512_castps_si512(x), _mm512_set1_epi32(INT32_MIN));
    any_ = _mm512_kor(any_, signs);
  }
  bool any() const { return any_ != 0; }

 private:
  __mmask16 any_ = 0;
#else
  VecF larger(VecF a, VecF b) {
    any_ = _mm256_or_ps(any_, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
    return _mm256_max_ps(a, b);
  }
  void zeros(VecF x, size_t count) {
    const __m256i signs = _mm256_cmpeq_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(INT32_MIN));
    const __m256i first = chosen_lanes(count >= LANES ? 0xffu : (1u << count) - 1);
    any_ = _mm256_or_ps(any_, _mm256_castsi256_ps(_mm256_and_si256(signs, first)));
  }
  bool any() const { return _mm256_movemask_ps(any_) != 0; }

 private:
  VecF any_ = _mm256_setzero_ps();
#endif
};

// LINES and TAPS are numbers that the compiler knows, or 0.
template <size_t LINES>
void quick_down(const tfmbs::MaxLine& line, float* to, Doubts& doubts) {
  const float* in = static_cast<const float*>(line.in);
  const VecF least = broadcast_f(FloatLine::LEAST);
  const size_t lines = LINES ? LINES : line.lines;
  size_t i = 0;
  for (; i + LANES <= line.on; i += LANES) {
    VecF most = least;
    for (size_t row = 0; row < lines; ++row)
      most = doubts.larger(most, load_f(in + row * line.pitch + i));
    store_f(to + i, most);
  }
  if (i == line.on) return;
  VecF most = least;
  const uint32_t first = (1u << (line.on - i)) - 1;
  for (size_t row = 0; row < line.lines; ++row)
    most = doubts.larger(most, load_where(first, in + row * line.pitch + i));
  store_f(to + i, most);
}

template <size_t STRIDE, size_t TAPS>
void quick_across(const tfmbs::MaxLine& line, const float* down, uint32_t* results, Doubts& doubts) {
  const size_t taps = TAPS ? TAPS : line.taps;
  for (size_t at = 0; at < line.count; at += LANES) {
    const float* x = down + STRIDE * at;
    VecF most = broadcast_f(FloatLine::LEAST);
    for (size_t tap = 0; tap < taps; ++tap, x += line.dilation)
      most = raise_f(STRIDE == 1 ? load_f(x) : even_f(load_f(x), load_f(x + LANES)), most);
    doubts.zeros(most, line.count - at);
    store_f(reinterpret_cast<float*>(results + at), most);
  }
}

// Results of neighbouring windows, or of every second one. False where the exact way has to be gone: then the results
// and the buffer are anything.
inline bool quick_max_line(const tfmbs::MaxLine& line, uint32_t* results) {
  if (line.stride > 2) return false;
  float* const down = static_cast<float*>(line.buffer);
  const VecF least = broadcast_f(FloatLine::LEAST);
  Doubts doubts;
  for (size_t i = 0; i < line.before; i += LANES) store_f(down + i, least);
  if (line.lines == 3) quick_down<3>(line, down + line.before, doubts);
  else quick_down<0>(line, down + line.before, doubts);
  for (size_t i = line.before + line.on; i < line.size; i += LANES) store_f(down + i, least);
  if (doubts.any()) return false;
  if (line.stride == 1) quick_across<1, 0>(line, down, results, doubts);
  else if (line.taps == 3) quick_across<2, 3>(line, down, results, doubts);
  else quick_across<2, 0>(line, down, results, doubts);
  return !doubts.any();
}

#else

inline bool quick_max_line(const tfmbs::MaxLine&, uint32_t*) { return false; }

#endif

template <size_t STRIDE, class Line>
void take_every(size_t stride, const typename Line::Element* x, uint32_t count, uint32_t* results) {
  for (uint32_t i = 0; i < count; ++i) results[i] = Line::lane(x[i * (STRIDE ? STRIDE : stride)]);
}

template <class Line>
void max_line(const tfmbs::MaxLine& line, uint32_t* results) {
  using Element = typename Line::Element;
  if constexpr (std::is_same_v<Line, FloatLine>)
    if (quick_max_line(line, results)) return;
  Element* const down = static_cast<Element*>(line.buffer);
  Element* const across = down + line.size + 64;
  max_down<Line>(line, down);
  const size_t length = (line.count - 1) * line.stride + 1;
  for (size_t i = 0; i < length; i += Line::LENGTH) {
    typename Line::Vector most = Line::all(Line::LEAST);
    // Beyond the end, what is there is not taken.
    for (size_t tap = 0; tap < line.taps; ++tap) most = Line::larger(most, Line::load(down + i + tap * line.dilation));
    Line::store(across + i, most);
  }
  if (line.stride == 1) take_every<1, Line>(1, across, line.count, results);
  else if (line.stride == 2) take_every<2, Line>(2, across, line.count, results);
  else take_every<0, Line>(line.stride, across, line.count, results);
}

}  // namespace
