// Sums of f32 on their way out, see FloatEnds.
#pragma once

#include "chain_lanes.h"
#include "kernels.h"
#include "simd.h"

namespace {

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
