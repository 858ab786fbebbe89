// Choice of the kernel table at run time.
#include "error.h"
#include "kernels.h"

namespace tfmbs {

extern const Kernels kernels_baseline;
#if defined(TFMBS_X86)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

namespace {

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> sets{&kernels_baseline};
#if defined(TFMBS_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&kernels_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    sets.push_back(&kernels_avx512);
#endif
  return sets;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels* set : available()) names.emplace_back(set->name);
  return names;
}

const Kernels& kernels(const std::string& name) {
  const std::vector<const Kernels*> sets = available();
  if (name.empty()) return *sets.back();
  std::string known;
  for (const Kernels* set : sets) {
    if (name == set->name) return *set;
    known += (known.empty() ? "" : ", ") + std::string(set->name);
  }
  throw Error("device", "emulator", "instruction set '" + name + "' is not available here, expected one of " + known);
}

}  // namespace tfmbs
