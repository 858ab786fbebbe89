// Blocks of integer products on AMX, and on a model of its tiles, which has the same packing and blocking.
#pragma once

#include "kernels.h"

namespace tfmbs {

constexpr unsigned AMX_BLOCK_ROWS = 32, AMX_ROW_GROUP = 16, AMX_WORDS = 16;  // as BlockTiles has them

extern const TileFn amx_processor;
extern const TileFn amx_model;
extern const QuadWindowFn amx_processor_window;
extern const QuadWindowFn amx_model_window;

// Those of `StripFns` that use the unit.
struct AmxStrips {
  StripFn trits;
  void (*few)(const FewRows& few);
};
extern const AmxStrips amx_processor_strips;
extern const AmxStrips amx_model_strips;

// Whether this process may use AMX for integers: the processor has it, the system saves tiles and gives permission, and
// one block has the sums of the model.
bool has_amx();

}  // namespace tfmbs
