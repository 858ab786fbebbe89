"""Cycle-exact execution of scheduled words by the timing model: when each word issues, and what it waits for.

Scalars, VL and control flow are real, vectors are not computed. A word issues one cycle after the word before it at the
earliest, and when its slots are free, its operands are there, what it overwrites was read, and its explicit waits hold.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import Dep, Op
from tfmbs.runtime.abi.siw_deps import INTERLOCKED_UNITS
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.siw_verify import decode_program

FILLER = frozenset({"NOP", "MOV", "MOV64", "LI", "LIH"})
"""Operations that are not counted as work: moves and constants that a better program might do without."""

_VL = ("vl", 0)
_SCALAR_FIELDS = ("s_base", "s_index")
_READS_CONDITION = frozenset({"SETVLR", "LOOP", "SKIP", "BREAK"})
Place = tuple[str, int]


@dataclass
class LoopCycles:
    """A loop: trips, and the cycles from the start of its first to the start of its last trip, over all its runs."""

    trips: int = 0
    repeats: int = 0  # trips but the last of each run
    cycles: int = 0

    @property
    def interval(self) -> float:
        """Cycles per trip in the steady state; 0 when no run had two trips."""
        return self.cycles / self.repeats if self.repeats else 0.0


@dataclass
class Cycles:
    """What an execution took.

    `busy` counts the cycles that operations kept their slots, by (slot, operation); `stalls` the cycles in which no
    word issued, by cause; `loops` is by the index of the LOOP word, `issued` has the last issue of every word and VL
    then.
    """

    cycles: int = 0
    words: int = 0
    busy: Counter[tuple[str, str]] = field(default_factory=Counter)
    stalls: Counter[str] = field(default_factory=Counter)
    loops: dict[int, LoopCycles] = field(default_factory=dict)
    issued: dict[int, int] = field(default_factory=dict)
    vl: dict[int, int] = field(default_factory=dict)

    @property
    def operations(self) -> int:
        """Slot-cycles of work, without `FILLER`."""
        return sum(cycles for (_, name), cycles in self.busy.items() if name not in FILLER)

    def slot(self, slot: str) -> int:
        """Cycles that work kept a slot busy."""
        return sum(cycles for (s, name), cycles in self.busy.items() if s == slot and name not in FILLER)


@dataclass(frozen=True)
class Operation:
    """An operation of a word, with the registers that it reads and writes (VL is one)."""

    op: Op
    slot: str
    reads: tuple[Place, ...]
    writes: tuple[Place, ...]


@dataclass(frozen=True)
class DecodedWord:
    """A word: its operations, and what it waits for."""

    fields: Mapping[str, int]
    operations: tuple[Operation, ...]
    deps: int
    left: int
    control: str


@dataclass(frozen=True)
class _Result:
    """The last write of a register."""

    time: int
    op: Op
    busy: int


def execute(
    words: Sequence[bytes],
    timing: Timing,
    *,
    vl: int = siw.VLMAX,
    scalars: Mapping[int, int] | None = None,
    taken: int = 1,
    most_trips: int | None = None,
) -> Cycles:
    """Runs a program from its first word to END.

    `vl` and `scalars` are what it finds at its start; `taken` is the value of every scalar that comes from a vector.
    With `most_trips` no loop runs more often, which changes no interval once it is steady.
    """
    return _Execution(words, timing, vl, scalars or {}, taken, most_trips).run()


def decoded_words(words: Sequence[bytes]) -> list[DecodedWord]:
    """The words of a program with what they read and write. Raises TfmbsError `siw` for one that is not valid."""
    result = []
    for word in decode_program(words, "program"):
        operations = []
        for slot in word.slots:
            op, fields = slot.op, slot.fields
            if op.name == "NOP":
                continue
            vectors = {name: [("v", n) for n in op.registers(name, fields)] for name in op.vectors}
            reads = [p for name, places in vectors.items() if name != op.writes or op.acc for p in places]
            reads += [("s", fields[f]) for f in _SCALAR_FIELDS if f in op.uses and f not in vectors and fields[f]]
            if op.name in _READS_CONDITION and fields["c_reg"]:
                reads.append(("s", fields["c_reg"]))
            if op.acc and op.writes not in vectors:
                reads.append(("s", fields[op.writes]))
            writes = vectors.get(op.writes, [("s", fields[op.writes])] if op.writes else [])
            if op.name in ("SETVL", "SETVLR"):
                writes = [_VL]
            elif vectors:
                reads.append(_VL)
            operations.append(Operation(op, op.slot, tuple(reads), tuple(writes)))
        result.append(DecodedWord(word.fields, tuple(operations), word.deps, word.left, word.c.op.name))
    return result


class _Execution:
    def __init__(
        self,
        words: Sequence[bytes],
        timing: Timing,
        vl: int,
        scalars: Mapping[int, int],
        taken: int,
        most_trips: int | None,
    ) -> None:
        self.words = decoded_words(words)
        self.timing = timing
        self.vl = vl
        self.scalars = [scalars.get(n, 0) for n in range(siw.SCALAR_REGISTERS)]
        self.taken = taken
        self.most_trips = most_trips
        self.free = dict.fromkeys("DSC", 0)
        self.result: dict[Place, _Result] = {}
        self.read: dict[Place, tuple[int, int]] = {}  # latest issue of a reader, latest end of one
        self.loads: deque[_Result] = deque(maxlen=64)
        self.slow: list[_Result] = []
        self.stores = 0  # when the last store is complete
        self.now = -1
        self.end = 0
        self.outcome = Cycles()

    def run(self) -> Cycles:
        """Executes to END."""
        loops: list[list[int]] = []  # first word, last word, trips left, issue of the first trip, trips
        at, outcome = 0, self.outcome
        while at < len(self.words):
            word = self.words[at]
            time = self._issue(word)
            outcome.issued[at] = time
            outcome.vl[at] = self.vl
            if loops and at == loops[-1][0]:
                self._trip(loops[-1], time)
            at = self._next(word, at, loops)
            while loops and at == loops[-1][1] + 1:
                loops[-1][2] -= 1
                if loops[-1][2] > 0:
                    at = loops[-1][0]
                    break
                self._leave(loops.pop())
        outcome.cycles = self.end
        return outcome

    def _trip(self, loop: list[int], time: int) -> None:
        if loop[4] == 0:
            loop[3] = time
        loop[4] += 1
        loop[5] = time

    def _leave(self, loop: list[int]) -> None:
        entry = self.outcome.loops.setdefault(loop[0] - 1, LoopCycles())
        entry.trips += loop[4]
        if loop[4] > 1:
            entry.repeats += loop[4] - 1
            entry.cycles += loop[5] - loop[3]

    def _next(self, word: DecodedWord, at: int, loops: list[list[int]]) -> int:
        """Executes the scalar part of a word; returns the next word."""
        fields, condition = word.fields, self.scalars[word.fields["c_reg"]]
        vl = self.vl
        if word.control == "SETVL":
            vl = fields["c_imm"]
        elif word.control == "SETVLR":
            vl = min(max(condition, 1), siw.VLMAX)
        for operation in word.operations:
            if operation.slot == "S" and operation.writes and operation.writes[0][0] == "s":
                self.scalars[fields["s_reg"]] = self._scalar(operation.op.name, fields)
        self.vl = vl
        if word.control == "LOOP":
            if condition < 1:
                return at + 1 + fields["c_imm"]
            trips = condition if self.most_trips is None else min(condition, self.most_trips)
            loops.append([at + 1, at + fields["c_imm"], trips, 0, 0, 0])
        elif word.control == "SKIP" and condition == 0:
            return at + 1 + fields["c_imm"]
        elif word.control == "BREAK" and condition == 0:
            last = loops[-1][1]
            self._leave(loops.pop())
            return last + 1
        return at + 1

    def _scalar(self, name: str, fields: Mapping[str, int]) -> int:
        base, index, imm = (self.scalars[fields["s_base"]], self.scalars[fields["s_index"]], fields["s_imm"])
        value = self.taken if name == "SGET" else _SCALARS[name](self.scalars[fields["s_reg"]], base, index, imm)
        return (value + (1 << 63)) % (1 << 64) - (1 << 63)

    def _issue(self, word: DecodedWord) -> int:
        """The cycle in which a word issues; takes its slots and registers."""
        timing, vl = self.timing, self.vl
        time, cause = self.now + 1, ""
        busies = [timing.busy(operation.op, vl) for operation in word.operations]
        for operation, busy in zip(word.operations, busies, strict=True):
            for ready, why in self._limits(operation, busy):
                if ready > time:
                    time, cause = ready, why
        if word.deps:
            for ready, why in self._waits(word):
                if ready > time:
                    time, cause = ready, why
        if cause:
            self.outcome.stalls[cause] += time - self.now - 1
        self.now = time
        self.outcome.words += 1
        for operation, busy in zip(word.operations, busies, strict=True):
            self._read(operation, busy, time)
        for operation, busy in zip(word.operations, busies, strict=True):
            self._write(operation, busy, time)
        return time

    def _limits(self, operation: Operation, busy: int) -> list[tuple[int, str]]:
        op, ready_after = operation.op, self.timing.ready_after
        limits = [(self.free[operation.slot], f"slot {operation.slot}")]
        for place in operation.reads:
            result = self.result.get(place)
            if result is not None:
                after = 1 if place[0] == "vl" else ready_after(result.op, result.busy, op, busy)
                limits.append((result.time + after, "operand"))
        for place in operation.writes:
            result, read = self.result.get(place), self.read.get(place)
            if result is not None:
                limits.append(
                    (result.time + max(1, ready_after(result.op, result.busy, op, busy)), "overwritten result")
                )
            if read is not None:
                limits.append((max(read[0], read[1] - busy), "overwritten operand"))
        return limits

    def _waits(self, word: DecodedWord) -> list[tuple[int, str]]:
        waits = []
        if word.deps & Dep.LOAD:
            waited = list(self.loads)[: len(self.loads) - word.left] if word.left else list(self.loads)
            waits += [(self._visible(load), "load") for load in waited]
            for _ in waited:
                self.loads.popleft()
        if word.deps & Dep.COMPUTE:
            waits += [(self._visible(result), "slow unit") for result in self.slow]
            self.slow.clear()
        if word.deps & Dep.STORE:
            waits.append((self.stores, "store"))
        return waits

    def _visible(self, result: _Result) -> int:
        """When the first beats of a result are there; who reads it follows beat by beat."""
        return result.time + self.timing.result_latency(result.op)

    def _read(self, operation: Operation, busy: int, time: int) -> None:
        for place in operation.reads:
            latest, end = self.read.get(place, (0, 0))
            self.read[place] = (max(latest, time), max(end, time + busy))

    def _write(self, operation: Operation, busy: int, time: int) -> None:
        op = operation.op
        self.free[operation.slot] = time + busy
        self.outcome.busy[operation.slot, op.name] += busy
        latency = self.timing.result_latency(op)
        self.end = max(self.end, time + busy + (latency if operation.writes or op.is_store else 0))
        result = _Result(time, op, busy)
        for place in operation.writes:
            self.result[place] = result
            self.read.pop(place, None)
        if op.is_load:
            self.loads.append(result)
        elif op.unit in INTERLOCKED_UNITS:
            self.slow.append(result)
        elif op.is_store:
            self.stores = max(self.stores, time + busy + latency)


_SCALARS: dict[str, Callable[[int, int, int, int], int]] = {
    "LI": lambda old, base, index, imm: imm,
    "LIH": lambda old, base, index, imm: old << 17 | (imm & 0x1FFFF),
    "ADDI": lambda old, base, index, imm: base + imm,
    "SADD": lambda old, base, index, imm: base + index,
    "SSUB": lambda old, base, index, imm: base - index,
    "SMUL": lambda old, base, index, imm: base * index,
    "SMIN": lambda old, base, index, imm: min(base, index),
    "SMAX": lambda old, base, index, imm: max(base, index),
}
