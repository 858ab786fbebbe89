// The parts of a group of vector programs, shared out among threads.
#pragma once

#include <memory>
#include <vector>

#include "context.h"

namespace tfmbs {

// Executes the parts as if in order: same bytes and counters with any number of workers. `bound` are the launches of
// the group; `machines` are kept for later groups, as are the `buffers` of the workers.
void share_group(const Group& group, const Bound* bound, const Kernels& kernels, Workers& workers,
                 std::vector<std::unique_ptr<Machine>>& machines, std::vector<std::unique_ptr<Worker>>& buffers,
                 LaunchCounters* counters, Clock::time_point start);

}  // namespace tfmbs
