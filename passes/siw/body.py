"""Emission of the straight-line scalar body of a nest, with registers freed after their last use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.nest import Access, Compute, Gather, Nest, access_of, arguments_of, reads_of

Load = Callable[[int, Access, int | None], None]
"""Emits the load of an access into a vector register; the last argument is the register of displacements, if any."""


class Body:
    """Emits body values. `pinned` values are in registers already, and stay there."""

    def __init__(self, asm: Assembler, nest: Nest, load: Load, pinned: Mapping[int, int]) -> None:
        self._asm = asm
        self._nest = nest
        self._load = load
        self._pinned = pinned

    def run(self, roots: Sequence[int], targets: Mapping[int, int] | None = None) -> tuple[int, ...]:
        """Emits all that the values at `roots` need; returns the registers they are in, which `free` gives back.

        `targets` proposes a register for a root; it is used when nothing emitted later reads what is in there now.
        """
        needed = sorted(set().union(*(reads_of(self._nest.body, root) for root in roots)))
        last_use = self._last_uses(needed, roots)
        registers = dict(self._pinned)
        for position in needed:
            value = self._nest.body[position]
            if position in registers or not isinstance(value, Compute | Gather):
                continue
            for argument in arguments_of(value):
                self._ensure(argument, registers)
            arguments = [registers[argument] for argument in arguments_of(value)]
            for argument in set(arguments_of(value)):
                self._release(argument, position, last_use, registers)
            registers[position] = self._destination(position, targets or {}, last_use)
            if isinstance(value, Gather):
                self._load(registers[position], value.access, *arguments)
            else:
                self._asm.compute(value.op, value.dtype, registers[position], arguments, value.aux)
        for root in roots:
            self._ensure(root, registers)
        return tuple(registers[root] for root in roots)

    def free(self, registers: Sequence[int]) -> None:
        """Ends the use of registers that `run` returned."""
        kept = set(self._pinned.values())
        for register in dict.fromkeys(registers):
            if register not in kept:
                self._asm.vectors.give(register)

    def _last_uses(self, needed: Sequence[int], roots: Sequence[int]) -> dict[int, int]:
        last: dict[int, int] = {}
        for position in needed:
            if position not in self._pinned:
                last.update(dict.fromkeys(arguments_of(self._nest.body[position]), position))
        last.update(dict.fromkeys(roots, len(self._nest.body)))
        return last

    def _ensure(self, position: int, registers: dict[int, int]) -> None:
        if position not in registers:
            access = access_of(self._nest.body[position])
            assert access is not None
            registers[position] = self._asm.vectors.take()
            self._load(registers[position], access, None)

    def _release(self, argument: int, position: int, last_use: Mapping[int, int], registers: Mapping[int, int]) -> None:
        if last_use[argument] == position and argument not in self._pinned:
            self._asm.vectors.give(registers[argument])

    def _destination(self, position: int, targets: Mapping[int, int], last_use: Mapping[int, int]) -> int:
        """The proposed register, unless the pinned value in it is read after `position`."""
        proposed = targets.get(position)
        if proposed is None or any(r == proposed and last_use.get(p, -1) > position for p, r in self._pinned.items()):
            return self._asm.vectors.take()
        return proposed
