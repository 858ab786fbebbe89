// Moves between operand windows and lanes, per element type of the window.
#pragma once

#include "abi.gen.h"
#include "independent.h"
#include "kernels.h"
#include "lane_bits.h"
#include "small_floats.h"

namespace {

// Memory form and lane form of one element type; floats travel as their bits.
template <class Stored>
struct Plain {
  using Memory = Stored;
  using Lane = std::conditional_t<sizeof(Stored) == 8, uint64_t, uint32_t>;
  static Lane widen(Memory x) { return static_cast<Lane>(x); }
  static Memory narrow(Lane lane) { return static_cast<Memory>(lane); }
};
struct Truth {
  using Memory = uint8_t;
  using Lane = uint32_t;
  static Lane widen(Memory x) { return x != 0; }
  static Memory narrow(Lane lane) { return lane != 0; }
};
template <class Format>
struct Small {
  using Memory = uint16_t;
  using Lane = uint32_t;
  static Lane widen(Memory x) { return Format::widen(x); }
  static Memory narrow(Lane lane) { return Format::narrow(lane); }
};

// The address of an element that may lie outside, of accesses that add an index to it.
template <class T, class Byte>
T* element(Byte* window, int64_t first) {
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(window) + static_cast<uint64_t>(first) * sizeof(T));
}

// Lanes of computed elements take two loops, of which the second vectorizes.
template <class E>
constexpr bool is_computed = std::is_same_v<E, Small<F16>> || std::is_same_v<E, Small<BF16>>;

template <class E, class Place>
void load_each(typename E::Lane* out, uint32_t n, Place place) {
  if constexpr (is_computed<E>) {
    typename E::Memory elements[tfmbs::abi::VLMAX];
    for (uint32_t i = 0; i < n; ++i) elements[i] = place(i);
    for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(elements[i]);
  } else {
TFMBS_INDEPENDENT
    for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(place(i));
  }
}

template <class E, class Place>
void store_each(const typename E::Lane* in, uint32_t n, Place place) {
  if constexpr (is_computed<E>) {
    typename E::Memory elements[tfmbs::abi::VLMAX];
    for (uint32_t i = 0; i < n; ++i) elements[i] = E::narrow(in[i]);
    for (uint32_t i = 0; i < n; ++i) place(i) = elements[i];
  } else {
    for (uint32_t i = 0; i < n; ++i) place(i) = E::narrow(in[i]);
  }
}

template <class E, int Stride>
void load_by(typename E::Lane* out, const typename E::Memory* x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) out[i] = E::widen(x[static_cast<int64_t>(i) * Stride]);
}

template <class E>
void load(void* lanes, const uint8_t* window, int64_t first, int64_t stride, uint32_t n) {
  auto* out = static_cast<typename E::Lane*>(lanes);
  const auto* x = element<const typename E::Memory>(window, first);
  switch (stride) {
    case 1: return load_by<E, 1>(out, x, n);
    case 2: return load_by<E, 2>(out, x, n);
    case -1: return load_by<E, -1>(out, x, n);
    case 0: {
      const typename E::Lane value = E::widen(*x);
      for (uint32_t i = 0; i < n; ++i) out[i] = value;
      return;
    }
    default: load_each<E>(out, n, [=](uint32_t i) { return x[static_cast<int64_t>(i) * stride]; });
  }
}

template <class E>
void store(uint8_t* window, const void* lanes, int64_t first, int64_t stride, uint32_t n) {
  const auto* in = static_cast<const typename E::Lane*>(lanes);
  auto* x = element<typename E::Memory>(window, first);
  switch (stride) {
    case 1:
      for (uint32_t i = 0; i < n; ++i) x[i] = E::narrow(in[i]);
      return;
    case -1:
      for (uint32_t i = 0; i < n; ++i) x[-static_cast<int64_t>(i)] = E::narrow(in[i]);
      return;
    case 0: *x = E::narrow(in[n - 1]); return;
    default: store_each<E>(in, n, [=](uint32_t i) -> auto& { return x[static_cast<int64_t>(i) * stride]; });
  }
}

// What finds element `first + at[i]`; the sum wraps. Indices of 32 bits are added to an address, which vectorizes;
// those of 64 bits may be so large that only the sum is a distance.
template <class T, class Index, class Byte>
auto indexed(Byte* window, int64_t first, const Index* at) {
  if constexpr (sizeof(Index) == sizeof(int64_t)) {
    T* const x = element<T>(window, 0);
    const auto from = static_cast<uint64_t>(first);
    return [=](uint32_t i) -> T& { return x[static_cast<int64_t>(from + static_cast<uint64_t>(at[i]))]; };
  } else {
    T* const x = element<T>(window, first);
    return [=](uint32_t i) -> T& { return x[at[i]]; };
  }
}

template <class E, class Index>
void gather(void* lanes, const uint8_t* window, int64_t first, const void* index, uint32_t n) {
  const auto place = indexed<const typename E::Memory>(window, first, static_cast<const Index*>(index));
  load_each<E>(static_cast<typename E::Lane*>(lanes), n, place);
}

template <class E, class Index>
void scatter(uint8_t* window, const void* lanes, int64_t first, const void* index, uint32_t n) {
  const auto place = indexed<typename E::Memory>(window, first, static_cast<const Index*>(index));
  store_each<E>(static_cast<const typename E::Lane*>(lanes), n, place);
}

template <class E>
constexpr tfmbs::MoveFns moves_of() {
  return {load<E>, store<E>, gather<E, int32_t>, scatter<E, int32_t>, gather<E, int64_t>, scatter<E, int64_t>};
}

inline tfmbs::MoveFns moves(tfmbs::abi::DType type) {
  using tfmbs::abi::DType;
  switch (type) {
    case DType::BOOL: return moves_of<Truth>();
    case DType::I8: return moves_of<Plain<int8_t>>();
    case DType::U8: return moves_of<Plain<uint8_t>>();
    case DType::I16: return moves_of<Plain<int16_t>>();
    case DType::U16: return moves_of<Plain<uint16_t>>();
    case DType::I32:
    case DType::U32:
    case DType::F32: return moves_of<Plain<uint32_t>>();
    case DType::I64:
    case DType::U64:
    case DType::F64: return moves_of<Plain<uint64_t>>();
    case DType::F16: return moves_of<Small<F16>>();
    case DType::BF16: return moves_of<Small<BF16>>();
    case DType::TRIT:
    case DType::I4: return {};
  }
  return {};
}

}  // namespace
