"""How long a product takes whose sums park between blocks of k, beside what each of its engines does."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from tfmbs.runtime.abi.movement.nests import Loops


class Panel(NamedTuple):
    """The operand whose tiles follow each other: chunks of a step, picoseconds of one through L3, and slots there."""

    chunks: int
    through_ps: int
    slots: int


class Load(NamedTuple):
    """Picoseconds that engines work, the array and others; of these `late` for results, the way of all results through
    their slots of L3, and a tile's way from L1 and back. `last`: k of the last block, of the `whole`."""

    array: int
    others: Sequence[int]
    late: Sequence[int]
    results: int
    there_and_back: int
    last: int
    whole: int


def parking_ps(loops: Loops, rounds: int, products: int, load: Load, panel: Panel, *, has_one_slot: bool) -> int:
    """Picoseconds of a launch in `rounds` output tiles one after the other; `has_one_slot` for sums in L1."""
    total = _with_results_last(load)
    if has_one_slot:  # sums go, and others come, between tiles
        total = max(total, load.array + rounds * -(-loops.steps // loops.block_steps) * load.there_and_back)
    counts = ((loops.rows, loops.block_rows), (loops.columns, loops.block_columns), (loops.steps, loops.block_steps))
    blocks = products * prod(-(-whole // part) for whole, part in counts)
    return total + blocks * _late_panel(loops, rounds, load.array, panel)


def _with_results_last(load: Load) -> int:
    """What the busiest engine does in each block of k, where all that is late comes with the last one."""
    even = [load.array, *(work - late for work, late in zip(load.others, load.late, strict=True))]
    late = [0, *load.late]
    last = max(work * load.last // load.whole + rest for work, rest in zip(even, late, strict=True))
    return max(even) * (load.whole - load.last) // load.whole + max(last, load.results)


def _late_panel(loops: Loops, rounds: int, array: int, panel: Panel) -> int:
    """What the array waits for the panel of the next block. Its chunks come through L3 from the last turn of all tiles
    of the one before, which no longer needs each chunk after its use, to the end of the first."""
    steps = (loops.block_rows if loops.m_fastest else loops.block_columns) * loops.block_steps
    turn = array * steps // (rounds * loops.steps)
    return max(0, steps * panel.chunks * panel.through_ps // panel.slots - 2 * turn)
