#include "siw_order.h"

namespace tfmbs {
namespace {

constexpr std::array<std::array<uint8_t, DATA_SLOTS>, 6> ORDERS{
    {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
constexpr std::array<uint8_t, 8> STAGINGS{0, 1, 2, 4, 3, 5, 6, 7};  // by the number of staged slots

// Whether `later` may be executed after `earlier`.
bool may_follow(const SlotUse& earlier, bool staged, const SlotUse& later) {
  if (earlier.writes & later.reads && !staged) return false;
  return !(earlier.stores && later.loads);
}

bool is_valid(const SlotUses& uses, const SlotOrder& order) {
  for (unsigned i = 0; i < DATA_SLOTS; ++i) {
    const unsigned slot = order.slots[i];
    const bool staged = order.staged >> slot & 1u;
    if (uses[slot].overlaps && !staged) return false;
    for (unsigned j = i + 1; j < DATA_SLOTS; ++j) {
      const SlotUse& later = uses[order.slots[j]];
      if (!may_follow(uses[slot], staged, later)) return false;
      if (uses[slot].stores && later.stores && slot > order.slots[j]) return false;
    }
  }
  return true;
}

}  // namespace

SlotOrder order_of(const SlotUses& uses) {
  for (const uint8_t staged : STAGINGS)
    for (const auto& slots : ORDERS)
      if (is_valid(uses, {slots, staged})) return {slots, staged};
  return {ORDERS[0], STAGINGS.back()};  // not reached: with all slots staged, loads before stores is valid
}

}  // namespace tfmbs
