// Sums of i32 to i8: a bias by channel has been added, a scale by channel follows, perhaps a division, then a
// quantization.
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
// magnitude, it misses what two roundings make by less than 4 * 2^-24 of it. As fixed-point numbers with FRACTION bits
// that is one unit, and less than 0.7 more for the zero point that is added and the conversion to them: only within
// 1.75 units of a number and a half, the next integer may be another one, and such vectors are computed step by step.
template <bool DIVIDES>
class Requantizer {
 public:
  struct Scale {
    float by;
    VecF factor;
    bool quick;  // no sum makes a NaN, and there is such a factor
  };

  explicit Requantizer(const tfmbs::ChainStep& quantize)
      : exact_(quantize),
        reciprocal_(DIVIDES ? ONE / quantize.divisor : 1.0f),
        zero_(DIVIDES ? ONE * quantize.zero + HALF + 1 : quantize.zero),
        zeros_f_(broadcast_f(zero_)),
        zeros_(broadcast_i(static_cast<int32_t>(quantize.zero))),
        low_(broadcast_f(DIVIDES ? ONE * quantize.low + zero_ : quantize.low)),
        high_(broadcast_f(DIVIDES ? ONE * quantize.high + zero_ : quantize.high)) {}

  Scale scale(float by) const {
    const float factor = by * reciprocal_;
    return {by, broadcast_f(factor), std::isfinite(by) && std::isfinite(factor)};
  }

  // Sums of a channel become i8, as lanes of i32.
  template <unsigned COUNT>
  [[gnu::always_inline]] void operator()(VecI (&x)[COUNT], const Scale& by) const {
    if (by.quick && quickly(x, by.factor)) return;
    // Registers are for the quick way.
    VecI lanes[COUNT];
#pragma GCC unroll 4
    for (unsigned v = 0; v < COUNT; ++v) lanes[v] = x[v];
    exactly(lanes, COUNT, by.by);
#pragma GCC unroll 4
    for (unsigned v = 0; v < COUNT; ++v) x[v] = lanes[v];
  }

 private:
  static constexpr int FRACTION = 14;
  static constexpr float ONE = 1 << FRACTION, HALF = 1 << (FRACTION - 1);

  // False where a number may be next to where rounding turns; then nothing was done.
  template <unsigned COUNT>
  [[gnu::always_inline]] bool quickly(VecI (&x)[COUNT], VecF factor) const {
    VecI results[COUNT];
#pragma GCC unroll 4
    for (unsigned v = 0; v < COUNT; ++v) {
      const VecF sum = float_of(x[v]);
      if constexpr (DIVIDES) results[v] = nearest_i(lower_f(raise_f(fma_f(sum, factor, zeros_f_), low_), high_));
      else results[v] = add_i(nearest_i(lower_f(raise_f(mul_f(sum, factor), low_), high_)), zeros_);
    }
    // Halves are one here, up to 2 units more or one less.
    if (DIVIDES && !none_is_zero(results, (1 << FRACTION) - 4)) return false;
#pragma GCC unroll 4
    for (unsigned v = 0; v < COUNT; ++v)
      x[v] = DIVIDES ? shift_right_signed<FRACTION>(results[v]) : results[v];
    return true;
  }

  [[gnu::noinline, gnu::cold]] void exactly(VecI* x, unsigned count, float by) const {
    const VecF scale = broadcast_f(by);
    for (unsigned v = 0; v < count; ++v) x[v] = exact_(mul_f(float_of(x[v]), scale));
  }

  Quantizer<DIVIDES> exact_;
  float reciprocal_, zero_;
  VecF zeros_f_;
  VecI zeros_;
  VecF low_, high_;
};

}  // namespace
#endif
