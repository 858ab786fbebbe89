// One tap of a sliding window on a row of outputs: the lanes are neighbours in the row.
#pragma once

#include "lane_bits.h"

namespace {

template <class Visit>
void along(int64_t stride, uint32_t n, Visit visit) {
  if (stride == 1)
    for (uint32_t i = 0; i < n; ++i) visit(i, i);
  else if (stride == 2)
    for (uint32_t i = 0; i < n; ++i) visit(i, 2 * static_cast<size_t>(i));
  else
    for (uint32_t i = 0; i < n; ++i) visit(i, static_cast<size_t>(i) * static_cast<size_t>(stride));
}

inline void tap_row_f32(float* sums, const float* x, int64_t stride, float weight, uint32_t n) {
  along(stride, n, [=](uint32_t i, size_t at) { sums[i] = canonical(std::fma(weight, x[at], sums[i])); });
}

inline void tap_row_i8(int32_t* sums, const int8_t* x, int64_t stride, int32_t zero, int32_t weight, uint32_t n) {
  along(stride, n, [=](uint32_t i, size_t at) {
    const int32_t product = (x[at] - zero) * weight;
    sums[i] = wrap<int32_t>(u(sums[i]) + u(product));
  });
}

}  // namespace
