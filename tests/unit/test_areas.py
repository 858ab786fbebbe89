"""Users of bytes: sets of bytes against Python's, areas against a list of users for each byte."""

from hypothesis import given
from hypothesis import strategies as st

from tfmbs.runtime.abi.movement.areas import Area
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.intervals import Intervals
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.memory import Space
from tfmbs.runtime.abi.movement.program import Program, What
from tfmbs.runtime.abi.target_file import load_target

SIZE = 64
SPANS = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(lambda s: (s[0], min(SIZE, s[0] + s[1])))
STEPS = st.lists(st.tuples(st.booleans(), SPANS), max_size=20)


@given(STEPS, SPANS)
def test_intervals_are_sets_of_bytes(steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]) -> None:
    intervals, expected = Intervals(), set[int]()
    for adds, (low, high) in steps:
        (intervals.add if adds else intervals.remove)(low, high)
        (expected.update if adds else expected.difference_update)(range(low, high))
        found = list(intervals)
        assert {byte for a, b in found for byte in range(a, b)} == expected
        assert found == sorted(found)
        assert all(a < b for a, b in found)
        assert intervals.bytes == len(expected)
    within = {byte for a, b in intervals.within(*asked) for byte in range(a, b)}
    assert within == expected & set(range(*asked))
    copied = intervals.copy()
    copied.add(0, SIZE)
    assert intervals.bytes == len(expected)


@given(STEPS, STEPS)
def test_areas_know_the_users_of_each_byte(
    earlier: list[tuple[bool, tuple[int, int]]], later: list[tuple[bool, tuple[int, int]]]
) -> None:
    """What an earlier launch did comes before writes only. Of movements of a queue, the last stands for all."""
    program = Program(Machine.of(load_target("kpu-16x16")))
    engine = program.machine.first(EngineKind.VECTOR)
    space = Space(program, Memory.L2, SIZE)
    writers: list[set[int]] = [set() for _ in range(SIZE)]
    readers: list[set[int]] = [set() for _ in range(SIZE)]
    for steps in (earlier, later):
        space.reset()
        area = Area(space, SIZE)
        readers = [own | other for own, other in zip(writers, readers, strict=True)]
        writers = [set() for _ in range(SIZE)]
        for number, (writes, (low, high)) in enumerate(steps):
            before = area.before(area.address + low, area.address + high, writes=writes)
            expected = set().union(*writers[low:high], *(readers[low:high] if writes else ()))
            assert set(before) <= expected
            assert program.last_of_queues(before) == program.last_of_queues(expected)
            movement = program.add(Op.CLEAR, engine, 0, 1, [], What(outbound=number % 3 == 0))
            area.note(area.address + low, area.address + high, movement, writes=writes)
            for byte in range(low, high):
                if writes:
                    writers[byte], readers[byte] = {movement}, set()
                else:
                    readers[byte].add(movement)
