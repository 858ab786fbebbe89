"""What the expansion of an entry keeps from launch to launch: memories, engines in turn, tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.cuts import copy_parts
from tfmbs.runtime.abi.movement.fields import Level, Memory
from tfmbs.runtime.abi.movement.intervals import Intervals
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.memory import Slot, Space
from tfmbs.runtime.abi.movement.program import Copy, Program, Way
from tfmbs.runtime.abi.types import Region

if TYPE_CHECKING:
    from tfmbs.runtime.abi.movement.walks import Walk, Walked, Walker

MEMORY_OF_REGION = {
    Region.WEIGHTS: Memory.WEIGHTS,
    Region.SCRATCH: Memory.SCRATCH,
    Region.STATE: Memory.STATE,
    Region.INPUT: Memory.INPUT,
    Region.OUTPUT: Memory.OUTPUT,
}
"""Where the tensors of a region lie; inputs and outputs count on by their slot."""

UNBOUNDED = 1 << 62
"""Bytes of the workspace: as many as launches ask for."""


LOAD, LIFT, FEED = (Way.of(Level(i), Level(i + 1)) for i in range(Level.L1))
STORE, SINK, DROP = (Way.of(Level(i + 1), Level(i)) for i in range(Level.L1))


class Part(NamedTuple):
    """Of a result on its way out: its first byte, and the BlockMover and the DMA engine that move it."""

    first: int
    mover: int
    dma: int


class Turns:
    """Queues of engines that share work: the one with the least so far takes the next, the first among equals."""

    def __init__(self, program: Program, engines: Sequence[int], outbound: int) -> None:
        self._work = program.work
        self._queues = {program.machine.queue(engine, bool(outbound)): engine for engine in engines}

    def take(self) -> int:
        """The engine for the next movement."""
        return self._queues[min(self._queues, key=self._work.__getitem__)]

    def spread(self, count: int) -> list[int]:
        """The engines for so many movements of about the same size, side by side."""
        queues = sorted(self._queues, key=self._work.__getitem__)
        return [self._queues[queues[number % len(queues)]] for number in range(count)]


def to_fill(slot: Slot, copies: Sequence[Copy]) -> list[int]:
    """Movements before copies to a slot, see `Slot.to_write`."""
    end = copies[0].end if len(copies) == 1 else max(copy.end for copy in copies)
    return slot.to_write(end - slot.address)


def to_fill_parts(slot: Slot, parts: Sequence[Sequence[Copy]]) -> list[list[int]]:
    """The same for each of several parts, see `Slot.to_write_parts`."""
    if len(parts) == 1 and not any(copy.has_holes for copy in parts[0]):
        return [to_fill(slot, parts[0])]
    return slot.to_write_parts(parts)


class Expansion:
    """Adds the movements of launches, those of an entry, to a program. `walker` is a `walks.Walker`; `walks` and
    `read_later` are kept by `walks` and `liveness`."""

    def __init__(self, image: Image, descriptors: Sequence[Row], machine: Machine, walker: Walker) -> None:
        self.image, self.machine, self.program = image, machine, Program(machine)
        self.descriptors, self.walker = descriptors, walker
        self.walks: dict[tuple[int, ...], tuple[Walk, Walked]] = {}
        self.read_later: dict[int, Intervals] = {}
        target = machine.target
        self.l3 = Space(self.program, Memory.L3, target.l3.size)
        self.l2 = Space(self.program, Memory.L2, target.l2.size)
        self.workspace = Space(self.program, Memory.WORKSPACE, UNBOUNDED)
        self.l1 = [Space(self.program, Memory.L1 + tile, target.l1.size) for tile in range(target.tiles)]
        dma, mover = (machine.first(kind) for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER))

        def turns(engines: Sequence[int], outbound: int) -> Turns:
            return Turns(self.program, engines, outbound)

        self._dma = [turns(range(dma, dma + target.dma.count), way) for way in range(2)]
        self._mover = [turns(range(mover, mover + target.block_mover.count), way) for way in range(2)]
        self._done: dict[int, list[int]] = {}  # by token: the last movements that the launch stored with
        self._tokens: list[int] = []
        self._waited: set[int] = set()
        self._stores: list[int] = []
        self._widths = [engine.width for engine in machine.engines]
        self.launch = 0

    def begin(self, launch: int, descriptor: Row) -> None:
        """Starts a launch: its number in the entry, and the tokens that its accesses to external memory wait for."""
        self.launch = launch
        first = descriptor["waits_first"]
        tokens = self.image.waits[first : first + descriptor["waits_count"]]
        self._tokens = [number for token in tokens for number in self._done.get(token, ())]
        self.program.await_tokens(launch, self._tokens)
        self._waited, self._stores = set(), []
        for space in (self.l3, self.l2, self.workspace, *self.l1):
            space.reset()

    def end(self, descriptor: Row) -> None:
        """Ends a launch: its token is signalled when all that it stored is there."""
        self.program.workspace = max(self.program.workspace, self.workspace.used)
        self._done[descriptor["signal"]] = list(self.program.last_of_queues(self._stores).values()) or self._tokens

    def tokens(self, queue: int, memory: int) -> list[int]:
        """What an access of a queue to external memory waits for; what is behind it in the queue waits with it."""
        if memory in (Memory.WEIGHTS, Memory.WORKSPACE) or queue in self._waited:
            return []
        self._waited.add(queue)
        return self._tokens

    @property
    def is_waiting(self) -> bool:
        """Whether accesses of the launch to external memory wait for earlier launches."""
        return bool(self._tokens)

    def stored(self, movement: int) -> None:
        """Notes a movement that the launch's token waits for."""
        self._stores.append(movement)

    def place(self, tensor: int) -> tuple[int, int]:
        """Memory and byte offset of a tensor."""
        row = self.image.tensors[tensor]
        return MEMORY_OF_REGION[Region(row["region"])] + row["slot"], row["offset"]

    # --- transfers --------------------------------------------------------------------------------------------------

    def load(self, copies: Sequence[Copy], slot: Slot, waits: Iterable[int] = (), parts: int = 1) -> None:
        """External memory to a slot of L3, in parts."""
        cut = copy_parts(copies, parts)
        for part, before in zip(cut, to_fill_parts(slot, cut), strict=True):
            engine = self._dma[0].take()
            queue, own = self.machine.queue(engine, outbound=False), [*before, *waits]
            for copy in part:
                own += self.tokens(queue, copy.source)
            number = self._transfer(engine, part, own, LOAD)
            slot.writers.append(number)
            if len(cut) > 1:
                slot.spans[number] = min(copy.to for copy in part), max(copy.end for copy in part)

    def lift(
        self, copies: Sequence[Copy], start: Slot, to: Slot, parts: int = 1, before: Sequence[int] | None = None
    ) -> None:
        """L3 to L2, transposed where the copies say so: at full speed. A part comes after what brings its bytes.
        `before`, if it is given, are the movements before the copies to a slot that several fill."""
        cut = copy_parts([copy.by_source() for copy in copies] if parts > 1 else copies, parts)
        for part, earlier in zip(cut, to_fill_parts(to, cut) if before is None else [before], strict=True):
            if len(part) == 1:
                (copy,) = part
                low, high, moved = copy.start, copy.source_end, copy.bytes
            else:
                low, high = min(copy.start for copy in part), max(copy.source_end for copy in part)
                moved = sum(copy.bytes for copy in part)
            own, spans = start.writers, start.spans
            if spans:
                own = [one for one in own if one not in spans or (spans[one][0] < high and low < spans[one][1])]
            engine = self._mover[0].take()
            beats = -(-moved // self._widths[engine])
            number = self.program.transfer(engine, self.launch, 0, beats, [*own, *earlier], part, LIFT)
            start.readers.append(number)
            to.writers.append(number)
            if len(cut) > 1:
                start.spans[number] = low, high
                to.spans[number] = min(copy.to for copy in part), max(copy.end for copy in part)

    def feed(self, copies: Sequence[Copy], start: Slot, to: Slot, tile: int) -> None:
        """L2 to L1 of a tile."""
        waits = [*start.writers, *to_fill(to, copies)]
        number = self._transfer(self.machine.streamer_of(tile), copies, waits, FEED, tile)
        start.readers.append(number)
        to.writers.append(number)

    def drop(
        self,
        start: Slot,
        size: int,
        levels: tuple[Slot, Slot],
        copies: Sequence[Copy],
        tile: int,
        waits: Iterable[int] = (),
        part: Part | None = None,
    ) -> int:
        """A result of `size` bytes, or a part of one, on its way out: L1, slots of L2 and L3, and with `copies`, after
        `waits`, to external memory."""
        first, mover, dma = part or (0, self._mover[1].take(), self._dma[1].take())
        l2, l3 = levels
        self.leave_l1(start, size, l2, tile, first)
        self.leave_l2(l2, size, l3, mover)
        return self._store(dma, copies, l3, waits)

    def leave_l1(self, start: Slot, size: int, l2: Slot, tile: int, first: int = 0) -> None:
        """Sums or results, `size` bytes from byte `first` on: L1 of a tile to L2."""
        number = self._outwards(self.machine.streamer_of(tile), start, l2, size, DROP, tile, first)
        start.readers.append(number)
        l2.writers.append(number)

    def leave_l2(self, l2: Slot, size: int, l3: Slot, mover: int | None = None) -> None:
        """What left L1: L2 to L3, by a BlockMover, or the one whose turn it is."""
        engine = self._mover[1].take() if mover is None else mover
        number = self._outwards(engine, l2, l3, size, SINK)
        l2.readers.append(number)
        l3.writers.append(number)

    def lower(self, starts: Sequence[Slot], to: Slot, copies: Sequence[Copy], tile: int, waits: Iterable[int]) -> None:
        """L1 of a tile to L2, where it is an operand: from several slots, after `waits`."""
        before = [*(number for start in starts for number in start.writers), *waits]
        number = self._transfer(self.machine.streamer_of(tile), copies, before, DROP, tile)
        for start in starts:
            start.readers.append(number)
        to.writers.append(number)

    def sink(self, copies: Sequence[Copy], start: Slot, to: Slot, before: Sequence[int] | None = None) -> None:
        """L2 to L3; `before` as for `lift`."""
        waits = [*start.writers, *(to_fill(to, copies) if before is None else before)]
        number = self._transfer(self._mover[1].take(), copies, waits, SINK)
        start.readers.append(number)
        to.writers.append(number)

    def carry(self, copies: Sequence[Copy], way: Way, waits: list[int], tile: int = 0) -> int:
        """Bytes of one on-chip level to a neighbouring one, or into L3; the caller knows who used them before."""
        if way.is_external:
            engine = self._dma[0].take()
            queue = self.machine.queue(engine, outbound=False)
            for copy in copies:
                waits += self.tokens(queue, copy.source)
        elif Level.L1 in (way.source, way.target):
            engine = self.machine.streamer_of(tile)
        else:
            engine = self._mover[way.outbound].take()
        return self._transfer(engine, copies, waits, way, tile)

    def outward(self, firsts: Sequence[int]) -> list[Part]:
        """Parts of a result that start at these bytes: side by side."""
        movers, dmas = (turns[1].spread(len(firsts)) for turns in (self._mover, self._dma))
        return [Part(*one) for one in zip(firsts, movers, dmas, strict=True)]

    def store(self, copies: Sequence[Copy], l3: Slot, waits: Iterable[int] = ()) -> int:
        """A slot of L3 to external memory."""
        return self._store(self._dma[1].take(), copies, l3, waits)

    def _store(self, engine: int, copies: Sequence[Copy], l3: Slot, waits: Iterable[int]) -> int:
        before = [*l3.writers, *waits]
        queue = self.machine.queue(engine, outbound=True)
        for copy in copies:
            before += self.tokens(queue, copy.target)
        number = self._transfer(engine, copies, before, STORE)
        l3.readers.append(number)
        self.stored(number)
        return number

    def _outwards(self, engine: int, start: Slot, to: Slot, size: int, way: Way, tile: int = 0, first: int = 0) -> int:
        """Bytes of a slot, from its byte `first` on, to the next level outwards."""
        down = Copy(start.memory, start.address + first, to.memory, to.address, 1, 0, 0, 1, 0, 0, size)
        beats = -(-size // self._widths[engine])
        waits = [*start.writers, *to.to_write(size)]
        return self.program.transfer(engine, self.launch, tile, beats, waits, (down,), way)

    def _transfer(self, engine: int, copies: Sequence[Copy], waits: Sequence[int], way: Way, tile: int = 0) -> int:
        width, beats = self._widths[engine], 0
        for copy in copies:
            beats += copy.cost(width)[1]
        return self.program.transfer(engine, self.launch, tile, beats, waits, copies, way)
