// The special functions in one lane.
#pragma once

#include "lane_bits.h"
#include "special.gen.h"

namespace {

#define TFMBS_SPECIAL(Name, function, ...)                             \
  struct Name {                                                        \
    template <class T>                                                 \
    [[gnu::always_inline]] static T of(T a, [[maybe_unused]] T b, T) { \
      return tfmbs::special::function(__VA_ARGS__);                    \
    }                                                                  \
  }

TFMBS_SPECIAL(Rsqrt, rsqrt, a);
TFMBS_SPECIAL(Exp, exp, a);
TFMBS_SPECIAL(Log, log, a);
TFMBS_SPECIAL(Tanh, tanh, a);
TFMBS_SPECIAL(Erf, erf, a);
TFMBS_SPECIAL(Sin, sin, a);
TFMBS_SPECIAL(Cos, cos, a);
TFMBS_SPECIAL(Pow, pow, a, b);
TFMBS_SPECIAL(Sigmoid, sigmoid, a);
TFMBS_SPECIAL(Gelu, gelu, a);
#undef TFMBS_SPECIAL

}  // namespace
