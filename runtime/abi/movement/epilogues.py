"""Epilogues: programs on the results of a tile, and which bytes of their windows a tile needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import Ring, Slot, aligned
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.siw_cycles import execute
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.siw_verify import decode_program
from tfmbs.runtime.abi.types import DTYPES, DType

_INDEXED = frozenset({"GATHER", "GATHER64"})


class Reads(NamedTuple):
    """How a program reads a window: loads at the element, at the channel and at a fixed place, by their offsets."""

    by_element: tuple[int, ...]
    by_channel: tuple[int, ...]
    fixed: tuple[int, ...]
    is_whole: bool


@dataclass(frozen=True)
class Window:
    """An operand window of an epilogue: its tensor, and how the program reads it."""

    number: int
    memory: int
    offset: int
    element_bytes: int
    elements: int
    reads: Reads


@dataclass
class Epilogue:
    """The epilogue of a launch. `channel_step` is that of its chunks."""

    words: Sequence[bytes]
    windows: Sequence[Window]
    element_bytes: int
    is_window: bool
    timing: Timing
    _cycles: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image, descriptor: Row, x: Expansion, *, is_window: bool) -> Epilogue:
        """The epilogue that a descriptor names."""
        program = image.programs[descriptor["program"]]
        words = image.words[program["first_word"] : program["first_word"] + program["word_count"]]
        args = image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
        windows = []
        for number, reads in sorted(_reads(words).items()):
            tensor = image.tensors[args[number]]
            e = DTYPES[DType(tensor["dtype"])].bits // 8
            windows.append(Window(number, *x.place(args[number]), e, tensor["bytes"] // e, reads))
        out = DTYPES[DType(image.tensors[descriptor["out"]]["dtype"])].bits // 8
        return cls(words, windows, out, is_window, Timing.of(x.machine.target.vector))

    def sizes(self) -> list[tuple[int, int, int]]:
        """Of each window, bytes per element of the result, per channel, and in any case."""
        return [
            (
                len(w.reads.by_element) * w.element_bytes,
                len(w.reads.by_channel) * w.element_bytes,
                (w.elements if w.reads.is_whole else len(w.reads.fixed)) * w.element_bytes,
            )
            for w in self.windows
        ]

    def cycles(self, rows: int, columns: int) -> int:
        """What the chunks of a tile's results take: each its program, while sums come in and results before leave.

        A chunk is a part of a row that fills the registers, or whole rows, each of which begins with a beat.
        """
        if columns > siw.VLMAX:
            full, rest = divmod(columns, siw.VLMAX)
            return rows * (full * self._chunk(siw.VLMAX) + (self._chunk(rest) if rest else 0))
        lanes = self._lanes(columns)
        together = siw.VLMAX // lanes
        full, rest = divmod(rows, together)
        return full * self._chunk(together * lanes) + (self._chunk(rest * lanes) if rest else 0)

    def _lanes(self, columns: int) -> int:
        """Of a row in whole beats."""
        return min(siw.VLMAX, -(-columns // self.timing.lanes) * self.timing.lanes)

    def _chunk(self, lanes: int) -> int:
        if lanes not in self._cycles:
            scalars = {siw.EPILOGUE_ONE: 1, siw.EPILOGUE_CHANNEL_STEP: 1}
            program = execute(self.words, self.timing, vl=lanes, scalars=scalars).cycles
            self._cycles[lanes] = program + -(-lanes // self.timing.lanes)
        return self._cycles[lanes]

    def add(
        self,
        x: Expansion,
        slots: tuple[Slot, Slot],
        shape: tuple[int, int],
        at: tuple[int, int, int],
        rings: Sequence[Ring],
        tile: int,
    ) -> None:
        """Adds the epilogue of sums in one slot of L1, with results in another.

        `at` is the first element, elements between two rows of `shape`, and the first channel; `rings` hold windows in
        L3, L2 and L1.
        """
        sums, results = slots
        rows, columns = shape
        element, stride, channel = at
        parameters = [
            Memory.L1 + tile, sums.address, results.address, rows, columns, self.is_window, element, stride, channel,
            0 if self.is_window else 1, self.element_bytes, siw.VLMAX // self._lanes(columns), len(self.windows),
        ]  # fmt: skip
        waits = [*sums.writers, *results.to_write(rows * columns * self.element_bytes)]
        used, reads = None, [sums.place(rows * columns * 4)]
        if self.windows:
            used, size, described = self._bring(x, shape, at, rings, tile)
            parameters += described
            waits += used.writers
            reads.append(used.place(size))
        what = What(
            tile=tile,
            parameters=parameters,
            reads=reads,
            writes=[results.place(rows * columns * self.element_bytes)],
            operations=rows * columns,
        )
        engine = x.machine.first(EngineKind.VECTOR) + tile
        number = x.program.add(Op.EPILOGUE, engine, x.launch, self.cycles(rows, columns), waits, what)
        sums.readers.append(number)
        results.writers.append(number)
        if used is not None:
            used.readers.append(number)

    def _bring(
        self, x: Expansion, shape: tuple[int, int], at: tuple[int, int, int], rings: Sequence[Ring], tile: int
    ) -> tuple[Slot, int, list[int]]:
        """Brings what the windows need to L1: the slot there, its bytes, and what the job must know."""
        l3, l2, l1 = (ring.take() for ring in rings)
        copies: list[Copy] = []
        described: list[int] = []
        size = 0
        for window in self.windows:
            segments = []
            described += (window.number, l1.address + size)
            for first, count, stride, run in self._ranges(window, shape, at):
                e = window.element_bytes
                start = window.offset + first * e
                copies.append(
                    Copy(
                        window.memory, start, l3.memory, l3.address + size, 1, 0, 0, count, stride * e, run * e, run * e
                    )
                )
                segments += [((first + i * stride) * e, run * e) for i in range(count)]
                size += count * run * e
            described.append(len(segments))
            described += [value for segment in segments for value in segment]
            size = aligned(size)
        x.load(copies, l3)
        x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
        x.feed([Copy(l2.memory, l2.address, l1.memory, l1.address, run=size)], l2, l1, tile)
        return l1, size, described

    def _ranges(
        self, window: Window, shape: tuple[int, int], at: tuple[int, int, int]
    ) -> list[tuple[int, int, int, int]]:
        """(first element, count, stride, elements of each) of what a tile reads of a window."""
        rows, columns = shape
        element, stride, channel = at
        reads = window.reads
        if reads.is_whole:
            return [(0, 1, 0, window.elements)]
        channels = rows if self.is_window else columns
        return [
            *((element + offset, rows, stride, columns) for offset in reads.by_element),
            *((channel + offset, 1, 0, channels) for offset in reads.by_channel),
            *((offset, 1, 0, 1) for offset in reads.fixed),
        ]


def _reads(words: Sequence[bytes]) -> dict[int, Reads]:
    found: dict[int, tuple[set[int], set[int], set[int]]] = {}
    whole: set[int] = set()
    for word in decode_program(words, "epilogue"):
        slot = word.s
        window = slot.fields["s_win"]
        if slot.op.name in _INDEXED:
            found.setdefault(window, (set(), set(), set()))
            whole.add(window)
        elif slot.op.is_load:
            sets = found.setdefault(window, (set(), set(), set()))
            base = slot.fields["s_base"]
            if base not in (0, siw.EPILOGUE_ELEMENT, siw.EPILOGUE_CHANNEL):
                raise TfmbsError("unsupported", "epilogue", f"a load at s{base}")
            kind = {siw.EPILOGUE_ELEMENT: 0, siw.EPILOGUE_CHANNEL: 1, 0: 2}[base]
            sets[kind].add(slot.fields["s_imm"])
    return {
        window: Reads(tuple(sorted(element)), tuple(sorted(channel)), tuple(sorted(fixed)), window in whole)
        for window, (element, channel, fixed) in found.items()
    }
