// Products of integers compiled with -mavx512f -mavx512bw -mavx512vnni.
#include "burn.h"
#include "quad_window.h"
#include "tile_nibbles.h"
#include "trit_strips.h"

namespace tfmbs {
extern const IntegerTiles tiles_avx512vnni;
const IntegerTiles tiles_avx512vnni = QUAD_TILES;
extern const QuadFns quads_avx512vnni;
const QuadFns quads_avx512vnni = QUAD_FNS;
extern const NibbleTiles nibbles_avx512vnni;
const NibbleTiles nibbles_avx512vnni = NIBBLE_TILES;
// What a unit for matrices has from this set.
extern const StripFns strips_avx512vnni;
const StripFns strips_avx512vnni = {256, 32, nullptr, MOST_FEW, nullptr, strip_trits, strip_residues};
extern const Probes probes_avx512vnni;
const Probes probes_avx512vnni = PROBES;
}  // namespace tfmbs
