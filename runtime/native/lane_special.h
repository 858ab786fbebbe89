// The special functions in one lane, as far as special.gen.h has them for the type.
#pragma once

#include "lane_bits.h"
#include "special.gen.h"

namespace {

#define TFMBS_SPECIAL(Name, function)     \
  struct Name {                           \
    template <class T>                    \
    static T of(T a, T, T) {              \
      return tfmbs::special::function(a); \
    }                                     \
  }

TFMBS_SPECIAL(Rsqrt, rsqrt);
TFMBS_SPECIAL(Exp, exp);
TFMBS_SPECIAL(Log, log);
TFMBS_SPECIAL(Tanh, tanh);
TFMBS_SPECIAL(Erf, erf);
#undef TFMBS_SPECIAL

}  // namespace
