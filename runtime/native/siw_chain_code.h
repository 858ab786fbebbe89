// Machine code for chains.
#pragma once

#include <cstddef>
#include <optional>

#include "jit_x86.h"
#include "siw_chain_nodes.h"

namespace tfmbs {

// Appends a StretchFn. Returns where it starts; nullopt where there is not room enough for its values.
std::optional<size_t> code_of(const Nodes& nodes, Assembler& assembler);

}  // namespace tfmbs
