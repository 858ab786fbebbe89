"""An interpreter of vector programs, lane by lane as the opcode table says; slow, simple, independent of any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance import lane_model
from tests.conformance.convert_model import narrow, signed, widen
from tests.conformance.lane_model import Lanes
from tfmbs.runtime.abi.siw import FIELDS, OP_BY_CODE, SCALAR_REGISTERS, VECTOR_REGISTERS, VLMAX, Op, Reduce
from tfmbs.runtime.abi.types import DType

Fields = Mapping[str, int]
Write = Callable[[], None]

# s[base], s[index], imm, s[reg] to the scalar result, which wraps.
SCALAR: dict[str, Callable[[int, int, int, int], int]] = {
    "LI": lambda base, index, imm, old: imm,
    "LIH": lambda base, index, imm, old: old << 17 | imm & 0x1FFFF,
    "ADDI": lambda base, index, imm, old: base + imm,
    "SADD": lambda base, index, imm, old: base + index,
    "SSUB": lambda base, index, imm, old: base - index,
    "SMUL": lambda base, index, imm, old: base * index,
    "SMIN": lambda base, index, imm, old: min(base, index),
    "SMAX": lambda base, index, imm, old: max(base, index),
}


class Machine:
    """The state of a program. `windows` are flat arrays; of F16 and BF16 windows, only the bits count."""

    def __init__(self, windows: Sequence[NDArray[Any]]) -> None:
        self.file = np.zeros(VECTOR_REGISTERS * VLMAX, np.uint32)
        self.scalars = [0] * SCALAR_REGISTERS
        self.windows = [window.view(f"u{window.itemsize}") for window in windows]
        self.cursors = {"RECV": [0] * len(windows), "SEND": [0] * len(windows)}
        self.vl = VLMAX

    def run(self, words: Sequence[Fields]) -> None:
        """Executes from the first word to END. Raises IndexError outside a window."""
        at, loops = 0, []
        while True:
            word = {f.name: words[at].get(f.name, 0) for f in FIELDS}
            vl, next_at = self.vl, at + 1
            control = OP_BY_CODE["C", word["c_op"]].name
            scalar = self.scalars[word["c_reg"]]
            writes = [write for slot in "DSC" for write in self._slot(slot, word, vl)]
            for write in writes:
                write()
            if control == "END":
                return
            if control == "SETVL":
                self.vl = word["c_imm"]
            elif control == "SETVLR":
                self.vl = min(max(scalar, 1), VLMAX)
            elif control == "LOOP" and scalar >= 1:
                loops.append([next_at, next_at + word["c_imm"], scalar])
            elif control == "LOOP" or (control == "SKIP" and scalar == 0):
                next_at += word["c_imm"]
            elif control == "BREAK" and scalar == 0:
                next_at = loops.pop()[1]
            while loops and loops[-1][1] == next_at:
                loops[-1][2] -= 1
                if loops[-1][2]:
                    next_at = loops[-1][0]
                    break
                loops.pop()
            at = next_at

    # --- registers ---

    def _register(self, op: Op, name: str, word: Fields) -> Lanes:
        """All lanes of the vector operand in a field."""
        covered = op.registers(name, word)
        lanes = self.file[covered.start * VLMAX : covered.stop * VLMAX]
        return lanes.view(np.uint64) if len(covered) == 2 else lanes

    def _set(self, op: Op, word: Fields, lanes: Lanes) -> Write:
        def write() -> None:
            self._register(op, op.writes, word)[: len(lanes)] = lanes

        return write

    # --- slots: each reads now, and returns what it writes ---

    def _slot(self, slot: str, word: Fields, vl: int) -> Iterator[Write]:
        op = OP_BY_CODE[slot, word[f"{slot.lower()}_op"]]
        if op.name in SCALAR:
            yield self._scalar(op, word)
        elif op.name == "SGET":
            index = self._register(op, "s_index", word)
            yield self._set_scalar(word, signed(int(index[0]), 8 * index.itemsize))
        elif op.name == "INDEX":
            first, step = self.scalars[word["s_base"]] + word["s_imm"], self.scalars[word["s_index"]]
            bits = op.lane_bits("s_reg", word)
            lanes = [(first + i * step) % (1 << bits) for i in range(vl)]
            yield self._set(op, word, np.array(lanes, f"u{bits // 8}"))
        elif op.unit == "memory":
            yield self._memory(op, word, vl)
        elif op.vectors:
            yield self._set(op, word, self._computed(op, word, vl))

    def _computed(self, op: Op, word: Fields, vl: int) -> Lanes:
        slot = op.slot.lower()
        dtype, aux = DType(word[f"{slot}_type"] or DType.I32), word[f"{slot}_aux"]
        name = {"CAST": "CVT", "REDUCE": "RED"}.get(op.name, op.name)
        old, *sources = (self._register(op, field, word).copy() for field in op.vectors)
        below = [lanes[:vl] for lanes in sources]
        match name:
            case "RED":
                lanes = lane_model.partials(Reduce(aux), dtype, old, below[0])
            case "FOLD":
                lanes = lane_model.folded(Reduce(aux), dtype, sources[0])
            case "SCAN":
                lanes = lane_model.scanned(Reduce(aux), dtype, below[0], sources[1])
            case "TPOP":
                lanes = lane_model.counted(old, below[0])
            case "TACC":
                lanes = lane_model.accumulated(dtype, old[:vl], *below)
            case "LAST" | "LAST64":
                lanes = np.full(VLMAX, sources[0][vl - 1])
            case _:
                lanes = lane_model.compute(name, dtype, aux, below)
        return lanes

    def _set_scalar(self, word: Fields, value: int) -> Write:
        return lambda: self.scalars.__setitem__(word["s_reg"], signed(value, 64))

    def _scalar(self, op: Op, word: Fields) -> Write:
        base, index, old = (self.scalars[word[name]] for name in ("s_base", "s_index", "s_reg"))
        return self._set_scalar(word, SCALAR[op.name](base, index, word["s_imm"], old))

    def _places(self, op: Op, word: Fields, vl: int) -> list[int]:
        """The elements that an access touches, lane by lane."""
        if op.slot == "C":
            cursor = self.cursors[op.name]
            first = cursor[word["c_src"]]
            cursor[word["c_src"]] += vl
            return list(range(first, first + vl))
        first = self.scalars[word["s_base"]] + word["s_imm"]
        if "s_index" not in op.vectors:
            return [first + i * self.scalars[word["s_index"]] for i in range(vl)]
        index = self._register(op, "s_index", word)[:vl]
        return [first + signed(lane, 8 * index.itemsize) for lane in index.tolist()]

    def _memory(self, op: Op, word: Fields, vl: int) -> Write:
        slot, number = op.slot.lower(), word["c_src" if op.slot == "C" else "s_win"]
        dtype, window = DType(word[f"{slot}_type"]), self.windows[number]
        places = self._places(op, word, vl)
        if min(places) < 0 or max(places) >= window.size:
            raise IndexError(f"{min(places)}…{max(places)} of {window.size}")
        register = self._register(op, f"{slot}_reg", word)
        if op.is_load:
            return self._set(op, word, np.array([widen(x, dtype) for x in window[places].tolist()], register.dtype))
        stored = [narrow(lane, dtype) for lane in register[:vl].tolist()]

        def write() -> None:
            for place, element in zip(places, stored, strict=True):
                window[place] = element

        return write
