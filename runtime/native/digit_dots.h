// Products of words of four digits and of four activations, added to sums that registers hold.
#pragma once

#include <cstring>

#include "octets.h"

#if defined(__AVX2__)
namespace {

// The word at `at` in all lanes.
inline VecI four_of(const uint8_t* at) {
  int32_t four;
  std::memcpy(&four, at, sizeof four);
  return broadcast_i(four);
}

// Sums are made where they are: GCC 12 moves them between registers, and to the stack, for every product.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#if defined(__AVX512VNNI__)
#define TFMBS_DOT "vpdpbusd"
#else
#define TFMBS_DOT "%{vex%} vpdpbusd"
#endif
constexpr size_t DOTS_TOGETHER = SIZE_MAX;
inline VecI dots_of(VecI digits, VecI a, VecI sums) {
  asm(TFMBS_DOT " %2, %1, %0" : "+v"(sums) : "v"(digits), "v"(a));
  return sums;
}
inline VecI words_of(VecI sums) { return sums; }
#else
// Sums of pairs wait in an i16, which holds 64 of them: each is at least 2 * 2 * -128 and at most 2 * 2 * 127.
constexpr size_t DOTS_TOGETHER = 64;
static_assert(DOTS_TOGETHER * 2 * 2 * 128 <= 1u << 15, "sums of pairs do not overflow");
inline VecI dots_of(VecI digits, VecI a, VecI sums) {
  asm("vpaddw %1, %0, %0" : "+v"(sums) : "v"(pairs_of(digits, a)));
  return sums;
}
inline VecI words_of(VecI sums) { return widen_pairs(sums); }
#endif

}  // namespace
#endif
