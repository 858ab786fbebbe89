// What sets of instructions have for lanes of vector programs, see kernels.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tfmbs {

// d, a, b, c are registers, or pairs of them, of VLMAX lanes; the first n lanes are worked on. Sources are read up to
// the end of a group of 16 lanes.
using LaneFn = void (*)(void* d, const void* a, const void* b, const void* c, uint32_t n);
// Element `first + i * stride` of the window, for i < n; the caller has checked every index.
using LoadFn = void (*)(void* lanes, const uint8_t* window, int64_t first, int64_t stride, uint32_t n);
using StoreFn = void (*)(uint8_t* window, const void* lanes, int64_t first, int64_t stride, uint32_t n);
// Element `first + index[i]`; the sum wraps.
using GatherFn = void (*)(void* lanes, const uint8_t* window, int64_t first, const void* index, uint32_t n);
using ScatterFn = void (*)(uint8_t* window, const void* lanes, int64_t first, const void* index, uint32_t n);
// Lane i becomes first + i * stride, wrapped.
using IndexFn = void (*)(void* lanes, int64_t first, int64_t stride, uint32_t n);

// Takes 16 lanes to their results, in place.
using GroupFn = void (*)(float* lanes);

// columns[c * apart + i] = element first + c + i * stride of a matrix of 32-bit elements, for c < 16 and i < n;
// `columns` is a cache line, `apart` a multiple of 16.
using ColumnsFn = void (*)(uint32_t* columns, size_t apart, const uint8_t* matrix, int64_t first, int64_t stride,
                           uint32_t n);

// The least and the greatest of n lanes, n at least 1.
struct LaneBounds {
  int64_t low, high;
};
using BoundsFn = LaneBounds (*)(const void* lanes, uint32_t n);

struct MoveFns {
  LoadFn load;
  StoreFn store;
  GatherFn gather;  // with indices of 32 bits
  ScatterFn scatter;
  GatherFn gather64;
  ScatterFn scatter64;
};

}  // namespace tfmbs
