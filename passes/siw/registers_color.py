"""Graph coloring: physical registers for virtual ones that conflict, pairs of vector registers among them.

Registers that fewer others stand in the way of than there are places can be colored last, whatever the others get;
removing them one by one orders the graph. Where none is left to remove, the one that is cheapest to spill goes, in the
hope that its neighbours leave it a place after all (Briggs).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.machine import Bank, CodegenError, Reg
from tfmbs.runtime.abi import siw


@dataclass(frozen=True)
class Coloring:
    """The physical register of each virtual one (of a pair, the first), and those that found none."""

    color: dict[Reg, int]
    failed: tuple[Reg, ...]


def color(
    order: Sequence[Reg], conflicts: Sequence[int], cost: Mapping[Reg, float], reserved: Collection[int] = ()
) -> Coloring:
    """Colors the graph of `conflicts` (`registers.interference`).

    `reserved` scalar registers are not handed out; `cost` of spilling a register decides which goes without one.
    Raises CodegenError when two registers that must be in the same place conflict.

    Values are spread over the registers where there are enough, so that none waits for the readers of another.
    """
    kept = frozenset(reserved)
    coloring = _Graph(order, conflicts, cost, kept, spread=True).run()
    return coloring if not coloring.failed else _Graph(order, conflicts, cost, kept, spread=False).run()


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


class _Graph:
    def __init__(
        self,
        order: Sequence[Reg],
        conflicts: Sequence[int],
        cost: Mapping[Reg, float],
        reserved: frozenset[int],
        *,
        spread: bool,
    ) -> None:
        self.spread = spread
        self.users = [0] * siw.VECTOR_REGISTERS
        self.order = order
        self.near = [_bits(mask) for mask in conflicts]
        self.cost = cost
        scalars = siw.SCALAR_REGISTERS - 1 - len(reserved - {0})
        self.scalars = [n for n in range(1, siw.SCALAR_REGISTERS) if n not in reserved]
        self.places = {Bank.SCALAR: scalars, Bank.VECTOR: siw.VECTOR_REGISTERS, Bank.PAIR: siw.VECTOR_REGISTERS // 2}
        self.taken = [0] * len(order)  # mask of physical registers, of those that are colored

    def run(self) -> Coloring:
        fixed = [n for n, register in enumerate(self.order) if register.fixed is not None]
        for node in fixed:
            self._fix(node)
        failed = [node for node in reversed(self._removal(set(fixed))) if not self._select(node)]
        colors = {
            register: (self.taken[n] & -self.taken[n]).bit_length() - 1
            for n, register in enumerate(self.order)
            if self.taken[n]
        }
        return Coloring(colors, tuple(self.order[node] for node in failed))

    def _mask(self, node: int, first: int) -> int:
        return (3 if self.order[node].bank is Bank.PAIR else 1) << first

    def _fix(self, node: int) -> None:
        register = self.order[node]
        assert register.fixed is not None
        mask = self._mask(node, register.fixed)
        if any(self.taken[other] & mask for other in self.near[node]):
            raise CodegenError(f"two values are needed at once in {register.bank.value}{register.fixed}")
        self.taken[node] = mask

    def _weight(self, node: int, other: int) -> int:
        """How many places of `node` its neighbour `other` takes."""
        wide = self.order[other].bank is Bank.PAIR and self.order[node].bank is Bank.VECTOR
        return 2 if wide else 1

    def _removal(self, fixed: set[int]) -> list[int]:
        """The order in which registers are removed from the graph; they are colored in the opposite one."""
        left = [n for n in range(len(self.order)) if n not in fixed]
        load = {n: sum(self._weight(n, other) for other in self.near[n]) for n in left}
        easy = [n for n in left if load[n] < self.places[self.order[n].bank]]
        hard = {n for n in left if load[n] >= self.places[self.order[n].bank]}
        gone = set(fixed)
        removed: list[int] = []
        while easy or hard:
            if easy:
                node = easy.pop()
            else:
                node = min(hard, key=lambda n: (self.cost.get(self.order[n], 0.0) / (1 + load[n]), n))
                hard.discard(node)
            gone.add(node)
            removed.append(node)
            for other in self.near[node]:
                if other in gone:
                    continue
                load[other] -= self._weight(other, node)
                if other in hard and load[other] < self.places[self.order[other].bank]:
                    hard.discard(other)
                    easy.append(other)
        return removed

    def _select(self, node: int) -> bool:
        used = 0
        for other in self.near[node]:
            used |= self.taken[other]
        bank = self.order[node].bank
        if bank is Bank.SCALAR:
            choices: Sequence[int] = self.scalars
        elif bank is Bank.PAIR:
            choices = range(0, siw.VECTOR_REGISTERS, 2)
        else:  # registers beside one in use first: pairs need both halves
            halves = range(siw.VECTOR_REGISTERS)
            choices = sorted(halves, key=lambda n: not used >> (n ^ 1) & 1)
        if self.spread and bank is not Bank.SCALAR:
            choices = sorted(choices, key=lambda n: self.users[n])
        for first in choices:
            mask = self._mask(node, first)
            if not used & mask:
                self.taken[node] = mask
                if bank is not Bank.SCALAR:
                    self.users[first] += 1
                    self.users[first + 1 if bank is Bank.PAIR else first] += 1
                return True
        return False
