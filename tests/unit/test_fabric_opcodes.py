"""Every opcode that moves or computes data, for every type and `aux`: the reading as linalg against the emulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, s
from tests.conformance.devices import DEVICES, DeviceUnderTest
from tests.unit.test_fabric_linalg import LINALG
from tfmbs.runtime.abi.siw import OPS, VLMAX, Op
from tfmbs.runtime.abi.types import DType

Array = NDArray[Any]
LANES = 37  # the vector length of the opcode under test
ONE, SCALAR, PERMUTED, RESULT = 1, 7, 10, 8
OPERANDS = (2, 4, 6)
CONTROL = ("NOP", "END", "SETVL", "SETVLR", "LOOP", "SKIP", "BREAK")


@dataclass(frozen=True)
class Case:
    """An opcode with an element type and an aux; 0 where it has none."""

    op: Op
    dtype: DType | int
    aux: int

    @property
    def name(self) -> str:
        return f"{self.op.slot} {self.op.name} {getattr(self.dtype, 'name', '')} {self.aux}"


def cases(slot: str) -> Iterator[Case]:
    for op in OPS:
        if op.slot != slot or op.name in CONTROL:
            continue
        for dtype in sorted(op.types) or [0]:
            auxes = op.auxes.get(dtype, ()) if op.auxes else tuple(op.aux) if op.aux else ()
            yield from (Case(op, dtype, int(aux)) for aux in sorted(auxes) or [0])


def patterns() -> tuple[Array, Array]:
    """Lanes of 32 and of 64 bits: what is hard about floats and integers of every width, and random bits."""
    rng = np.random.default_rng(11)
    reals = [0.0, 1.0, 0.5, 1.5, 2.5, 3e-45, 6e-8, 6.1e-5, 1.2e-38, 65504.0, 65520.0, 3.3895e38, 127.5, 255.9, 32767.6]
    reals += [2.0**31, 2.0**32, 2.0**63, 2.0**64, 1e-310, 1e300, np.inf, 0.1, 7.0]
    whole = [
        0,
        1,
        2,
        3,
        31,
        32,
        63,
        64,
        127,
        128,
        255,
        32767,
        32768,
        65535,
        2**31 - 1,
        2**31,
        2**53 + 1,
        2**62 + 2**38 + 1,
    ]
    halves = rng.integers(0, 2**16, 40).astype(np.uint16).view(np.float16).astype(np.float32)
    with np.errstate(all="ignore"):
        floats = np.array([*reals, *(-x for x in reals)])
        small = np.concatenate([floats.astype(np.float32), halves]).view(np.uint32)
    integers = np.array([*whole, *(-x for x in whole)], np.int64)
    nans = np.array([0x7FC00000, 0xFFC00001, 0x7F812345, 0x7F802000, 0xFF810000], np.uint32)
    wide_nans = np.array([0x7FF8 << 48, 0xFFF8000000000001, 0x7FF0000000000001, 0x7FF4000020000000], np.uint64)
    narrow = [small, nans, integers.astype(np.uint32), rng.integers(0, 2**32, 40, np.uint32)]
    wide = [floats.view(np.uint64), wide_nans, integers.view(np.uint64), rng.integers(0, 2**64, 40, np.uint64)]
    count = VLMAX * (len(OPERANDS) + 1)
    return (
        rng.choice(np.concatenate(narrow), count).view(np.int32),
        rng.choice(np.concatenate(wide), count).view(np.int64),
    )


def permutation() -> Array:
    return np.arange(VLMAX, dtype=np.int64) * 5 % VLMAX


def word(case: Case) -> tuple[Fields, list[Fields]]:
    """The word under test, and those that load its operands; the result is in v8, with v9 where it is wide."""
    op, prefix = case.op, case.op.slot.lower()
    fields: Fields = {f"{prefix}_op": op.code}
    if op.types:
        fields[f"{prefix}_type"] = int(case.dtype)
    if op.aux:
        fields[f"{prefix}_aux"] = case.aux
    numbers = iter(OPERANDS)
    loads = []
    for name in op.vectors:
        is_index = op.name.startswith(("GATHER", "SCATTER")) and name == "s_index"
        register = RESULT if name == op.writes else PERMUTED if is_index else next(numbers)
        fields[name] = register
        wide = op.lane_bits(name, fields) == 64
        window = (int(is_index) * 2) + int(wide)
        imm = 0 if is_index else OPERANDS.index(register) * VLMAX if register in OPERANDS else len(OPERANDS) * VLMAX
        loads.append(s("LD", DType.I64 if wide else DType.I32, reg=register, win=window, base=0, index=ONE, imm=imm))
    if op.slot == "S" and op.unit == "memory":
        fields["s_win"] = 4
        if "s_index" not in op.vectors:
            fields["s_index"] = ONE
    elif op.slot == "C" and op.unit == "memory":
        fields["c_src"] = 4
    elif op.name == "INDEX":
        fields |= {"s_base": 2, "s_index": 3, "s_imm": -77}
    elif op.slot == "S":
        given = {"s_reg": SCALAR, "s_base": 2, "s_index": 3, "s_imm": -77}
        fields |= {name: value for name, value in given.items() if name in op.uses and name not in fields}
    return fields, loads


def launch(builder: Builder, case: Case, windows: Sequence[int], memory: int) -> None:
    """Runs the opcode on `LANES` lanes (stores on all, so that they fill their window) and stores its result."""
    op, dtype = case.op, DType(case.dtype) if case.dtype else DType.I64
    is_scalar = bool(op.writes) and op.writes not in op.vectors
    fields, loads = word(case)
    result = builder.output(case.name, (VLMAX * 8,), DType.U8)
    builder.copy(builder.constant(np.zeros(VLMAX * 8, np.uint8)), result)
    target = builder.view(result if op.is_store else memory, (VLMAX,), dtype)
    words = [
        {**s("LI", reg=ONE, imm=1), **c("SETVL", imm=VLMAX)},
        s("LI", reg=2, imm=60_001),
        s("LI", reg=3, imm=-50_003),
        s("SMUL", reg=2, base=2, index=2),
        *loads,
        c("SETVL", imm=VLMAX if op.is_store else LANES),
        fields,
        c("SETVL", imm=VLMAX),
    ]
    if is_scalar:
        words.append(s("INDEX", DType.I64, reg=RESULT, base=SCALAR, index=3))
    used = [*windows, target]
    if not op.is_store:
        words.append(s("ST", DType.I64, reg=RESULT, win=len(used), base=0, index=ONE))
        used.append(builder.view(result, (VLMAX,), DType.I64))
    builder.vector([*words, END], used)


def run(device: DeviceUnderTest, tested: Sequence[Case]) -> dict[str, Array]:
    """The results of all cases, as launches of one binary."""
    builder, inputs = Builder(), dict(zip(("x32", "x64"), patterns(), strict=True))
    inputs |= {"i32": permutation().astype(np.int32), "i64": permutation()}
    windows = [builder.input(name, x.shape, DType.I64 if "64" in name else DType.I32) for name, x in inputs.items()]
    inputs["bytes"] = np.random.default_rng(5).integers(0, 256, VLMAX * 8).astype(np.uint8)
    inputs["flags"] = inputs["bytes"] % 2
    memory = {name: builder.input(name, inputs[name].shape, DType.U8) for name in ("bytes", "flags")}
    for case in tested:
        launch(builder, case, windows, memory["flags" if case.dtype == DType.BOOL else "bytes"])
    return dict(device.run(builder.image(), inputs))


GROUPS = {
    "D": [case for case in cases("D") if case.op.name != "CVT"],
    "CVT": [case for case in cases("D") if case.op.name == "CVT"],
    "S": list(cases("S")),
    "C": list(cases("C")),
}


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_opcode_means_what_the_emulator_does(group: str) -> None:
    expected, got = run(DEVICES[0], GROUPS[group]), run(LINALG, GROUPS[group])
    wrong = [name for name in expected if got[name].tobytes() != expected[name].tobytes()]
    assert not wrong
