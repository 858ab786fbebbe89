// Products of integers compiled with -mavx2 -mfma -mavxvnni.
#include "tile.h"

namespace tfmbs {
extern const IntegerTiles tiles_avxvnni;
const IntegerTiles tiles_avxvnni = QUAD_TILES;
}  // namespace tfmbs
