// Whether this process may use AMX.
#include <vector>

#include "amx_block.h"
#include "amx_unit.h"

#if defined(TFMBS_X86) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tfmbs {
namespace {

#if defined(TFMBS_X86) && defined(__linux__)
uint64_t saved_states() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool is_permitted() {
  constexpr unsigned OSXSAVE = 1u << 27, AMX_TILE = 1u << 24, AMX_INT8 = 1u << 25;
  constexpr uint64_t TILE_STATES = 3u << 17;
  constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX_TILE) == 0 || (d & AMX_INT8) == 0) return false;
  if ((saved_states() & TILE_STATES) != TILE_STATES) return false;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
bool agrees_with_model() {
  constexpr unsigned ROWS = 2 * AMX_ROWS;
  constexpr size_t WORDS = 3 * AMX_STEPS / 2;  // one step and a part of one
  std::vector<uint32_t> a(2 * AMX_STEPS * ROWS), b(WORDS * AMX_COLUMNS);
  uint32_t state = 1;
  for (std::vector<uint32_t>* words : {&a, &b})
    for (uint32_t& word : *words) word = state = state * 1664525u + 1013904223u;
  std::vector<int32_t> expected(ROWS * AMX_COLUMNS, 7), got = expected;
  amx_model(ROWS, WORDS, a.data(), b.data(), expected.data(), AMX_COLUMNS);
  amx_processor(ROWS, WORDS, a.data(), b.data(), got.data(), AMX_COLUMNS);
  return expected == got;
}
#endif

}  // namespace

bool has_amx() {
#if defined(TFMBS_X86) && defined(__linux__)
  static const bool found = is_permitted() && agrees_with_model();
  return found;
#else
  return false;
#endif
}

}  // namespace tfmbs
