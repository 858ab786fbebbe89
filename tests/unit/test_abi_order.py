"""The order of memory accesses: the verifier agrees with the definition, pair by pair, and its work is bounded."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.builder import Builder
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import NONE, RECORDS, Kind, PoolMode
from tfmbs.runtime.abi.types import DType, Region
from tfmbs.runtime.abi.verify import geometry

STATE_BYTES = 8


def _state_image(copies, waits):
    """An entry of COPYs (source, destination, length) inside STATE, each waiting for some before it."""
    b = Builder("order")
    row = {f.name: NONE if f.optional else 0 for f in RECORDS["state"].fields}
    b.image.states.append({**row, "name": b.string("state"), "bytes": STATE_BYTES})
    for number, (source, destination, length) in enumerate(copies):
        lhs, out = (b.tensor(f"t{at}", Region.STATE, DType.I8, (length,), offset=at) for at in (source, destination))
        b.launch(f"copy{number}", Kind.COPY, lhs=lhs, out=out, waits=waits[number])
    b.entry("main", [], [])
    return b.finish()


def _ordered(copies, waits):
    """By definition: of each two that touch the same byte, one writing, the later one waits for the earlier one."""
    after = [set() for _ in copies]
    for number, direct in enumerate(waits):
        after[number] = set(direct).union(*(after[wait] for wait in direct))
    for first, second in itertools.combinations(range(len(copies)), 2):
        reads, writes = [], []
        for source, destination, length in (copies[first], copies[second]):
            reads.append(set(range(source, source + length)))
            writes.append(set(range(destination, destination + length)))
        conflict = writes[0] & (reads[1] | writes[1]) or reads[0] & writes[1]
        if conflict and first not in after[second]:
            return False
    return True


@st.composite
def _programs(draw):
    copies, waits = [], []
    for number in range(draw(st.integers(1, 7))):
        length = draw(st.integers(1, 3))
        source = draw(st.integers(0, STATE_BYTES - length))
        places = [d for d in range(STATE_BYTES - length + 1) if abs(d - source) >= length]
        copies.append((source, draw(st.sampled_from(places)), length))
        likely = [number - 1] if number and draw(st.booleans()) else []
        others = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        waits.append(sorted({*likely, *others}))
    return copies, waits


@settings(max_examples=150)
@given(_programs())
def test_the_verifier_agrees_with_the_definition(program):
    image = _state_image(*program)
    data = image.to_bytes()
    if _ordered(*program):
        Image.from_buffer(data)
    else:
        with pytest.raises(TfmbsError, match="without waiting for"):
            Image.from_buffer(data)


def _chain(count):
    """Copies back and forth, each waiting for the one before it."""
    copies = [(4 * (i % 2), 4 * ((i + 1) % 2), 4) for i in range(count)]
    return _state_image(copies, [[i - 1] if i else [] for i in range(count)]).to_bytes()


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("order.MAX_ORDER_STEPS", 100, "steps to check the order of memory accesses, expected at most 100"),
        ("entries.MAX_DESCRIPTORS", 49, "descriptors, expected at most 49, got 50"),
        ("entries.MAX_REGION_BYTES", -1, "bytes of scratch, expected at most -1, got 0"),
    ],
)
def test_limits_are_kept(monkeypatch, limit, value, message):
    data = _chain(50)
    Image.from_buffer(data)
    monkeypatch.setattr(f"tfmbs.runtime.abi.verify.{limit}", value)
    with pytest.raises(TfmbsError, match=message) as caught:
        Image.from_buffer(data)
    assert caught.value.code == "resource-limit"


def test_serial_programs_cost_linear_steps(monkeypatch):
    monkeypatch.setattr("tfmbs.runtime.abi.verify.order.MAX_ORDER_STEPS", 10 * 1000)
    Image.from_buffer(_chain(1000))


_SIZES = st.integers(1, 7)


@given(_SIZES, _SIZES, _SIZES, st.integers(1, 3), st.integers(1, 7), st.integers(0, 9))
def test_windows_without_a_tap_are_found(size, kernel, count, stride, dilation, pad):
    if kernel > 1:
        dilation = min(dilation, size)
    g = {
        "in_height": size,
        "kernel_height": kernel,
        "out_height": count,
        "stride_height": stride,
        "dilation_height": dilation,
    }
    empty = [
        window
        for window in range(count)
        if not any(0 <= window * stride - pad + tap * dilation < size for tap in range(kernel))
    ]
    found = geometry._window_without_tap(g, "height", pad)
    assert (found is None) == (not empty)
    assert found is None or found in empty


def _pool_geometry(**changes):
    b = Builder("pool")
    x = b.tensor("x", Region.INPUT, DType.F32, (1, 1, 3, 3))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (1, 1, 1, 1))
    ones = dict.fromkeys(
        [
            "batch",
            "in_channels",
            "out_channels",
            "out_height",
            "out_width",
            "stride_height",
            "stride_width",
            "dilation_height",
            "dilation_width",
            "groups",
        ],
        1,
    )
    sizes = {
        **ones,
        "in_height": 3,
        "in_width": 3,
        "kernel_height": 2,
        "kernel_width": 2,
        "mode": PoolMode.MAX,
        **changes,
    }
    b.launch("pool", Kind.POOL, lhs=x, out=y, geometry=b.geometry("window_geometry", **sizes))
    b.entry("main", [x], [y])
    return b.finish().to_bytes()


def test_a_dilation_over_the_whole_input_is_refused():
    Image.from_buffer(_pool_geometry(dilation_height=3))
    with pytest.raises(TfmbsError, match="dilation of MAX, expected at most 3, got 4"):
        Image.from_buffer(_pool_geometry(dilation_height=4))


def test_operations_of_a_launch_are_limited(monkeypatch):
    data = _pool_geometry()
    monkeypatch.setattr(geometry, "MAX_LAUNCH_OPERATIONS", 3)
    with pytest.raises(TfmbsError, match="operations, expected at most 3, got 4"):
        Image.from_buffer(data)
