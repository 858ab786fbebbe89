// Parts of vector programs, and poolings.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "kpu_jobs.h"

namespace tfmbs::kpu {

void Jobs::vector(const movement::Movement&, const int64_t*) { throw Error("device", "kpu", "it has no jobs of this kind"); }
void Jobs::pool(const movement::Movement&, const int64_t*) { throw Error("device", "kpu", "it has no jobs of this kind"); }

}  // namespace tfmbs::kpu
