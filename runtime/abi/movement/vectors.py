"""VECTOR: a program in parts, each of which finds in L1 what it reads.

Of a program whose accesses depend on its operands, or of which a word needs more than fits, or which comes back to its
elements too often for its accesses to be noted, slot S accesses external memory itself: the program takes what its
words take, or, where that is more, the beats of a DMA engine for each run of neighbouring elements.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Level, Memory, Op
from tfmbs.runtime.abi.movement.kept import planned
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.parts import Parts
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.movement.prediction import predict_streams
from tfmbs.runtime.abi.movement.program import Timed, What
from tfmbs.runtime.abi.movement.walks import Walked, walk_of


def expand_vector(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a VECTOR launch, on the first tile of its mask."""
    tile = fabric_tiles(x, descriptor, where)[0]
    walk, walked = walk_of(x, descriptor)
    if walked.is_known:
        plan = planned(x, walk, walked, tile)
        return Launch(predict_streams(plan.stream, x.machine), lambda: Parts(x, walked.parts, plan, tile).add())
    if walked.branches:
        timed = Timed(walk.program, walk.windows, walk.engine)
        return Launch(None, lambda: _direct(x, walked, tile, walk.windows, timed))
    return Launch(_direct_prediction(walked, x.machine), lambda: _direct(x, walked, tile, walk.windows, None))


def _direct_prediction(walked: Walked, machine: Machine) -> Prediction:
    """What a program takes that accesses external memory itself: its words, its beats, or the bytes."""
    vector, external = _direct_cycles(walked, machine) * machine.core_ps, machine.external_ps(walked.bytes)
    moved = walked.bytes - walked.stored
    bounds = Bounds(0, vector, external, 0, 0, 0)
    return Prediction(bounds, Traffic(moved, 0, moved, walked.stored), 0, max(vector, external), machine.core_ps)


def _direct_cycles(walked: Walked, machine: Machine) -> int:
    dma = machine.engines[machine.first(EngineKind.DMA)]
    return max(walked.parts[0].cycles, -(-walked.beats * dma.period_ps // machine.core_ps))


def _direct(
    x: Expansion, walked: Walked, tile: int, windows: Sequence[tuple[int, int, int, int]], timed: Timed | None
) -> None:
    if timed is not None:
        x.program.timed.append(timed)
    number = len(x.program.timed) - 1 if timed is not None else -1
    engine = x.machine.first(EngineKind.VECTOR) + tile
    queue = x.machine.queue(engine, False)
    waits = [number for memory, *_ in windows for number in x.tokens(queue, memory)]
    places = [(memory, offset, offset + e * elements) for memory, offset, e, elements in windows]
    what = What(
        tile=tile,
        parameters=(Memory.L1 + tile, -1, True, True, number, walked.stored, 0, 0),
        reads=places,
        writes=[place for place in places if place[0] != Memory.WEIGHTS],
        bytes=walked.bytes,
        source=Level.EXTERNAL,
        target=Level.L1,
        operations=walked.words,
    )
    x.stored(x.program.add(Op.VECTOR, engine, x.launch, _direct_cycles(walked, x.machine), waits, what))
