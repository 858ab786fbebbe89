// Sums of f32 on their way out, see FloatEnds.
#pragma once

#include "chain_lanes.h"
#include "kernels.h"
#include "simd.h"

namespace {

#if !((defined(__AVX512F__) && defined(__AVX512BW__)) || (defined(__AVX2__) && defined(__FMA__)))
inline VecF add_f(VecF a, VecF b) {
  for (unsigned i = 0; i < LANES; ++i) a.lane[i] += b.lane[i];
  return a;
}
inline VecF between_f(VecF x, VecF low, VecF high) {
  for (unsigned i = 0; i < LANES; ++i) {
    const float raised = x.lane[i] > low.lane[i] ? x.lane[i] : low.lane[i];
    const float lowered = raised < high.lane[i] ? raised : high.lane[i];
    x.lane[i] = std::isnan(x.lane[i]) ? canonical_nan() : lowered;
  }
  return x;
}
#endif

// Of a channel.
class Ends {
 public:
  Ends(const tfmbs::FloatEnds& ends, size_t channel)
      : bias_(broadcast_f(ends.bias[channel * ends.apart])),
        low_(broadcast_f(ends.low)),
        high_(broadcast_f(ends.high)) {}

  [[gnu::always_inline]] VecF of(VecF sum) const { return between_f(add_f(sum, bias_), low_, high_); }
  [[gnu::always_inline]] void store(float* to, VecF sum) const { store_f(to, of(sum)); }
  // The first `count` lanes, fewer than all.
  [[gnu::always_inline]] void store_first(uint32_t count, float* to, VecF sum) const {
    store_canonical_first(count, to, of(sum));
  }

 private:
  VecF bias_, low_, high_;
};

}  // namespace
