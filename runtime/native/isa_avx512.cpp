// Kernels compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq.
#include "burn.h"
#include "isa_set.h"

namespace tfmbs {
extern const Kernels kernels_avx512;
const Kernels kernels_avx512 = kernel_table("avx512");
extern const Probes probes_avx512;
const Probes probes_avx512 = PROBES;
}  // namespace tfmbs
