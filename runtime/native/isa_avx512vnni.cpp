// Products of integers compiled with -mavx512f -mavx512bw -mavx512vnni.
#include "tile.h"

namespace tfmbs {
extern const IntegerTiles tiles_avx512vnni;
const IntegerTiles tiles_avx512vnni = QUAD_TILES;
}  // namespace tfmbs
