// The probes of one instruction set; the including file, whose flags choose the instructions, names them.
#pragma once

#include "intrinsics.h"
#include "probes.h"
#include "simd.h"

namespace {

// More chains than the longest latency (5 cycles) times the instructions that begin in a cycle (2).
constexpr unsigned CHAINS = 12;

// trip(chain) makes the next value of a chain from its last one.
template <typename Vector, typename Trip>
inline uint32_t burn_chains(uint64_t trips, Vector start, const Trip& trip) {
  // Loops over chains are unrolled, and no address of one is taken: otherwise they lie in memory. Nothing finds that
  // they are equal.
  Vector chains[CHAINS];
#pragma GCC unroll 12
  for (unsigned c = 0; c < CHAINS; ++c) {
    Vector first = start;
    asm("" : "+m"(first));
    chains[c] = first;
  }
  for (uint64_t i = 0; i < trips; ++i) {
#pragma GCC unroll 12
    for (unsigned c = 0; c < CHAINS; ++c) chains[c] = trip(chains[c]);
  }
  uint32_t result = 0;
#pragma GCC unroll 12
  for (unsigned c = 0; c < CHAINS; ++c) {
    const Vector last = chains[c];
    uint32_t lane;
    std::memcpy(&lane, &last, sizeof lane);
    result ^= lane;
  }
  return result;
}

// x becomes 0.75 x + 0.25, which stays at 1: no infinity and no denormal slows the unit down.
uint32_t burn_f32(uint64_t trips) {
  const VecF a = broadcast_f(0.75f), b = broadcast_f(0.25f);
  return burn_chains(trips, broadcast_f(1.0f), [=](VecF x) { return fma_f(x, a, b); });
}

uint32_t burn_i8(uint64_t trips) {
  const VecI bytes = broadcast_i(0x01020301);
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
  return burn_chains(trips, zero_i(), [=](VecI x) { return dot_u8_i8(bytes, bytes, x); });
#elif defined(__AVX512BW__)
  return burn_chains(trips, bytes, [=](VecI x) { return _mm512_maddubs_epi16(x, bytes); });
#elif defined(__AVX2__)
  return burn_chains(trips, bytes, [=](VecI x) {
    asm("vpmaddubsw %1, %0, %0" : "+x"(x) : "x"(bytes));  // GCC 12 stores most chains where it chooses their registers
    return x;
  });
#else
  return burn_chains(trips, bytes, [=](VecI x) { return dot_i16(x, bytes, bytes); });
#endif
}

#if defined(__AVX512F__)
inline VecI mixed(VecI a, VecI b) { return _mm512_or_si512(a, b); }
#elif defined(__AVX2__)
inline VecI mixed(VecI a, VecI b) { return _mm256_or_si256(a, b); }
#endif

// What is read is mixed into several sums, so that no addition waits for the one before it.
uint64_t read_bytes(const uint8_t* bytes, size_t size) {
  constexpr size_t SUMS = 4;
  uint64_t sums[SUMS] = {};
  size_t at = 0;
#if defined(__AVX2__)
  constexpr size_t LINE = 64, STEP = SUMS * LINE, AHEAD = 4096;
  VecI wide[SUMS];
  for (VecI& sum : wide) sum = zero_i();
  for (; at + STEP <= size; at += STEP)
    for (size_t line = 0; line < SUMS; ++line) {
      const uint8_t* from = bytes + at + line * LINE;
      // Beyond the end a prefetch does nothing.
      _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(from) + AHEAD), _MM_HINT_T0);
      for (size_t part = 0; part < LINE; part += sizeof(VecI)) {
        wide[line] = mixed(wide[line], load_i(reinterpret_cast<const int32_t*>(from + part)));
      }
    }
  for (const VecI& sum : wide) {
    uint64_t first;
    std::memcpy(&first, &sum, sizeof first);
    sums[0] |= first;
  }
#endif
  for (; at + sizeof(uint64_t) * SUMS <= size; at += sizeof(uint64_t) * SUMS)
    for (size_t i = 0; i < SUMS; ++i) {
      uint64_t word;
      std::memcpy(&word, bytes + at + i * sizeof word, sizeof word);
      sums[i] |= word;
    }
  for (; at < size; ++at) sums[0] |= bytes[at];
  return sums[0] | sums[1] | sums[2] | sums[3];
}

#if defined(__AVX512F__)
#define TFMBS_WIDTH " zmm"
#elif defined(__AVX2__)
#define TFMBS_WIDTH " ymm"
#else
#define TFMBS_WIDTH " (portable)"
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr const char* I8_UNIT = "vpdpbusd" TFMBS_WIDTH;
constexpr uint64_t I8_MACS = 4 * LANES;
#elif defined(__AVX2__)
constexpr const char* I8_UNIT = "vpmaddubsw" TFMBS_WIDTH;
constexpr uint64_t I8_MACS = 4 * LANES;
#else
constexpr const char* I8_UNIT = "i16 pairs" TFMBS_WIDTH;
constexpr uint64_t I8_MACS = 2 * LANES;
#endif

constexpr tfmbs::Probes PROBES = {
    {"vfmadd" TFMBS_WIDTH, 2 * CHAINS * LANES, burn_f32}, {I8_UNIT, 2 * CHAINS * I8_MACS, burn_i8}, read_bytes};

}  // namespace
