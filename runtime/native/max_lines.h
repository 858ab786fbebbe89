// Maxima of windows line by line: down the lines of the input first, then across, of which every stride-th is a result.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

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

template <size_t STRIDE, class Line>
void take_every(size_t stride, const typename Line::Element* x, uint32_t count, uint32_t* results) {
  for (uint32_t i = 0; i < count; ++i) results[i] = Line::lane(x[i * (STRIDE ? STRIDE : stride)]);
}

template <class Line>
void max_line(const tfmbs::MaxLine& line, uint32_t* results) {
  using Element = typename Line::Element;
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
