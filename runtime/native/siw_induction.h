// Scalars that every turn of a loop adds the same number to: induction variables.
#pragma once

#include <cstdint>
#include <optional>

#include "siw_chain.h"

namespace tfmbs {

// What the turns add whose body is a chain, from the one that starts with these scalars on; nullopt where they do not
// add the same.
std::optional<Increments> increments_of(const Stretch& chain, const Action* actions, const int64_t* scalars);

// From what a turn adds to the scalars before an action to what it adds behind it. False where that is no one number.
bool follow_increments(const Action& action, const int64_t* scalars, Increments& increments);

}  // namespace tfmbs
