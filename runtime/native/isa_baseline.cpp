// Kernels for any processor. Without fused multiply-add hardware std::fma is a library call: slow and right.
#include "isa_set.h"

namespace tfmbs {
extern const Kernels kernels_baseline;
const Kernels kernels_baseline = kernel_table("baseline");
}  // namespace tfmbs
