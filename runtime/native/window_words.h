// Windows of integers along lines of padded elements. A lane is a word that starts where its window does, so that a
// product takes several taps at once. Words of neighbouring outputs overlap: lanes are outputs as far apart as words
// are, and vectors that start one output further have those between, so that all are loaded as they lie.
#pragma once

#include <cstdint>

#include "chain_lanes.h"
#include "kernels.h"
#include "requantize.h"
#include "short_rows.h"
#include "simd.h"

namespace {

template <class Row>
[[gnu::always_inline]] inline void each_row(const tfmbs::PaddedRows& rows, Row row_of) {
  for (size_t plane = 0; plane < rows.planes; ++plane) {
    const int8_t* from = rows.from + plane * rows.plane_in;
    uint8_t* out = rows.out + plane * rows.plane_out;
    for (size_t row = 0; row < rows.rows; ++row, from += rows.stride, out += rows.pitch) row_of(from, out);
  }
}

inline void pad_quads(const tfmbs::PaddedRows& rows) {
  each_piece(rows.count, [&](auto pieces) __attribute__((always_inline)) {
    each_row(rows, [&](const int8_t* from, uint8_t* out) __attribute__((always_inline)) {
      pieces([&](auto piece, size_t i) __attribute__((always_inline)) {
        auto bits = piece.load(from + i);
        bits ^= static_cast<decltype(bits)>(decltype(bits){} + static_cast<uint64_t>(0x8080808080808080u));
        piece.store(out + i, bits);
      });
    });
  });
}

inline void pad_pairs(const tfmbs::PaddedRows& rows) {
  each_row(rows, [&](const int8_t* from, uint8_t* out) {
    int16_t* halves = reinterpret_cast<int16_t*>(out);
    for (size_t i = 0; i < rows.count; ++i) halves[i] = static_cast<int16_t>(from[i] - rows.zero);
  });
}

// Vectors that are computed together, of each of so many channels.
constexpr unsigned LINE_VECTORS = 4, LINE_OUTPUTS = LINE_VECTORS * LANES;
static_assert(LINE_OUTPUTS <= tfmbs::RowFns::TOGETHER);
#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr unsigned LINE_CHANNELS = 4;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr unsigned LINE_CHANNELS = 2;
#else
constexpr unsigned LINE_CHANNELS = 1;
#endif

// Of vectors of a line, PARTS follow each other that have the outputs between those of the first.
template <unsigned STEP>
constexpr unsigned PARTS = sizeof(uint32_t) / STEP;

// Outputs from `from` on.
template <class Dot, unsigned STEP, unsigned CHANNELS>
[[gnu::always_inline]] inline void line_words(const tfmbs::WindowWords& w, const uint8_t* from, const uint32_t* weights,
                                              const VecI (&start)[CHANNELS], VecI (&sum)[CHANNELS][LINE_VECTORS]) {
#pragma GCC unroll 4
  for (unsigned c = 0; c < CHANNELS; ++c)
#pragma GCC unroll 4
    for (unsigned v = 0; v < LINE_VECTORS; ++v) sum[c][v] = start[c];
  for (size_t tap = 0; tap < w.taps; ++tap) {
    const uint8_t* p = from + w.offsets[tap];
    VecI x[LINE_VECTORS];
#pragma GCC unroll 4
    for (unsigned v = 0; v < LINE_VECTORS; ++v)
      x[v] = load_i(p + v / PARTS<STEP> * sizeof(VecI) + v % PARTS<STEP> * STEP);
#pragma GCC unroll 4
    for (unsigned c = 0; c < CHANNELS; ++c) {
      const VecI weight = broadcast_i(static_cast<int32_t>(weights[c * w.taps + tap]));
#pragma GCC unroll 4
      for (unsigned v = 0; v < LINE_VECTORS; ++v) sum[c][v] = Dot::dot(x[v], weight, sum[c][v]);
    }
  }
}

// The vectors of a line with lanes as the outputs follow each other.
template <unsigned STEP>
[[gnu::always_inline]] inline void in_order(VecI (&x)[LINE_VECTORS]) {
  if constexpr (PARTS<STEP> == 2) {
    interleave_i(x[0], x[1]);
    interleave_i(x[2], x[3]);
  } else if constexpr (PARTS<STEP> == 4) {
    interleave_i(x[0], x[2]);  // the even outputs: of the first half, and of the second
    interleave_i(x[1], x[3]);  // the odd ones
    interleave_i(x[0], x[1]);
    interleave_i(x[2], x[3]);
  }
}

// CHANNELS channels of a group, the first of which is `channel` of all.
template <class Dot, unsigned STEP, unsigned CHANNELS>
struct LineOf {
  template <class Visit>
  [[gnu::always_inline]] static void each(const tfmbs::WindowWords& w, const uint8_t* from, size_t channel,
                                          const VecI (&start)[CHANNELS], Visit visit) {
    for (uint32_t i = 0; i < w.n; i += LINE_OUTPUTS) {
      VecI sum[CHANNELS][LINE_VECTORS];
      line_words<Dot, STEP>(w, from + size_t{i} * STEP, w.weights + channel * w.taps, start, sum);
#pragma GCC unroll 4
      for (unsigned c = 0; c < CHANNELS; ++c) visit(sum[c], c, i);
    }
  }
};

// take(LineOf, group's words, first channel) for all channels.
template <class Dot, unsigned STEP, class Take>
[[gnu::always_inline]] inline void each_line(const tfmbs::WindowWords& w, Take take) {
  const uint8_t* from = w.from;
  for (size_t channel = 0, end = w.channels, group = 0; group < w.groups; ++group, end += w.channels, from += w.apart) {
    for (; channel + LINE_CHANNELS <= end; channel += LINE_CHANNELS)
      take(LineOf<Dot, STEP, LINE_CHANNELS>(), from, channel);
    for (; channel < end; ++channel) take(LineOf<Dot, STEP, 1>(), from, channel);
  }
}

template <class Dot, unsigned STEP>
struct LineSums {
  const tfmbs::WindowWords& w;
  int32_t* out;
  size_t stride;

  template <unsigned CHANNELS>
  [[gnu::always_inline]] void operator()(LineOf<Dot, STEP, CHANNELS> line, const uint8_t* from, size_t channel) const {
    VecI start[CHANNELS];
    for (unsigned c = 0; c < CHANNELS; ++c) start[c] = broadcast_i(w.starts[channel + c]);
    const auto take = [&](VecI (&sum)[LINE_VECTORS], size_t c, size_t i) __attribute__((always_inline)) {
      in_order<STEP>(sum);
#pragma GCC unroll 4
      for (unsigned v = 0; v < LINE_VECTORS; ++v) store_i(out + (channel + c) * stride + i + v * LANES, sum[v]);
    };
    line.each(w, from, channel, start, take);
  }
};

template <class Dot, unsigned STEP>
void window_line_by(const tfmbs::WindowWords& w, int32_t* out, size_t stride) {
  each_line<Dot, STEP>(w, LineSums<Dot, STEP>{w, out, stride});
}

template <class Dot>
void window_line(const tfmbs::WindowWords& words, int32_t* out, size_t stride) {
  if (words.step == 1) window_line_by<Dot, 1>(words, out, stride);
  else if (words.step == 2) window_line_by<Dot, 2>(words, out, stride);
  else window_line_by<Dot, 4>(words, out, stride);
}

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))

// The low bytes of lanes that are i8, as the outputs follow each other.
template <unsigned STEP>
[[gnu::always_inline]] inline void store_line(uint8_t* p, const VecI (&x)[LINE_VECTORS]) {
  if constexpr (PARTS<STEP> == 1) store_four(p, x);
  else if constexpr (PARTS<STEP> == 2) store_halves(p, bytes_of(x[0], x[1]), bytes_of(x[2], x[3]));
  else store_i(p, halves_of(bytes_of(x[0], x[1]), bytes_of(x[2], x[3])));
}

template <class Dot, unsigned STEP, bool DIVIDES>
struct LineBytes {
  const tfmbs::WindowWords& w;
  const tfmbs::ChainStep* steps;
  uint8_t* out;
  size_t stride;
  Requantizer<DIVIDES> requantize;

  template <unsigned CHANNELS>
  [[gnu::always_inline]] void operator()(LineOf<Dot, STEP, CHANNELS> line, const uint8_t* from, size_t channel) const {
    VecI start[CHANNELS];
    typename Requantizer<DIVIDES>::Scale scale[CHANNELS];
    for (unsigned c = 0; c < CHANNELS; ++c) {
      const size_t row = channel + c;
      const int32_t bias = static_cast<int32_t>(steps[0].at[row * steps[0].apart]);
      start[c] = add_i(broadcast_i(w.starts[row]), broadcast_i(bias));
      scale[c] = requantize.scale(reinterpret_cast<const float*>(steps[2].at)[row * steps[2].apart]);
    }
    const auto take = [&](VecI (&sum)[LINE_VECTORS], size_t c, size_t i) __attribute__((always_inline)) {
      requantize(sum, scale[c]);
      store_line<STEP>(out + (channel + c) * stride + i, sum);
    };
    line.each(w, from, channel, start, take);
  }
};

template <class Dot, unsigned STEP>
void narrow_line_by(const tfmbs::WindowWords& w, const tfmbs::ChainStep* steps, uint8_t* out, size_t stride) {
  if (steps[3].divisor == 0)
    each_line<Dot, STEP>(w, LineBytes<Dot, STEP, false>{w, steps, out, stride, Requantizer<false>(steps[3])});
  else
    each_line<Dot, STEP>(w, LineBytes<Dot, STEP, true>{w, steps, out, stride, Requantizer<true>(steps[3])});
}

template <class Dot>
void narrow_line(const tfmbs::WindowWords& words, const tfmbs::ChainStep* steps, uint8_t* out, size_t stride) {
  if (words.step == 1) narrow_line_by<Dot, 1>(words, steps, out, stride);
  else if (words.step == 2) narrow_line_by<Dot, 2>(words, steps, out, stride);
  else narrow_line_by<Dot, 4>(words, steps, out, stride);
}

#endif

template <class Dot, unsigned BYTES, void PAD(const tfmbs::PaddedRows&)>
constexpr tfmbs::RowFns row_fns() {
#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))
  return {BYTES, PAD, window_line<Dot>, narrow_line<Dot>};
#else
  return {BYTES, PAD, window_line<Dot>, nullptr};
#endif
}

}  // namespace
