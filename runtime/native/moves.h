// Loads and stores between operand windows and lanes, per element type of the window.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi.gen.h"
#include "kernels.h"

namespace {

// Memory form and lane form of one element type; both 32-bit floats and integers travel as their bits.
template <class Stored, bool IsBool = false>
struct Element {
  using Memory = Stored;
  static int32_t widen(Stored x) { return IsBool ? x != 0 : static_cast<int32_t>(x); }
  static Stored narrow(int32_t lane) { return IsBool ? static_cast<Stored>(lane != 0) : static_cast<Stored>(lane); }
};

template <class E>
void load(void* lanes, const uint8_t* window, int64_t first, int64_t stride, uint32_t n) {
  int32_t* out = static_cast<int32_t*>(lanes);
  const auto* x = reinterpret_cast<const typename E::Memory*>(window) + first;
  if (stride == 1) {
    for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(x[i]);
  } else if (stride == 0) {
    const int32_t value = E::widen(*x);
    for (uint32_t i = 0; i < n; ++i) out[i] = value;
  } else {
    for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(x[static_cast<int64_t>(i) * stride]);
  }
}

template <class E>
void store(uint8_t* window, const void* lanes, int64_t first, int64_t stride, uint32_t n) {
  const int32_t* in = static_cast<const int32_t*>(lanes);
  auto* x = reinterpret_cast<typename E::Memory*>(window) + first;
  if (stride == 1) {
    for (uint32_t i = 0; i < n; ++i) x[i] = E::narrow(in[i]);
  } else {
    for (uint32_t i = 0; i < n; ++i) x[static_cast<int64_t>(i) * stride] = E::narrow(in[i]);
  }
}

template <class E>
void gather(void* lanes, const uint8_t* window, int64_t first, const void* index, uint32_t n) {
  int32_t* out = static_cast<int32_t*>(lanes);
  const int32_t* at = static_cast<const int32_t*>(index);
  const auto* x = reinterpret_cast<const typename E::Memory*>(window);
#pragma GCC ivdep
  for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(x[first + at[i]]);
}

template <class E>
void scatter(uint8_t* window, const void* lanes, int64_t first, const void* index, uint32_t n) {
  const int32_t* in = static_cast<const int32_t*>(lanes);
  const int32_t* at = static_cast<const int32_t*>(index);
  auto* x = reinterpret_cast<typename E::Memory*>(window);
  for (uint32_t i = 0; i < n; ++i) x[first + at[i]] = E::narrow(in[i]);
}

template <class E>
constexpr tfmbs::MoveFns moves_of() {
  return {load<E>, store<E>, gather<E>, scatter<E>};
}

inline tfmbs::MoveFns moves(tfmbs::abi::DType type) {
  using tfmbs::abi::DType;
  switch (type) {
    case DType::BOOL: return moves_of<Element<uint8_t, true>>();
    case DType::I8: return moves_of<Element<int8_t>>();
    case DType::U8: return moves_of<Element<uint8_t>>();
    case DType::I16: return moves_of<Element<int16_t>>();
    case DType::U16: return moves_of<Element<uint16_t>>();
    case DType::I32:
    case DType::U32:
    case DType::F32: return moves_of<Element<int32_t>>();
    default: return {};
  }
}

}  // namespace
