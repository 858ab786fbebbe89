"""Types and attributes as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.dialect import types
from tfmbs.dialect.attributes import Dataflow, Schedule, read_schedule, read_tile_mask
from tfmbs.dialect.base import VerifyError
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing


@pytest.fixture(autouse=True)
def mlir() -> Iterator[Any]:
    with context() as mlir_context, ir.Location.unknown():
        yield mlir_context


@pytest.mark.parametrize("packing", [Packing.I8, Packing.PT5, Packing.T2])
def test_ternary_types_name_their_packing(packing: Packing) -> None:
    type_ = types.ternary(packing)
    assert type_ == types.ternary(packing.name.lower()) == ir.Type.parse(f'!tfmbs.ternary<"{packing.name.lower()}">')
    assert types.is_ternary(type_)
    assert types.packing_of(type_) is packing
    assert types.storage_type(type_) == ir.IntegerType.get_signless(8)


def test_packings_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="packing of trits: expected one of i8, pt5, t2, s2, s4, r5, a5, got dense"):
        types.ternary(Packing.DENSE)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 7), (2, 3, 3, 2)])
@pytest.mark.parametrize("packing", [Packing.PT5, Packing.T2, Packing.I8, Packing.R5, Packing.A5])
def test_stored_shapes_are_those_of_the_codec(shape: tuple[int, ...], packing: Packing) -> None:
    rows = np.zeros((shape[0], int(np.prod(shape[1:]))), np.int8)
    stored = types.storage_shape(shape, types.ternary(packing))
    assert np.prod(stored) == pack_rows(rows, packing).nbytes
    assert packing is Packing.I8 or stored == pack_rows(rows, packing).shape


def test_dense_elements_are_stored_as_they_are() -> None:
    q = types.quantized(0.5, 3)
    assert types.storage_shape((2, 3), q) == (2, 3)
    assert types.storage_type(q) == ir.IntegerType.get_signless(8)
    assert types.storage_type(ir.F32Type.get()) == ir.F32Type.get()
    assert types.packing_of(q) is Packing.DENSE


def test_quantized_types_as_plain_values() -> None:
    activation, weight = types.quantized(0.5, 3), types.quantized_per_axis([1.0, 0.25], axis=1, low=-127)
    assert (types.is_quantized(activation), types.is_per_axis(activation)) == (True, False)
    assert (types.scales_of(activation), types.zero_points_of(activation)) == ((0.5,), (3,))
    assert types.storage_bounds(activation) == (-128, 127)
    assert (types.is_quantized(weight), types.is_per_axis(weight)) == (True, True)
    assert (types.scales_of(weight), types.zero_points_of(weight)) == ((1.0, 0.25), (0, 0))
    assert types.storage_bounds(weight) == (-127, 127)
    assert not types.is_quantized(ir.F32Type.get())


SCHEDULES = st.builds(
    Schedule,
    st.sampled_from(Dataflow),
    st.tuples(*[st.integers(1, 2**31)] * 3),
    st.integers(1, 255),
    st.integers(1, 2**256 - 1),
)


def test_schedules_come_back() -> None:
    @given(schedule=SCHEDULES)
    @settings(max_examples=30, deadline=None)
    def check(schedule: Schedule) -> None:
        attribute = schedule.to_attribute()
        assert read_schedule(attribute) == schedule
        assert read_schedule(ir.Attribute.parse(str(attribute))) == schedule

    check()


@pytest.mark.parametrize("text", ["", "0x", "0x0", "f", "0xF", "0x0f", "0xg", "0x_1", " 0x1", "0x1" + "0" * 64])
def test_tile_masks_have_one_spelling(text: str) -> None:
    with pytest.raises(VerifyError, match="tile mask: expected 0x and hexadecimal digits"):
        read_tile_mask(text)


def test_tile_masks_reach_tile_255() -> None:
    assert read_tile_mask("0x8" + "0" * 63) == 1 << 255
