// Kernels compiled with -mavx2 -mfma.
#include "isa_set.h"

namespace tfmbs {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = kernel_table("avx2");
}  // namespace tfmbs
