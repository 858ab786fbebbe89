#include "siw_induction.h"

#include <algorithm>
#include <cstring>

#include "siw_flow.h"

namespace tfmbs {

bool follow_increments(const Action& action, const int64_t* scalars, Increments& increments) {
  using Kind = Action::Kind;
  const uint64_t base = increments[action.base], index = increments[action.index];
  uint64_t& target = increments[action.target];
  switch (action.kind) {
    case Kind::LI: target = 0; return true;
    case Kind::LIH: return target == 0;
    case Kind::ADDI: target = base; return true;
    case Kind::SADD: target = base + index; return true;
    case Kind::SSUB: target = base - index; return true;
    case Kind::SMUL:
      if (base && index) return false;
      target = base * raw(scalars[action.index]) + raw(scalars[action.base]) * index;
      return true;
    case Kind::SMIN:
    case Kind::SMAX: target = 0; return base == 0 && index == 0;
    case Kind::LATCH: increments[LATCHED] = base; return true;
    default: return false;
  }
}

std::optional<Increments> increments_of(const Stretch& chain, const Action* actions, const int64_t* scalars) {
  int64_t now[abi::SCALAR_REGISTERS + 1];
  const auto each = [&](auto visit) {
    std::memcpy(now, scalars, sizeof now);
    Flow unused;
    return std::all_of(chain.items.begin(), chain.items.end(), [&](const Stretch::Item& item) {
      if (item.kind != Stretch::Item::Kind::SCALAR) return true;
      const bool goes_on = visit(actions[item.action]);
      follow(actions[item.action], actions, now, unused);
      return goes_on;
    });
  };
  each([](const Action&) { return true; });
  Increments found{};
  for (const uint8_t scalar : chain.counted) found[scalar] = raw(now[scalar]) - raw(scalars[scalar]);
  // Should this turn start from scalars that are ahead by these numbers, the next one would, too.
  Increments after = found;
  const bool even = each([&](const Action& action) { return follow_increments(action, now, after); });
  if (!even || after != found) return std::nullopt;
  return found;
}

}  // namespace tfmbs
