"""Vector code of loop nests, run by the interpreter of the conformance suite against the nest's own meaning."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.siw_unscheduled import run_unscheduled
from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.codegen import epilogue_code, vector_code
from tfmbs.passes.siw.machine import ZERO, Code, instructions
from tfmbs.passes.siw.nest import Access, Carried, Compute, Gather, Index, Nest
from tfmbs.passes.siw.simplify import simplify
from tfmbs.runtime.abi.types import DType

F32, I32 = DType.F32, DType.I32
Words = NDArray[np.int32]


def dense(extents: tuple[int, ...], dims: tuple[int, ...], window: int, dtype: DType = I32) -> Access:
    """A dense array over some of the loops, as an access."""
    strides, step = [0] * len(extents), 1
    for d in reversed(dims):
        strides[d], step = step, step * extents[d]
    return Access(window, dtype, 0, tuple(strides))


def random(size: int, seed: int = 0) -> Words:
    return np.random.default_rng(seed).integers(-100, 100, size).astype(np.int32)


def expected_sum(nest: Nest, x: Words, y: Words, out: Words) -> Words:
    """out[…] += x[…] * y[…] + first index, in integers."""
    result = out.copy()
    for index in product(*map(range, nest.extents)):
        a, b, o = (
            access.offset + sum(i * s for i, s in zip(index, access.strides, strict=True)) for access in nest.accesses
        )
        result[o] += x[a] * y[b] + (index[0] if index else 0)
    return result


def sum_nest(extents: tuple[int, ...], reduction: tuple[bool, ...], maps: list[tuple[int, ...]]) -> Nest:
    outputs = tuple(d for d in range(len(extents)) if not reduction[d])
    body = (
        dense(extents, maps[0], 0),
        dense(extents, maps[1], 1),
        Compute("MUL", I32, (0, 1)),
        Index(I32, 0, tuple(int(d == 0) for d in range(len(extents)))),
        Compute("ADD", I32, (2, 3)),
        Carried(0),
        Compute("ADD", I32, (5, 4)),
    )
    return Nest(extents, reduction, body, (dense(extents, outputs, 2),), (6,), 3)


@st.composite
def nests(draw: st.DrawFn) -> Nest:
    rank = draw(st.integers(0, 4))
    extents = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 16, 17]), min_size=rank, max_size=rank)))
    while prod(extents) > 1200:
        extents = tuple(max(1, extent // 2) for extent in extents)
    reduction = tuple(draw(st.lists(st.booleans(), min_size=rank, max_size=rank)))
    chosen = st.lists(st.sampled_from(range(rank)), unique=True) if rank else st.just([])
    maps = [tuple(draw(st.permutations(draw(chosen)))) for _ in range(2)]
    return sum_nest(extents, reduction, maps)


@settings(max_examples=60)
@given(nests())
def test_any_nest(nest: Nest) -> None:
    sizes = [1 + sum((e - 1) * s for e, s in zip(nest.extents, a.strides, strict=True)) for a in nest.accesses]
    windows = [random(size, seed) for seed, size in enumerate(sizes)]
    expected = expected_sum(nest, *windows)
    run_unscheduled(vector_code(nest), windows)
    np.testing.assert_array_equal(windows[2], expected)


@pytest.mark.parametrize("extent", [1, 511, 512, 513, 1024, 1300])
def test_strips(extent: int) -> None:
    nest = Nest((extent,), (False,), (dense((extent,), (0,), 0), Compute("NEG", I32, (0,))), (), (), 2)
    nest = replace(nest, outputs=(dense((extent,), (0,), 1),), yields=(1,))
    source, target = random(extent), np.zeros(extent, np.int32)
    run_unscheduled(vector_code(nest), [source, target])
    np.testing.assert_array_equal(target, -source)


@pytest.mark.parametrize("offset", [0, 65535, 65536, 200_000])
def test_offsets(offset: int) -> None:
    body = (Access(0, I32, offset, (2,)), Access(0, I32, offset + 1, (2,)), Compute("SUB", I32, (0, 1)))
    source, target = random(offset + 40), np.zeros(20, np.int32)
    run_unscheduled(vector_code(Nest((20,), (False,), body, (Access(1, I32, 0, (1,)),), (2,), 2)), [source, target])
    np.testing.assert_array_equal(target, source[offset:][::2] - source[offset:][1::2])


def test_sum_of_a_matrix_in_sixteen_partials() -> None:
    """The order that the contract writes down, for f32, where it shows."""
    values = (np.random.default_rng(1).standard_normal(700) * 1000).astype(np.float32)
    partials = np.zeros(16, np.float32)
    for i, value in enumerate(values):
        partials[i % 16] += value
    for half in (8, 4, 2, 1):
        partials[:half] += partials[half : 2 * half]
    body = (Access(0, F32, 0, (70, 1)), Carried(0), Compute("ADD", F32, (1, 0)))
    target = np.array([0.5], np.float32)
    nest = Nest((10, 70), (True, True), body, (Access(1, F32, 0, (0, 0)),), (2,), 2)
    run_unscheduled(vector_code(nest), [values, target])
    assert target[0] == np.float32(0.5) + partials[0]


def test_gather() -> None:
    body = (Access(0, I32, 0, (1,)), Gather(Access(1, I32, 0, (0,)), 0))
    order, source, target = (
        np.random.default_rng(0).permutation(600).astype(np.int32),
        random(600),
        np.zeros(600, np.int32),
    )
    run_unscheduled(
        vector_code(Nest((600,), (False,), body, (Access(2, I32, 0, (1,)),), (1,), 3)), [order, source, target]
    )
    np.testing.assert_array_equal(target, source[order])


def test_swapped_accumulators() -> None:
    """Values that change places between two outputs: neither may be written before it is read."""
    body = (Carried(0), Carried(1), Access(0, I32, 0, (0, 1)), Compute("ADD", I32, (1, 2)))
    outputs = (Access(1, I32, 0, (1, 0)), Access(2, I32, 0, (1, 0)))
    nest = Nest((4, 3), (False, True), body, outputs, (3, 0), 3)
    source, a, b = random(3), random(4, 1), random(4, 2)
    x, y = a.copy(), b.copy()
    for value in source:
        x, y = y + value, x
    run_unscheduled(vector_code(nest), [source, a, b])
    np.testing.assert_array_equal((a, b), (x, y))


def test_simplify_collapses_and_orders() -> None:
    nest = Nest((3, 1, 4, 5), (False,) * 4, (dense((3, 1, 4, 5), (0, 1, 2, 3), 0),), (), (0,), 2)
    nest = replace(nest, outputs=(dense((3, 1, 4, 5), (0, 1, 2, 3), 1),))
    assert simplify(nest).extents == (60,)
    turned = replace(nest, outputs=(Access(1, I32, 0, (1, 0, 3, 12)),))
    assert simplify(turned).extents == (5, 4, 3)


@pytest.mark.parametrize(
    "value", [0, 1, -1, 65535, 65536, -65536, -65537, 1 << 40, -(1 << 40), (1 << 63) - 1, -(1 << 63)]
)
def test_immediates(value: int) -> None:
    asm = Assembler()
    register = asm.scalar()
    asm.items.extend(asm.immediate(register, value))
    asm.set_vl(1)
    vector = asm.vector(wide=True)
    asm.emit("S", "INDEX", type=int(DType.I64), reg=vector, base=register, index=ZERO)
    asm.emit("S", "ST", type=int(DType.I64), reg=vector, win=0, base=ZERO, index=ZERO)
    target = np.zeros(1, np.int64)
    run_unscheduled(Code(asm.finish(), 1), [target])
    assert target[0] == value


@pytest.mark.parametrize("reductions", [0, 4, 9])
def test_more_dimensions_than_loops(reductions: int) -> None:
    """Some dimensions share a hardware loop."""
    extents = (3, *(2,) * 8, 3, 2)
    strides = (*(5 * 3**d for d in range(10)), 1)
    reduction = tuple(d >= len(extents) - reductions for d in range(len(extents)))
    body = (Access(0, I32, 0, strides), Carried(0), Compute("MUL", I32, (0, 1)), Compute("XOR", I32, (2, 0)))
    kept = tuple(d for d in range(len(extents)) if not reduction[d])
    nest = Nest(extents, reduction, body, (dense(extents, kept, 1),), (3,), 2)
    source = random(1 + sum((e - 1) * s for e, s in zip(extents, strides, strict=True)))
    target = np.ones(prod(extents[d] for d in kept), np.int32)
    expected = target.copy()
    for index in product(*map(range, extents)):
        a, o = (sum(i * s for i, s in zip(index, access.strides, strict=True)) for access in nest.accesses)
        expected[o : o + 1] = (source[a] * expected[o : o + 1]) ^ source[a]
    run_unscheduled(vector_code(nest), [source, target])
    np.testing.assert_array_equal(target, expected)


def test_mixed_reductions() -> None:
    """A sum by partials beside a product in ascending order and a maximum."""
    values = np.random.default_rng(3).standard_normal(100).astype(np.float32)
    kinds = ("ADD", "MUL", "MAX")
    body = (
        Access(0, F32, 0, (1,)),
        *map(Carried, range(3)),
        *(Compute(k, F32, (1 + i, 0)) for i, k in enumerate(kinds)),
    )
    outputs = tuple(Access(1 + i, F32, 0, (0,)) for i in range(3))
    targets = [np.array([0.5], np.float32) for _ in range(3)]
    run_unscheduled(vector_code(Nest((100,), (True,), body, outputs, (4, 5, 6), 4)), [values, *targets])
    product = np.float32(0.5)
    for value in values:
        product *= value
    partials = np.zeros(16, np.float32)
    for i, value in enumerate(values):
        partials[i % 16] += value
    for half in (8, 4, 2, 1):
        partials[:half] += partials[half : 2 * half]
    assert [target[0] for target in targets] == [np.float32(0.5) + partials[0], product, max(values.max(), 0.5)]


def test_epilogue_result_is_in_register_0() -> None:
    body = (Carried(0), Access(0, F32, 0, (0, 1)), Access(1, F32, 0, (0, 0)))
    code = epilogue_code(Nest((0, 0), (False, False), body, (), (1,), 2), 0)
    written = [instr.writes for instr in instructions(code.items)]
    assert written[-1] is not None
    assert written[-1].fixed == 0
    assert [instr.op.name for instr in instructions(code.items)] == ["LD", "MOV"]
