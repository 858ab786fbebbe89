// Sums of i32 to i8: a bias by channel has been added, a scale by channel follows, perhaps a division, then a quantization.
#pragma once

#include <cmath>

#include "chain_lanes.h"
#include "kernels.h"
#include "simd.h"

#if (defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__))
namespace {

// f32(sum) * scale, rounded, divided by a constant if it DIVIDES, rounded, and quantized.
//
// A scale and a divisor are one factor for most sums. Of quotients between the ends, which are less than 2^8 in
// magnitude, it misses what two roundings make by less than 5 * 2^-24 of it. As fixed-point numbers with FRACTION bits that
// is 1.25 units, and 0.5 more for the conversion to them: only within 1.75 units of a number and a half, the next
// integer may be another one, and such vectors are computed step by step.
template <bool DIVIDES>
class Requantizer {
 public:
  struct Scale {
    VecF steps, factor;
    bool quick;  // no sum makes a NaN, and there is such a factor
  };

  explicit Requantizer(const tfmbs::ChainStep& quantize)
      : exact_(quantize),
        reciprocal_(DIVIDES ? ONE / quantize.divisor : 1.0f),
        low_(broadcast_f(DIVIDES ? ONE * quantize.low : quantize.low)),
        high_(broadcast_f(DIVIDES ? ONE * quantize.high : quantize.high)),
        zero_(broadcast_i(static_cast<int32_t>(quantize.zero) * (DIVIDES ? 1 << FRACTION : 1) + (DIVIDES ? HALF + 1 : 0))) {}

  Scale scale(float by) const {
    const float factor = by * reciprocal_;
    return {broadcast_f(by), broadcast_f(factor), std::isfinite(by) && std::isfinite(factor)};
  }

  // Sums of a channel become i8, as lanes of i32.
  template <unsigned COUNT>
  [[gnu::always_inline]] void operator()(VecI (&x)[COUNT], const Scale& by) const {
    if (by.quick) {
      VecI results[COUNT];
      if (quickly(x, by, results)) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < COUNT; ++v) x[v] = results[v];
        return;
      }
    }
#pragma GCC unroll 4
    for (VecI& lanes : x) lanes = exact_(mul_f(float_of(lanes), by.steps));
  }

 private:
  static constexpr int FRACTION = 14, HALF = 1 << (FRACTION - 1);
  static constexpr float ONE = 1 << FRACTION;

  // False where a number may be next to where rounding turns.
  template <unsigned COUNT>
  [[gnu::always_inline]] bool quickly(const VecI (&x)[COUNT], const Scale& by, VecI (&results)[COUNT]) const {
    bool clear = true;
#pragma GCC unroll 4
    for (unsigned v = 0; v < COUNT; ++v) {
      const VecF scaled = lower_f(raise_f(mul_f(float_of(x[v]), by.factor), low_), high_);
      results[v] = add_i(nearest_i(scaled), zero_);
    }
    if constexpr (DIVIDES) {
      // Halves are zero here, up to 2 units more or one less.
      clear = none_is_zero(results, (1 << FRACTION) - 4);
#pragma GCC unroll 4
      for (VecI& lanes : results) lanes = shift_right_signed<FRACTION>(lanes);
    }
    return clear;
  }

  Quantizer<DIVIDES> exact_;
  float reciprocal_;
  VecF low_, high_;
  VecI zero_;
};

}  // namespace
#endif
