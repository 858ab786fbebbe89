"""COPY: through L3 in pieces."""

from __future__ import annotations

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.memory import Ring
from tfmbs.runtime.abi.movement.program import Copy

PIECES = 8  # slots of L3: two for each of four engines


def expand_copy(x: Expansion, descriptor: Row, where: str) -> None:
    """Adds a COPY: pieces of an eighth of L3 go in and out."""
    size = x.image.tensors[descriptor["out"]]["bytes"]
    (source, start), (target, to) = x.place(descriptor["lhs"]), x.place(descriptor["out"])
    if source == target and start < to + size and to < start + size:
        raise TfmbsError("unsupported", where, "the movement rule copies between bytes that do not overlap")
    piece = x.machine.target.l3.size // PIECES // 64 * 64
    ring = Ring(x.l3.slots(PIECES, piece))
    for first in range(0, size, piece):
        run = min(piece, size - first)
        slot = ring.take()
        x.load([Copy(source, start + first, slot.memory, slot.address, run=run)], slot)
        x.store([Copy(slot.memory, slot.address, target, to + first, run=run)], slot)
