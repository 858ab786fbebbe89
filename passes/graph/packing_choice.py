"""Which packing trits get: the one that costs least energy on the target, by what the layer's weights are.

    E per trit = bytes · arrival + operations · e(vector i32)

Bytes are those of the layer, with what fills rows and their number up. Arrival is the way of a byte into L1: from
external memory by L3 and L2 (external + 2·l3 + 2·l2 + l1 write), from L3 or from L2 where all trits of the program fit
there, five to a byte, and stay. Operations are those of a lane that unpacks:

    i8        none: a byte is a trit
    t2        2: shift, mask
    pt5       3.6: X′ = 3·X mod 256, digit = (3·X − X′) / 256 as multiply, subtract, shift; and for each byte v
              X = ⌈256·v / 243⌉ as multiply, add, shift
    a5        3: as pt5, whose bytes are such X already
    s2, s4    3 + 4 · (1 − zeros): the flag by shift and mask, count; the sign by shift and mask, ±1 by shift, subtract

Rows with more trits other than zero than s2 and s4 hold leave these out. Costs that differ by less than `EQUAL` are
the same, and of such packings the first one of the table is taken: a5 before pt5, as kernels read it in place. r5 is
no choice: it costs what a5 does, and kernels lay it side by side first. Nor is a5 one for a launch that the array of
the target cannot cut after 64 rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.runtime.abi.packing import Bytes, nonzeros_by_row
from tfmbs.runtime.abi.target import FEATURE_OF_PACKING, Target
from tfmbs.runtime.abi.types import SPARSE, DType, Packing, most_nonzeros, packed_rows, row_bytes

_UNPACK: Mapping[Packing, tuple[float, float]] = {
    Packing.A5: (3, 0),
    Packing.PT5: (3.6, 0),
    Packing.T2: (2, 0),
    Packing.S4: (3, 4),
    Packing.S2: (3, 4),
    Packing.I8: (0, 0),
}
"""Operations of a lane for each trit, and more for each that is not zero."""

EQUAL = 0.01
"""Share of a cost that makes no difference."""

TRITS_PER_BYTE = 5


@dataclass(frozen=True)
class Weights:
    """Trits of a layer: `rows` of `width`, `nonzeros` of them not zero."""

    rows: int
    width: int
    nonzeros: int
    most: int  # of the row that has most

    @property
    def sparsity(self) -> float:
        """The fraction that is zero."""
        return 1 - self.nonzeros / (self.rows * self.width)

    @classmethod
    def measured(cls, stored: Bytes, rows: int, width: int, packing: Packing) -> Weights:
        """What rows of packed trits hold, counted."""
        counts = nonzeros_by_row(stored, width, packing, rows)
        return cls(rows, width, int(counts.sum()), int(counts.max()))

    @classmethod
    def joined(cls, parts: Sequence[Weights]) -> Weights:
        """Of several layers of one width."""
        rows, nonzeros = sum(part.rows for part in parts), sum(part.nonzeros for part in parts)
        return cls(rows, parts[0].width, nonzeros, max(part.most for part in parts))


@dataclass(frozen=True)
class Home:
    """Where the trits of a program lie between runs, and the picojoules of a byte's way from there into L1."""

    name: str
    arrival: float

    @classmethod
    def of(cls, trits: int, target: Target) -> Home:
        """The innermost memory that `trits`, five to a byte, fit."""
        moved, size = target.energy.per_byte, -(-trits // TRITS_PER_BYTE)
        from_l2 = 2 * moved.l2 + moved.l1_write
        if size <= target.l2.size:
            return cls("L2", from_l2)
        if size <= target.l3.size:
            return cls("L3", 2 * moved.l3 + from_l2)
        return cls("external memory", moved.external + 2 * moved.l3 + from_l2)


@dataclass(frozen=True)
class Choice:
    """The packing of a layer, and what each that the target has costs, in picojoules for a trit."""

    packing: Packing
    costs: Mapping[Packing, float]
    home: Home
    sparsity: float

    def reason(self) -> str:
        """The choice and why, in a line."""
        own = f"{self.packing.name.lower()}, {self.costs[self.packing]:.2f} pJ per trit from {self.home.name}"
        others = [f"{packing.name.lower()} {cost:.2f}" for packing, cost in self.costs.items()]
        others.remove(f"{self.packing.name.lower()} {self.costs[self.packing]:.2f}")
        return f"{own}, {self.sparsity:.1%} zeros{'; ' if others else ''}{', '.join(others)}"


def choose_packing(weights: Weights, home: Home, target: Target, without: Packing | None = None) -> Choice:
    """The first of the packings that the target has and that cost least; `without` is none of them."""
    having = [packing for packing in _UNPACK if _has(target, packing) and packing is not without]
    fitting = [packing for packing in having if _fits(packing, weights)]
    costs = {packing: cost_of(packing, weights, home, target) for packing in fitting}
    least = min(costs.values()) * (1 + EQUAL)
    return Choice(next(packing for packing in fitting if costs[packing] <= least), costs, home, weights.sparsity)


def cost_of(packing: Packing, weights: Weights, home: Home, target: Target) -> float:
    """Picojoules for one trit."""
    stored = packed_rows(packing, weights.rows) * row_bytes(DType.TRIT, packing, weights.width)
    size = stored / (weights.rows * weights.width)
    each, nonzero = _UNPACK[packing]
    return size * home.arrival + (each + nonzero * (1 - weights.sparsity)) * target.energy.per_op.vector_i32


def _fits(packing: Packing, weights: Weights) -> bool:
    return packing not in SPARSE or weights.most <= most_nonzeros(packing, weights.width)


def _has(target: Target, packing: Packing) -> bool:
    return packing not in FEATURE_OF_PACKING or target.has(FEATURE_OF_PACKING[packing])
