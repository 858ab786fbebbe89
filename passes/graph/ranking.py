"""Which of the plans that the search for schedules finds are good: fast ones, and almost as fast ones that are lean."""

from __future__ import annotations

from tfmbs.runtime.abi.movement.plan import Plan
from tfmbs.runtime.abi.movement.predicted import Prediction

Found = tuple[Plan, Prediction]

LEAST_GAIN = 200
"""A plan with fewer steps wins unless it is slower by more than one part in so many."""
LEAN_GAIN, LEAN_SHARE = 40, 0.8
"""Plans with at most this share of the external traffic of the fastest one win, the leanest and what comes near to it
first, unless they are slower by more than one part in so many: external bytes cost most energy."""
NEAR = 1.05


def lean(found: list[Found]) -> list[Found]:
    """The plans with about the least external traffic, where that is much less than that of the fastest."""
    fastest = min((prediction for _, prediction in found), key=lambda one: one.total_ps)
    near = [one for one in found if one[1].total_ps <= fastest.total_ps + fastest.total_ps // LEAN_GAIN]
    least = min(prediction.bounds.external for _, prediction in near)
    if least > LEAN_SHARE * fastest.bounds.external:
        return found
    return [one for one in near if one[1].bounds.external <= NEAR * least]


def fast(found: list[Found]) -> list[Found]:
    """Those about as fast as the fastest one."""
    fastest = min(prediction.total_ps for _, prediction in found)
    return [one for one in found if one[1].total_ps <= almost(fastest)]


def almost(total: int) -> int:
    """What counts as no slower than a plan of `total` picoseconds."""
    return total + total // LEAST_GAIN
