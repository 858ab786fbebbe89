// Kernels compiled with -mavx2 -mfma.
#include "burn.h"
#include "isa_set.h"

namespace tfmbs {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = kernel_table("avx2");
extern const Probes probes_avx2;
const Probes probes_avx2 = PROBES;
}  // namespace tfmbs
