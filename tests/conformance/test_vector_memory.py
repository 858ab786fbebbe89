"""Loads, stores, gathers, scatters, streams, indices: every element type, against the model, by bytes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_vector_compute import PATTERNS
from tests.conformance.vector_programs import array_type, compare_with_model, patterns
from tfmbs.runtime.abi.siw import VLMAX, WIDE
from tfmbs.runtime.abi.types import DType, is_packed

I32, I64 = DType.I32, DType.I64
TYPES = [dtype for dtype in DType if not is_packed(dtype)]
SMALL = [DType.F16, DType.BF16]
each_type = pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)


def lane(dtype: DType) -> DType:
    """The integer type of the lanes that hold a type."""
    return I64 if dtype in WIDE else I32


@pytest.mark.parametrize("vl", [21, 64])
@pytest.mark.parametrize("stride", [1, 2, 3, 0, -1, -2])
@each_type
def test_load_widens_and_strides(device: DeviceUnderTest, dtype: DType, stride: int, vl: int) -> None:
    words = [
        {**s("LI", reg=1, imm=170), **c("SETVL", imm=vl)},
        s("LI", reg=2, imm=stride),
        s("LI", reg=3, imm=1),
        s("LD", dtype, reg=6, win=0, base=1, index=2, imm=-11),
        s("ST", lane(dtype), reg=6, win=1, base=0, index=3, imm=2),
        END,
    ]
    output = np.zeros(80, array_type(lane(dtype)))
    compare_with_model(device, words, [patterns(dtype, 400)], output, types={0: dtype})


@pytest.mark.parametrize("vl", [20, 64])
@pytest.mark.parametrize("stride", [1, 2, 3, 0, -1, -2])
@each_type
def test_store_narrows_and_strides(device: DeviceUnderTest, dtype: DType, stride: int, vl: int) -> None:
    words = [
        {**s("LI", reg=1, imm=150), **c("SETVL", imm=vl)},
        s("LI", reg=2, imm=stride),
        s("LI", reg=3, imm=1),
        s("LD", lane(dtype), reg=6, win=0, base=0, index=3),
        s("ST", dtype, reg=6, win=1, base=1, index=2),
        END,
    ]
    source = patterns(lane(dtype), vl)
    source[[1, 4]] = 0
    compare_with_model(device, words, [source], np.zeros(350, array_type(dtype)), types={1: dtype})


def through_lanes(load: DType, store: DType, elements: int) -> list[Fields]:
    """Copies window 0 to window 1, chunk by chunk."""
    return [
        s("LI", reg=1, imm=1),
        s("LI", reg=2, imm=elements // VLMAX),
        c("LOOP", reg=2, imm=3),
        s("LD", load, reg=1, win=0, base=3, index=1),
        s("ST", store, reg=1, win=1, base=3, index=1),
        s("ADDI", reg=3, base=3, imm=VLMAX),
        END,
    ]


@pytest.mark.parametrize("dtype", SMALL, ids=lambda dtype: dtype.name)
def test_small_floats_keep_every_pattern(device: DeviceUnderTest, dtype: DType) -> None:
    """A load and a store are the identity, also for signalling NaNs; the lanes hold what the model says."""
    every = np.arange(1 << 16, dtype=np.uint16)
    types = {0: dtype, 1: dtype}
    compare_with_model(device, through_lanes(dtype, dtype, every.size), [every], np.zeros_like(every), types=types)
    lanes = np.zeros(every.size, np.int32)
    compare_with_model(device, through_lanes(dtype, I32, every.size), [every], lanes, types={0: dtype})


@pytest.mark.parametrize("dtype", SMALL, ids=lambda dtype: dtype.name)
def test_small_floats_round_what_is_between(device: DeviceUnderTest, dtype: DType) -> None:
    """Lanes on, just below and just above the middle of two numbers; NaNs of every kind; edge values."""
    cut = 13 if dtype is DType.F16 else 16
    middles = (np.arange(1 << 16, dtype=np.uint32)[::17] << 16) | np.uint32(1 << (cut - 1))
    lanes = np.concatenate([middles - np.uint32(1), middles, middles + np.uint32(1), PATTERNS])
    lanes = np.resize(lanes, -(-lanes.size // VLMAX) * VLMAX).view(np.int32)
    output = np.zeros(lanes.size, np.uint16)
    compare_with_model(device, through_lanes(I32, dtype, lanes.size), [lanes], output, types={1: dtype})


@pytest.mark.parametrize("wide", [False, True], ids=["32-bit indices", "64-bit indices"])
@each_type
def test_gather_and_scatter(device: DeviceUnderTest, dtype: DType, wide: bool) -> None:
    """Indices repeat: the scatter writes in ascending lanes, so the last one stays."""
    bits, suffix = (I64, "64") if wide else (I32, "")
    words = [
        {**s("LI", reg=1, imm=9), **c("SETVL", imm=33)},
        s("LI", reg=3, imm=1),
        s("LD", bits, reg=4, win=1, base=0, index=3),
        s(f"GATHER{suffix}", dtype, reg=6, win=0, base=1, index=4),
        s(f"SCATTER{suffix}", dtype, reg=6, win=2, base=1, index=4, imm=-2),
        END,
    ]
    index = np.random.default_rng(3).integers(-9, 12, 33).astype(array_type(bits)) + 2
    index[:3] = [-7, 13, -7]
    output, types = np.zeros(30, array_type(dtype)), {0: dtype, 2: dtype}
    compare_with_model(device, words, [patterns(dtype, 30), index], output, types=types)


def test_wide_indices_reach_back_from_beyond_64_bits(device: DeviceUnderTest) -> None:
    """Base + immediate is above every i64, the sums with the indices are inside: nothing wraps."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=4)},
        s("LI", reg=2, imm=-1),
        *[s("SADD", reg=2, base=2, index=2) for _ in range(63)],
        s("ADDI", reg=2, base=2, imm=-1),
        s("LD", I64, reg=4, win=1, base=0, index=1),
        s("GATHER64", I32, reg=6, win=0, base=2, index=4, imm=5),
        s("SCATTER64", I32, reg=6, win=2, base=2, index=4, imm=4),
        END,
    ]
    index = np.array([3, 1, 2, 7], np.int64) + np.int64(-(1 << 63))
    compare_with_model(device, words, [patterns(I32, 20), index], np.zeros(20, np.int32))


@each_type
def test_streams(device: DeviceUnderTest, dtype: DType) -> None:
    """RECV and SEND go on from word to word by VL; the cursors of a window are two."""
    words = [
        {**s("LI", reg=1, imm=1), **c("RECV", dtype, reg=2, src=0)},
        c("SEND", dtype, reg=2, src=2),
        c("SETVL", imm=37),
        c("RECV", dtype, reg=4, src=0),
        c("SEND", dtype, reg=4, src=2),
        c("SEND", dtype, reg=2, src=2),
        {**s("LI", reg=3, imm=3), **c("SETVL", imm=17)},
        c("LOOP", reg=3, imm=2),
        {**s("LD", dtype, reg=6, win=0, base=0, index=1), **c("RECV", dtype, reg=8, src=1)},
        {**s("ST", dtype, reg=8, win=3, base=0, index=1), **c("SEND", dtype, reg=6, src=2)},
        c("RECV", dtype, reg=10, src=2),
        s("ST", dtype, reg=10, win=3, base=0, index=1, imm=40),
        END,
    ]
    x, y = patterns(dtype, 700), patterns(dtype, 60, seed=2)
    outputs = np.zeros(700, array_type(dtype)), np.zeros(60, array_type(dtype))
    compare_with_model(device, words, [x, y], *outputs, types=dict.fromkeys(range(4), dtype))


@pytest.mark.parametrize("dtype", [I32, I64], ids=lambda dtype: dtype.name)
def test_index_and_sget(device: DeviceUnderTest, dtype: DType) -> None:
    """Indices wrap at the width of the lane; a scalar is read back with its sign."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=45)},
        s("LI", reg=2, imm=-1),
        *[s("SADD", reg=2, base=2, index=2) for _ in range(61)],
        s("LI", reg=3, imm=12345),
        s("LIH", reg=3, imm=67),
        s("INDEX", dtype, reg=4, base=3, index=2, imm=-7),
        s("INDEX", dtype, reg=6, base=0, index=0, imm=-65536),
        s("INDEX", dtype, reg=8, base=2, index=3, imm=65535),
        *(s("ST", dtype, reg=2 * i + 4, win=0, base=0, index=1, imm=45 * i) for i in range(3)),
        s("SGET", dtype, reg=5, index=6),
        s("SGET", dtype, reg=6, index=4),
        s("INDEX", I64, reg=10, base=5, index=6),
        d("CVT", dtype, vd=10, va=10, aux=I64),
        s("ST", dtype, reg=10, win=0, base=0, index=1, imm=135),
        END,
    ]
    compare_with_model(device, words, [], np.zeros(180, array_type(dtype)))
