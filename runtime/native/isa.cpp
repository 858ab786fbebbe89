// Choice of the kernel table at run time.
#include "amx_unit.h"
#include "error.h"
#include "kernels.h"

namespace tfmbs {

extern const Kernels kernels_baseline;
#if defined(TFMBS_X86)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const IntegerTiles tiles_avxvnni;
extern const IntegerTiles tiles_avx512vnni;
extern const QuadFns quads_avx512vnni;
extern const NibbleTiles nibbles_avxvnni;
extern const NibbleTiles nibbles_avx512vnni;
extern const StripFns strips_avx512vnni;
extern const LookUps look_ups_avx512vbmi;
#endif

namespace {

#if defined(TFMBS_X86)
// A set that differs from another one in the products of integers.
Kernels with_tiles(Kernels set, const char* name, const IntegerTiles& tiles, const NibbleTiles& nibbles) {
  set.name = name;
  set.integers = tiles;
  set.nibbles = nibbles;
  return set;
}

bool has_vbmi() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vbmi");
}

// AVX-512 with VNNI, and look-ups where the processor has them.
Kernels with_vnni(const char* name, bool looks_up) {
  Kernels set = with_tiles(kernels_avx512, name, tiles_avx512vnni, nibbles_avx512vnni);
  set.quads = quads_avx512vnni;
  if (looks_up) {
    set.integers.trits = look_ups_avx512vbmi.trits;
    set.integers.strips.few = look_ups_avx512vbmi.few;
  }
  return set;
}

// AVX-512 with VNNI, which the processors with AMX have, too, and blocks of matrices.
Kernels with_amx(const char* name, TileFn tile, const AmxStrips& own, QuadWindowFn window) {
  Kernels set = with_vnni(name, has_vbmi());
  StripFns strips = strips_avx512vnni;
  strips.trits = own.trits;
  strips.few = own.few;
  set.integers.strips = strips;
  set.blocks = {AMX_BLOCK_ROWS, AMX_ROW_GROUP, AMX_WORDS, tile};
  set.quads.window = window;
  set.quads.many_taps = true;
  set.quads.narrow = nullptr;
  return set;
}

bool has_avx512vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

std::vector<const Kernels*> modelled() {
#if defined(TFMBS_X86)
  static const Kernels amx = with_amx("amx-model", amx_model, amx_model_strips, amx_model_window);
  static const Kernels plain = with_vnni("avx512vnni-no-vbmi", false);
  if (has_avx512vnni() && has_vbmi()) return {&amx, &plain};
  if (has_avx512vnni()) return {&amx};
#endif
  return {};
}

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> sets{&kernels_baseline};
#if defined(TFMBS_X86)
  static const Kernels vnni = with_vnni("avx512vnni", has_vbmi());
  static const Kernels avxvnni = with_tiles(kernels_avx2, "avxvnni", tiles_avxvnni, nibbles_avxvnni);
  static const Kernels amx = with_amx("amx", amx_processor, amx_processor_strips, amx_processor_window);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(&kernels_avx2);
    if (__builtin_cpu_supports("avxvnni")) sets.push_back(&avxvnni);
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    sets.push_back(&kernels_avx512);
  }
  if (has_avx512vnni()) {
    sets.push_back(&vnni);
    if (has_amx()) sets.push_back(&amx);
  }
#endif
  return sets;
}

std::vector<std::string> names_of(const std::vector<const Kernels*>& sets) {
  std::vector<std::string> names;
  for (const Kernels* set : sets) names.emplace_back(set->name);
  return names;
}

}  // namespace

std::vector<std::string> instruction_sets() { return names_of(available()); }
std::vector<std::string> modelled_sets() { return names_of(modelled()); }

const Kernels& kernels(const std::string& name) {
  const std::vector<const Kernels*> sets = available();
  if (name.empty()) return *sets.back();
  for (const Kernels* set : modelled())
    if (name == set->name) return *set;
  std::string known;
  for (const Kernels* set : sets) {
    if (name == set->name) return *set;
    known += (known.empty() ? "" : ", ") + std::string(set->name);
  }
  throw Error("device", "emulator", "instruction set '" + name + "' is not available here, expected one of " + known);
}

}  // namespace tfmbs
