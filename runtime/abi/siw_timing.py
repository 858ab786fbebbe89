"""The timing model of the vector engine: how long an operation keeps its slot busy, and when its results are there.

Words issue in order, at most one a cycle. A vector operation on VL lanes keeps its slot busy for `ceil(VL / lanes)`
beats of so many cycles as its unit takes; anything else takes one cycle. Results appear beat by beat after the unit's
latency, and a consumer may start as soon as none of its beats comes before the producer's: `ready_after`. Operations
across lanes have their result at the end, and what looks at the last lanes first waits for the end. An explicit wait
holds once the first beats of what it waits for are there; one for stores, when these are complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfmbs.runtime.abi.siw import REDUCTION_LANES, Op
from tfmbs.runtime.abi.target import Vector

RESULT_AT_END = frozenset({"RED", "REDUCE", "TPOP", "FOLD", "LAST", "LAST64"})
"""Operations whose result depends on all lanes, so that no beat of it comes before their last one."""

READS_END = frozenset({"LAST", "LAST64"})
"""Operations that cannot start before the last lanes of their operand."""

_INDEXED = frozenset({"GATHER", "SCATTER", "GATHER64", "SCATTER64"})
_NO_BEATS = frozenset({"SGET"})  # it reads one lane


@dataclass(frozen=True)
class Timing:
    """Parameters of a target, per operation: `lanes` elements per beat, `latency` and `cycles` per beat by unit.

    The units are those of the opcode table; stores, indexed memory operations and special functions that the target
    has no hardware for are units of their own here ("store", "gather", "software").
    """

    lanes: int
    latency: Mapping[str, int]
    cycles: Mapping[str, int]
    functions: frozenset[str]

    @classmethod
    def of(cls, vector: Vector) -> Timing:
        """The timing of a target's vector engine."""
        latency = {name: getattr(vector.latency, name) for name in ("alu", "memory", "store", "div", "special", "scan")}
        cycles = {name: getattr(vector.cycles, name) for name in ("gather", "div", "special", "software")}
        return cls(vector.lanes, latency, cycles, frozenset(vector.functions))

    def busy(self, op: Op, vl: int) -> int:
        """Cycles that an operation keeps its slot busy."""
        if not has_beats(op):
            return 1
        if op.name == "FOLD":
            vl = max(vl, REDUCTION_LANES)
        if op.unit == "scan":
            return vl
        return -(-vl // self.lanes) * self.cycles_per_beat(op)

    def cycles_per_beat(self, op: Op) -> int:
        """Cycles that a slot is busy with a beat of an operation that has beats."""
        return self.cycles.get(self._rate(op), 1)

    def result_latency(self, op: Op) -> int:
        """Cycles from the issue of an operation to the first beat of its result; of a store: after its last beat."""
        if op.is_store:
            return self.latency["store"]
        if not op.vectors:
            return 1
        return self.latency[op.unit]

    def _rate(self, op: Op) -> str:
        if op.name in _INDEXED:
            return "gather"
        if op.unit == "special" and op.name.lower() not in self.functions:
            return "software"
        return op.unit

    def ready_after(self, producer: Op, producer_busy: int, consumer: Op, consumer_busy: int) -> int:
        """Cycles from the issue of a producer to the earliest issue of an operation that reads its result."""
        latency = self.result_latency(producer)
        accumulates = consumer is producer and consumer.acc and consumer.vectors
        if producer.name in RESULT_AT_END and not accumulates:
            return latency + producer_busy - 1
        if consumer.name in READS_END:
            return latency + producer_busy - 1
        return latency + max(0, producer_busy - consumer_busy)


def has_beats(op: Op) -> bool:
    """Whether VL decides how long an operation takes and what it does."""
    return bool(op.vectors) and op.name not in _NO_BEATS
