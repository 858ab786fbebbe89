"""Liveness of virtual registers in scheduled programs, and which of them may not share a register."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfmbs.passes.siw.machine import ZERO, Bank, Loop, Reg, Skip
from tfmbs.passes.siw.schedule import Node, Word, words_of


class Liveness:
    """Which registers are live behind every word (`out`) and region (`after`), as bit masks over `order`.

    `partial` are registers whose old value a write does not end. `at_end` are live when the program ends.
    """

    def __init__(self, nodes: Sequence[Node], partial: frozenset[Reg], at_end: Iterable[Reg] = ()) -> None:
        self.order: list[Reg] = []
        self.bit: dict[Reg, int] = {}
        self.out: dict[Word, int] = {}
        self.after: dict[Loop | Skip, int] = {}
        self._partial = partial
        self._effects: dict[Word, tuple[int, int, int, bool]] = {}
        for word in words_of(nodes):
            self._effects[word] = self._effect(word)
        end = sum(self._bit(register) for register in at_end)
        self.at_start = self._walk(nodes, end, 0)

    def _bit(self, register: Reg) -> int:
        bit = self.bit.get(register)
        if bit is None:
            bit = self.bit[register] = 1 << len(self.order)
            self.order.append(register)
        return bit

    def _effect(self, word: Word) -> tuple[int, int, int, bool]:
        """(registers read, registers written, registers whose old value ends, whether it may leave its loop)."""
        reads = writes = ends = 0
        breaks = False
        for instr in word:
            for register in instr.reads:
                reads |= self._bit(register)
            written = instr.writes
            if written is not None and written != ZERO:
                writes |= self._bit(written)
                if not instr.op.acc and written not in self._partial:
                    ends |= self._bit(written)
            breaks = breaks or instr.op.name == "BREAK"
        return reads, writes, ends, breaks

    def _walk(self, nodes: Sequence[Node], live: int, leaving: int) -> int:
        """Live registers before `nodes`, where `live` are live behind them and `leaving` behind the innermost loop."""
        for node in reversed(nodes):
            if isinstance(node, Word):
                reads, _, ends, breaks = self._effects[node]
                if breaks:
                    live |= leaving
                self.out[node] = live
                live = live & ~ends | reads
                continue
            self.after[node.item] = live
            if isinstance(node.item, Loop):
                live = self._loop(node.item, node.body, live)
            else:
                live |= self._walk(node.body, live, leaving)
        return live

    def _loop(self, loop: Loop, body: Sequence[Node], after: int) -> int:
        head = self._walk(body, after, after)
        again = self._walk(body, after | head, after)
        while again != head:
            head, again = again, self._walk(body, after | again, after)
        return head if loop.trips else head | after

    def registers(self, mask: int) -> list[Reg]:
        """The registers of a bit mask."""
        found = []
        while mask:
            low = mask & -mask
            found.append(self.order[low.bit_length() - 1])
            mask ^= low
        return found

    def written(self, word: Word) -> int:
        """The registers that a word writes."""
        return self._effects[word][1]

    def touched(self, word: Word) -> int:
        """The registers that a word reads or writes."""
        reads, writes, _, _ = self._effects[word]
        return reads | writes


def is_vector(register: Reg) -> bool:
    """Whether it is one or two vector registers."""
    return register.bank is not Bank.SCALAR


def drop_unread(nodes: list[Node], live: Liveness) -> bool:
    """Removes scalar operations whose results nothing reads, and words that become empty; says whether it found any."""
    found = False
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Word):
            instr = node.slots.get("S")
            written = instr.writes if instr is not None else None
            if written is not None and written.bank is Bank.SCALAR and not live.out[node] & live.bit[written]:
                del node.slots["S"]
                found = True
            if node.slots:
                kept.append(node)
        else:
            found = drop_unread(node.body, live) or found
            node.body = node.body or [Word()]
            kept.append(node)
    nodes[:] = kept
    return found


def interference(live: Liveness, nodes: Sequence[Node]) -> list[int]:
    """For each register of `live.order`, the mask of those of the same kind that hold something else at some time.

    What a word writes is distinct from what is live behind it and from what else it writes; registers that are live at
    the start of the program are distinct from each other.
    """
    conflicts = [0] * len(live.order)
    vectors = sum(live.bit[register] for register in live.order if is_vector(register))

    def clash(written: int, others: int) -> None:
        while written:
            low = written & -written
            written ^= low
            conflicts[low.bit_length() - 1] |= others & (vectors if low & vectors else ~vectors)

    clash(live.at_start, live.at_start)
    for word in words_of(nodes):
        written = live.written(word)
        clash(written, live.out[word] | written)
    for index in range(len(conflicts)):
        mask = conflicts[index] & ~(1 << index)
        conflicts[index] = mask
        bit = 1 << index
        while mask:
            low = mask & -mask
            conflicts[low.bit_length() - 1] |= bit
            mask ^= low
    return conflicts
