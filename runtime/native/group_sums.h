// Sums of products of groups, as f32 by their scales and the factor of their row of activations.
#pragma once

#include "lane_quotient.h"
#include "simd.h"

namespace {

#if !defined(__AVX512F__)
// Vectors divided by a number.
class Quotients {
 public:
  explicit Quotients(float b) : divisor_(broadcast_f(b)) {}
  VecF operator()(VecF x) const { return divide_f(x, divisor_); }

 private:
  VecF divisor_;
};
#endif

// work(i, count): whole vectors, then what is left, fewer than LANES.
template <class Work>
[[gnu::always_inline]] inline void by_vectors(size_t n, Work work) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) work(i, LANES);
  if (i < n) work(i, static_cast<unsigned>(n - i));
}

// `count` elements as a vector, whose other lanes are 0.
inline VecF load_some(const void* p, unsigned count) {
  float lanes[LANES] = {};
  std::memcpy(lanes, p, count * sizeof *lanes);
  return load_f(lanes);
}
inline void store_some(void* p, VecF x, unsigned count) {
  float lanes[LANES];
  store_canonical(lanes, x);
  std::memcpy(p, lanes, count * sizeof *lanes);
}

inline void scale_sums(uint32_t* sums, const float* scales, float factor, size_t n) {
  const Quotients quotients(factor);
  by_vectors(n, [&](size_t i, unsigned count) {
    int32_t parts[LANES] = {};
    std::memcpy(parts, sums + i, count * sizeof *parts);
    const VecF real = quotients(fma_f(float_of(load_i(parts)), load_some(scales + i, count), zero_f()));
    store_some(sums + i, real, count);
  });
}

inline void divide_row(float* x, float factor, size_t n) {
  const Quotients quotients(factor);
  by_vectors(n, [&](size_t i, unsigned count) { store_some(x + i, quotients(load_some(x + i, count)), count); });
}

}  // namespace
