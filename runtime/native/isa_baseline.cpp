// Kernels for any processor. Without fused multiply-add hardware std::fma is a library call: slow and right.
#include "burn.h"
#include "isa_set.h"

namespace tfmbs {
extern const Kernels kernels_baseline;
const Kernels kernels_baseline = kernel_table("baseline");
extern const Probes probes_baseline;
const Probes probes_baseline = PROBES;
}  // namespace tfmbs
