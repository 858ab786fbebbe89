"""Every computing opcode, for every element type and `aux`, against the model, by bits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.siw_model import Machine
from tests.conformance.vector_programs import compare_with_model
from tests.native import few
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.siw import OPS, VLMAX, Op
from tfmbs.runtime.abi.types import DTYPES, DType

FLOATS = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0e-45, -1.2e-38, 2.0**-149, 2.0**-14, -(2.0**-25), 127.5, -128.9, 255.0,
     256.0, 65519.9, 65520.0, -32769.0, 2.0**31, -(2.0**31), 2.0**31 - 128, 2.0**63, 3.4e38, -3.4e38, np.inf, -np.inf],
    np.float32,
).view(np.uint32)  # fmt: skip
NANS = np.array([0x7FC00000, 0xFFC00001, 0x7F812345], np.uint32)
INTS = np.array(
    [0, 1, -1, 2, -2, 31, 32, 33, -31, 127, 128, -128, -129, 255, 256, 32767, -32769, 65535, 65536, 2**31 - 1,
     -(2**31)],
    np.int32,
).view(np.uint32)  # fmt: skip
PATTERNS = np.concatenate([FLOATS, NANS, INTS])

# Of f64, also what lies next to the middle of two f32, f16 or bf16; of integers, what f64 and f32 round.
FLOATS64 = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.49999999999999994, 1.5, -2.5, 5e-324, -2.2e-308, 1e-310, 2.0**-149, 2.0**-150,
     1 + 2.0**-24 + 2.0**-52, 1 + 2.0**-9 - 2.0**-40, 2.0**-25 + 2.0**-60, 65519.99999, 65520.0, -3.40282357e38,
     255.0, -128.9, -32769.0, 2.0**31 - 0.5, -(2.0**31) - 0.5, 2.0**32, 2.0**52 + 0.5, 2.0**53, 2.0**63, -(2.0**63),
     2.0**64, 1.7e308, -1.7e308, np.inf, -np.inf],
    np.float64,
).view(np.uint64)  # fmt: skip
NANS64 = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0123456789ABC], np.uint64)
INTS64 = np.array(
    [0, 1, -1, 2, -2, 31, 32, 63, 64, -63, 127, -129, 255, 65504, 65519, 65520, 2**24 + 1, 2**31, -(2**31) - 1,
     2**32 - 1,     2**53 + 1, -(2**53) - 1, 2**40 + 2**32 + 1, (1 << 62) + (1 << 54) + 1, 2**63 - 1, -(2**63)],
    np.int64,
).view(np.uint64)  # fmt: skip
PATTERNS64 = np.concatenate([FLOATS64, NANS64, INTS64])
SOURCES = 4
CHUNKS = -(-(max(len(PATTERNS), len(PATTERNS64)) ** 2) // VLMAX)
# Windows: the sources of 32 bits, those of 64, the result.
RESULT = 2 * SOURCES


def _meetings(patterns: NDArray[Any]) -> list[NDArray[Any]]:
    """Three arrays in which every pair of patterns meets (in several chunks), and one of random bits."""
    n, i = len(patterns), np.arange(CHUNKS * VLMAX)
    random = np.random.default_rng(7).integers(0, 2 ** (8 * patterns.itemsize), i.size, patterns.dtype)
    return [patterns[i % n], patterns[i // n % n], patterns[(i * 5 + 3) % n], random]


@cache
def operands() -> dict[str, NDArray[Any]]:
    """The inputs of every program by name: arrays of i32, then of i64."""
    narrow = {f"x{i}": x.view(np.int32) for i, x in enumerate(_meetings(PATTERNS))}
    return {**narrow, **{f"w{i}": x.view(np.int64) for i, x in enumerate(_meetings(PATTERNS64))}}


def variants(op: Op) -> Iterator[tuple[DType | int, int]]:
    """The element types and `aux` of an opcode."""
    for dtype in sorted(op.types) or [0]:
        auxes = op.auxes.get(dtype, ()) if op.auxes else tuple(op.aux) if op.aux else ()
        for aux in sorted(auxes) or [0]:
            yield dtype, int(aux)


COMPUTING = [op for op in OPS if op.unit != "memory" and op.writes in op.vectors and op.slot in "DC" and op.writes]
CASES = [
    pytest.param(
        op.name, dtype, aux, id=f"{op.name}-{getattr(dtype, 'name', 'bits')}-{op.aux(aux).name if op.aux else ''}"
    )
    for op in COMPUTING
    for dtype, aux in variants(op)
]


def operation(name: str) -> Op:
    """The computing opcode of a name."""
    return next(op for op in COMPUTING if op.name == name)


def word(op: Op, dtype: DType | int, aux: int, registers: list[int]) -> Fields:
    """The word that applies an opcode to registers, the written one first."""
    fields = {name[2:]: register for name, register in zip(op.vectors, registers, strict=False)}
    if op.aux:
        fields["aux"] = aux
    return {"D": d, "C": c}[op.slot](op.name, dtype, **fields)


def widths(op: Op, dtype: DType | int, aux: int) -> list[int]:
    """The lane bits of the opcode's vector operands, the written one first."""
    fields = word(op, dtype, aux, [])
    return [op.lane_bits(name, fields) for name in op.vectors]


def words(op: Op, dtype: DType | int, aux: int, vl: int) -> list[Fields]:
    """Applies the opcode to lanes below `vl` of each chunk; all lanes are loaded and stored."""
    lanes = [DType.I64 if bits == 64 else DType.I32 for bits in widths(op, dtype, aux)]
    windows = [3, 0, 1, 2]
    # Pairs are even; single registers may be odd.
    registers = [2 * i + 8 + (lane is DType.I32) for i, lane in enumerate(lanes)]
    loads = [
        s("LD", lane, reg=register, win=window + (SOURCES if lane is DType.I64 else 0), base=5, index=6)
        for lane, register, window in zip(lanes, registers, windows, strict=False)
    ]
    return [
        s("LI", reg=6, imm=1),
        {**s("LI", reg=7, imm=CHUNKS), **c("SETVL", imm=VLMAX)},
        c("LOOP", reg=7, imm=len(loads) + 6),
        *loads,
        c("SETVL", imm=vl),
        word(op, dtype, aux, registers),
        c("SETVL", imm=VLMAX),
        s("ST", lanes[0], reg=registers[0], win=RESULT, base=5, index=6),
        s("ADDI", reg=5, base=5, imm=VLMAX),
        {},
        END,
    ]


def result(op: Op, dtype: DType | int, aux: int) -> NDArray[Any]:
    """Zeros of the type and size of what `words` stores."""
    return np.zeros(CHUNKS * VLMAX, np.int64 if widths(op, dtype, aux)[0] == 64 else np.int32)


def inputs_of(builder: Builder) -> list[int]:
    """The tensors of `operands`, in their order."""
    return [builder.input(name, x.shape, DType.I64 if x.itemsize == 8 else DType.I32) for name, x in operands().items()]


@cache
def image_and_expected(name: str, dtype: DType | int, aux: int, vl: int) -> tuple[Image, NDArray[Any]]:
    op, builder = operation(name), Builder()
    program, expected = words(op, dtype, aux, vl), result(op, dtype, aux)
    out = DType.I64 if expected.itemsize == 8 else DType.I32
    builder.vector(program, [*inputs_of(builder), builder.output("y", expected.shape, out)])
    Machine([*operands().values(), expected]).run(program)
    return builder.image(), expected


@pytest.mark.parametrize("vl", few([37, VLMAX, 1]))
@pytest.mark.parametrize(("op", "dtype", "aux"), CASES)
def test_opcode(device: DeviceUnderTest, op: str, dtype: DType | int, aux: int, vl: int) -> None:
    image, expected = image_and_expected(op, dtype, aux, vl)
    got = device.run(image, operands())["y"]
    wrong = np.flatnonzero(got != expected)
    mask = (1 << (8 * got.itemsize)) - 1
    assert not wrong.size, f"lane {wrong[0]}: {int(got[wrong[0]]) & mask:#x}, not {int(expected[wrong[0]]) & mask:#x}"


@pytest.mark.parametrize("dtype", [DType.F32, DType.F64, DType.I32, DType.I64, DType.U32, DType.U64])
@pytest.mark.parametrize("op", ["DIV", "REM"])
def test_division_near_whole_quotients(device: DeviceUnderTest, op: str, dtype: DType) -> None:
    """Tame operands, for which devices may have a faster way: multiples of the divisor, and what is next to them."""
    rng = np.random.default_rng(5)
    kind = np.dtype(DTYPES[dtype].numpy)
    y = (rng.integers(1, 1 << 12, VLMAX) * rng.choice([-1, 1], VLMAX)).astype(np.int64)
    x = y * rng.integers(0, 1 << 18, VLMAX)
    if kind.kind == "f":
        x, y = (x / 3).astype(kind), (y / 3).astype(kind)
        x[::3] = np.nextafter(x[::3], kind.type(np.inf))
        x[1::3] = np.nextafter(x[1::3], kind.type(-np.inf))
    else:
        x = x + rng.integers(-1, 2, VLMAX)
    wide = DType.I64 if kind.itemsize == 8 else DType.I32
    views = [v.astype(kind).view(f"i{kind.itemsize}") for v in (x, y)]
    program = [
        s("LI", reg=1, imm=1),
        s("LD", wide, reg=2, win=0, base=0, index=1),
        s("LD", wide, reg=4, win=1, base=0, index=1),
        d(op, dtype, vd=6, va=2, vb=4),
        {**c("SETVL", imm=501), **d(op, dtype, vd=8, va=4, vb=2)},
        d(op, dtype, vd=4, va=2, vb=4),
        c("SETVL", imm=VLMAX),
        *(s("ST", wide, reg=4 + 2 * i, win=2, base=0, index=1, imm=VLMAX * i) for i in range(3)),
        END,
    ]
    compare_with_model(device, program, views, np.zeros(3 * VLMAX, views[0].dtype))
