"""COPY: through L3 in pieces."""

from __future__ import annotations

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.memory import Ring
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.movement.program import Copy

PIECES = 8  # slots of L3: two for each of four engines


def expand_copy(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a COPY: pieces of an eighth of L3 go in and out."""
    size = x.image.tensors[descriptor["out"]]["bytes"]
    (source, start), (target, to) = x.place(descriptor["lhs"]), x.place(descriptor["out"])
    if source == target and start < to + size and to < start + size:
        raise TfmbsError("unsupported", where, "the movement rule copies between bytes that do not overlap")
    piece = x.machine.target.l3.size // PIECES // 64 * 64

    def add() -> None:
        ring = Ring(x.l3.slots(PIECES, piece))
        for first in range(0, size, piece):
            run = min(piece, size - first)
            slot = ring.take()
            x.load([Copy(source, start + first, slot.memory, slot.address, run=run)], slot)
            x.store([Copy(slot.memory, slot.address, target, to + first, run=run)], slot)

    return Launch(_predicted(size, piece, x.machine), add)


def _predicted(size: int, piece: int, machine: Machine) -> Prediction:
    """External memory or the DMA engines are busy with all bytes, in and out, one piece each; the last one goes out by
    itself."""
    engines = machine.target.dma.count
    dma = machine.engines[machine.first(EngineKind.DMA)]
    pieces = [min(piece, size - first) for first in range(0, size, piece)]

    def beats(size: int) -> int:
        return -(-size // dma.width) * dma.period_ps

    turns = -(-len(pieces) // engines)
    external, moved = machine.external_ps(2 * size), 2 * turns * beats(pieces[0])
    last = max(0, beats(pieces[-1]) - machine.external_ps(pieces[-1]))
    total = max(external + last, moved)
    return Prediction(Bounds(0, 0, external, moved, 0, 0), Traffic(size, 0, 0, size), last, total, machine.core_ps)
