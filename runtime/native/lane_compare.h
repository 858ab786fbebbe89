// Comparisons of one lane.
#pragma once

#include "lane_bits.h"

namespace {

using tfmbs::abi::Predicate;

// Whether a predicate compares floats only.
constexpr bool needs_float(Predicate p) {
  return p == Predicate::ORD || p == Predicate::UEQ || p == Predicate::UNE || p == Predicate::UNO;
}

template <Predicate P>
struct Compare {
  template <class T>
  static int32_t of(T a, T b, int32_t) {
    if constexpr (is_real<T>) return real(a, b);
    else return whole(a, b);
  }

 private:
  template <class T>
  static bool real(T a, T b) {
    const bool unordered = !(a == a) || !(b == b);
    switch (P) {
      case Predicate::FALSE: return false;
      case Predicate::OEQ: return a == b;
      case Predicate::OGT: return a > b;
      case Predicate::OGE: return a >= b;
      case Predicate::OLT: return a < b;
      case Predicate::OLE: return a <= b;
      case Predicate::ONE: return a < b || a > b;
      case Predicate::ORD: return !unordered;
      case Predicate::UEQ: return unordered || a == b;
      case Predicate::UGT: return unordered || a > b;
      case Predicate::UGE: return unordered || a >= b;
      case Predicate::ULT: return unordered || a < b;
      case Predicate::ULE: return unordered || a <= b;
      case Predicate::UNE: return !(a == b);
      case Predicate::UNO: return unordered;
      case Predicate::TRUE: return true;
    }
    return false;
  }
  template <class T>
  static bool whole(T a, T b) {
    switch (P) {
      case Predicate::OEQ: return a == b;
      case Predicate::OGT: return a > b;
      case Predicate::OGE: return a >= b;
      case Predicate::OLT: return a < b;
      case Predicate::OLE: return a <= b;
      case Predicate::ONE: return a != b;
      case Predicate::UGT: return u(a) > u(b);
      case Predicate::UGE: return u(a) >= u(b);
      case Predicate::ULT: return u(a) < u(b);
      case Predicate::ULE: return u(a) <= u(b);
      case Predicate::TRUE: return true;
      default: return false;
    }
  }
};

}  // namespace
