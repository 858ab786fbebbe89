"""Which tiles a launch of products is cut into on a machine, and in which order they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.brought import brought_bytes
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.nests import FREE, Loops, Nest
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows
from tfmbs.runtime.abi.movement.plan import Buffers, Levels, Plan, Work
from tfmbs.runtime.abi.movement.slots import l1_buffers, least_l1, parkings, shares
from tfmbs.runtime.abi.records import Dataflow, LoopOrder


def planned(
    work: Work,
    wanted: Tile,
    dataflow: Dataflow,
    buffers: int,
    fabric: Sequence[int],
    machine: Machine,
    where: str,
    nest: Nest = FREE,
) -> Plan:
    """The plan for the tile and the loops that a schedule asks for: until everything fits, blocks are halved, then
    sizes of the tile, the largest first.

    Raises TfmbsError `unsupported`, located at `where`, where not even the smallest tile fits, and for products whose
    weights begin amid rows that lie abreast.
    """
    _check_first_rows(work.rhs, where)
    tile, is_free = first_tile(work, wanted), nest.order is LoopOrder.ANY
    while True:
        used = tuple(fabric[: work.products * -(-work.m // tile.m) * -(-work.n // tile.n)])
        plans = [
            Plan(tile, used, l1, l2, l3, dataflow, buffers > 1, loops._replace(m_fastest=m_fastest), is_free)
            for loops, l1, l2, l3 in _fitting(work, tile, buffers, len(used), machine, _loops(work, tile, nest))
            for m_fastest in ((True, False) if is_free else (nest.order is LoopOrder.ROWS,))
        ]
        if plans:
            return min(plans, key=lambda plan: brought_bytes(work, plan, machine))
        smaller = halved(tile, work)
        if smaller == tile:
            raise _refusal(work, tile, buffers, machine, where)
        tile = smaller


def _check_first_rows(rhs: Matrix, where: str) -> None:
    first = rhs.first_row(1, 0) if rhs.products > 1 else 0
    if first % rhs.abreast:
        what = f"products that share rows abreast of packing {rhs.packing.name}: weights of a product"
        raise TfmbsError("unsupported", where, what, f"a multiple of {rhs.abreast} rows", first)


def smallest_tile(work: Work) -> str:
    """What messages call it."""
    rhs = work.rhs
    return f"its smallest tile, {rhs.abreast} rows of {rhs.packing.name}," if rhs.abreast > 1 else "its smallest tile"


def _refusal(work: Work, tile: Tile, buffers: int, machine: Machine, where: str) -> TfmbsError:
    """Of the smallest tile."""
    what, needed = f"{smallest_tile(work)} does not fit the memories of the target", least_l1(work, tile, buffers)
    if needed <= machine.target.l1.size:
        return TfmbsError("unsupported", where, what)
    return TfmbsError("unsupported", where, what, f"an L1 of at least {needed} bytes", machine.target.l1.size)


def _loops(work: Work, tile: Tile, nest: Nest) -> Loops:
    """Loops with blocks of whole tiles and steps, as large as asked for at most, at least one."""
    rows, columns, steps = (-(-size // by) for size, by in zip((work.m, work.n, work.k), tile, strict=True))
    m, n, k = (max(1, size // by) for size, by in zip(nest[1:], tile, strict=True))
    return Loops(
        rows,
        columns,
        steps,
        min(rows, m) if nest.m else rows,
        min(columns, n) if nest.n else columns,
        min(steps, k) if nest.k else steps,
        nest.order is not LoopOrder.COLUMNS,
    )


def _fitting(
    work: Work, tile: Tile, buffers: int, fabric: int, machine: Machine, loops: Loops
) -> Iterator[tuple[Loops, Buffers, Levels, Levels]]:
    """The largest block of these loops at most whose sums have places to park, and slots of each memory."""
    l1 = l1_buffers(work, tile, buffers, machine.target.l1.size, parks=loops.parks)
    found = False
    while l1 and not found:
        for parked in parkings(tile, fabric, machine, loops):
            for l2, l3 in shares(work, tile, buffers, fabric, machine, *parked):
                found = True
                yield loops, l1, l2, l3
        smaller = loops.halved()
        found |= not loops.parks or smaller == loops
        loops = smaller


def _allowed(tile: Tile, work: Work) -> Tile:
    """With columns and a step of the reduction after which the operands may be cut."""
    tile = tile._replace(n=work.rhs.fitted_count(tile.n))
    if isinstance(work.lhs, Windows):
        return tile._replace(k=work.lhs.fitted_k(tile.k))
    unit = work.rhs.unit
    if unit == 0 or tile.k >= work.k:
        return tile._replace(k=work.k)
    return tile._replace(k=min(work.k, max(unit, tile.k // unit * unit)))


def first_tile(work: Work, wanted: Tile) -> Tile:
    """What a schedule asks for, as far as the work has it."""
    return _allowed(Tile(min(wanted.m, work.m), min(wanted.n, work.n), min(wanted.k, work.k)), work)


def halved(tile: Tile, work: Work) -> Tile:
    """The largest axis that can be halved is."""
    for axis in sorted(range(3), key=lambda axis: -tile[axis]):
        smaller = _allowed(Tile(*(max(1, size // 2) if i == axis else size for i, size in enumerate(tile))), work)
        if smaller != tile:
            return smaller
    return tile
