"""Every opcode of the D slot, for every element type and `aux`, against the model, by bits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.siw_model import Machine
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.siw import OP_BY_NAME, OPS, VLMAX, Op
from tfmbs.runtime.abi.types import DType

FLOATS = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0e-45, -1.2e-38, 2.0**-149, 127.5, -128.9, 255.0, 256.0, 65535.9, -32769.0,
     2.0**31, -(2.0**31), 2.0**31 - 128, 3.4e38, -3.4e38, np.inf, -np.inf],
    np.float32,
).view(np.uint32)  # fmt: skip
NANS = np.array([0x7FC00000, 0xFFC00001, 0x7F812345], np.uint32)
INTS = np.array(
    [0, 1, -1, 2, -2, 31, 32, 33, -31, 127, 128, -128, -129, 255, 256, 32767, -32769, 65535, 65536, 2**31 - 1,
     -(2**31)],
    np.int32,
).view(np.uint32)  # fmt: skip
PATTERNS = np.concatenate([FLOATS, NANS, INTS])
SOURCES = 4


def operands() -> list[NDArray[np.uint32]]:
    """Three arrays in which every pair of patterns meets (in several chunks), and one of random bits."""
    n = len(PATTERNS)
    i = np.arange(-(-n * n // VLMAX) * VLMAX)
    random = np.random.default_rng(7).integers(0, 2**32, i.size, np.uint32)
    return [PATTERNS[i % n], PATTERNS[i // n % n], PATTERNS[(i * 5 + 3) % n], random]


def variants(op: Op) -> Iterator[tuple[DType | int, int]]:
    for dtype in sorted(op.types) or [0]:
        auxes = op.auxes.get(dtype, ()) if op.auxes else tuple(op.aux) if op.aux else ()
        for aux in sorted(auxes) or [0]:
            yield dtype, int(aux)


CASES = [
    pytest.param(
        op.name, dtype, aux, id=f"{op.name}-{getattr(dtype, 'name', 'bits')}-{op.aux(aux).name if op.aux else ''}"
    )
    for op in OPS
    if op.slot == "D" and op.name != "NOP"
    for dtype, aux in variants(op)
]


def words(op: Op, dtype: DType | int, aux: int, vl: int) -> list[dict[str, int]]:
    """Applies the opcode to lanes below `vl` of each chunk; all lanes are loaded and stored."""
    roles = dict(zip(op.vectors, (4, 1, 2, 3), strict=False))
    fields = {name.removeprefix("d_"): register for name, register in roles.items()}
    if "d_aux" in op.uses:
        fields["aux"] = aux
    return [
        s("LI", reg=6, imm=1),
        {**s("LI", reg=7, imm=chunks()), **c("SETVL", imm=VLMAX)},
        c("LOOP", reg=7, imm=SOURCES + 3 + 2),
        *(s("LD", DType.I32, reg=i, win=i - 1, base=5, index=6) for i in range(1, SOURCES)),
        {**s("LD", DType.I32, reg=4, win=3, base=5, index=6), **c("SETVL", imm=vl)},
        d(op.name, dtype, **fields),
        c("SETVL", imm=VLMAX),
        s("ST", DType.I32, reg=4, win=4, base=5, index=6),
        s("ADDI", reg=5, base=5, imm=VLMAX),
        {},
        END,
    ]


def chunks() -> int:
    return len(operands()[0]) // VLMAX


@cache
def image_and_expected(
    name: str, dtype: DType | int, aux: int, vl: int
) -> tuple[Image, dict[str, Any], NDArray[np.int32]]:
    sources = [x.view(np.int32) for x in operands()]
    builder = Builder()
    program = words(OP_BY_NAME["D", name], dtype, aux, vl)
    names = [f"x{i}" for i in range(SOURCES)]
    tensors = [builder.input(x, source.shape, DType.I32) for x, source in zip(names, sources, strict=True)]
    builder.vector(program, [*tensors, builder.output("y", sources[0].shape, DType.I32)])
    expected = np.zeros_like(sources[0])
    Machine([*sources, expected]).run(program)
    return builder.image(), dict(zip(names, sources, strict=True)), expected


@pytest.mark.parametrize("vl", [VLMAX, 37])
@pytest.mark.parametrize(("op", "dtype", "aux"), CASES)
def test_opcode(device: DeviceUnderTest, op: str, dtype: DType | int, aux: int, vl: int) -> None:
    image, inputs, expected = image_and_expected(op, dtype, aux, vl)
    result = device.run(image, inputs)["y"]
    wrong = np.flatnonzero(result != expected)
    assert not wrong.size, (
        f"lane {wrong[0]}: {result[wrong[0]] & 0xFFFFFFFF:#x}, not {expected[wrong[0]] & 0xFFFFFFFF:#x}"
    )
