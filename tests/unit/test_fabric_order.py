"""Waits between launches: every conflict is ordered, and no wait follows from the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tfmbs.passes.fabric.order import Order
from tfmbs.passes.fabric.tables import TensorKey
from tfmbs.runtime.abi.types import DType, Packing, Region

Launch = tuple[list[TensorKey], list[TensorKey]]


def span(offset: int, size: int, region: Region = Region.SCRATCH, slot: int = 0) -> TensorKey:
    return TensorKey(region, slot, offset, DType.I8, Packing.DENSE, (size,))


SPANS = st.builds(
    span,
    st.integers(0, 12),
    st.integers(1, 6),
    st.sampled_from([Region.SCRATCH, Region.OUTPUT, Region.WEIGHTS, Region.INPUT]),
    st.integers(0, 1),
)
LAUNCHES = st.lists(st.tuples(st.lists(SPANS, max_size=3), st.lists(SPANS, min_size=1, max_size=2)), max_size=12)


def conflict(a: Launch, b: Launch) -> bool:
    """Whether two launches touch the same bytes of memory that is written, one of them writing."""
    pairs = [(x, y) for x in a[0] + a[1] for y in b[1]] + [(x, y) for x in a[1] for y in b[0]]
    return any(x.overlaps(y) and x.region not in (Region.WEIGHTS, Region.INPUT) for x, y in pairs)


def before(waits: list[list[int]], launch: int) -> set[int]:
    """All launches that are complete before one starts."""
    return set(waits[launch]).union(*(before(waits, wait) for wait in waits[launch]))


@given(LAUNCHES)
def test_conflicts_are_ordered_and_waits_are_minimal(launches: list[Launch]) -> None:
    order = Order()
    waits = [order.add(reads, writes) for reads, writes in launches]
    for later, launch in enumerate(launches):
        assert waits[later] == sorted(waits[later])
        earlier = before(waits, later)
        assert all(other in earlier for other in range(later) if conflict(launches[other], launch))
        for wait in waits[later]:
            assert conflict(launches[wait], launch)
            assert all(wait not in before(waits, other) for other in waits[later] if other != wait)


def test_readers_do_not_wait_for_each_other() -> None:
    order = Order()
    assert order.add([], [span(0, 8)]) == []
    assert order.add([span(0, 8)], [span(8, 8)]) == [0]
    assert order.add([span(0, 8)], [span(16, 8)]) == [0]
    assert order.add([], [span(0, 4)]) == [1, 2]
    assert order.add([span(4, 4)], [span(32, 1)]) == [0]
