// Products of integers compiled with -mavx2 -mfma -mavxvnni.
#include "burn.h"
#include "tile_nibbles.h"

namespace tfmbs {
extern const IntegerTiles tiles_avxvnni;
const IntegerTiles tiles_avxvnni = QUAD_TILES;
extern const NibbleTiles nibbles_avxvnni;
const NibbleTiles nibbles_avxvnni = NIBBLE_TILES;
extern const Probes probes_avxvnni;
const Probes probes_avxvnni = PROBES;
}  // namespace tfmbs
