"""GROUP_GEMM: products whose weights have a scale for each group of k.

A chunk of weights has, for each column, the packed rows of its groups and then their scales. Reals: weights are scaled
where they enter the array, and the reduction is that of any product. Integers: the array takes a fold for each group,
whose sums start from 0; they are scaled and added where they leave it. Rows that become integers by their largest
magnitude (`ABSMAX`) come to L1 whole, and the vector engine makes them: for each row, a beat per `lanes` elements to
find the magnitude, one to scale, one to round and one to store, a division, and a latency of each unit. Their results
are divided by the factor of the row where they leave the array.
"""

from __future__ import annotations

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.group_operands import WORD, Groups, Magnitudes
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import bytes_of, epilogue_of, fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, span
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.products import OutputTile, ProductExpansion, Result
from tfmbs.runtime.abi.movement.program import Memory, Op, What
from tfmbs.runtime.abi.movement.tiles import Plan, Work, planned
from tfmbs.runtime.abi.records import Activations, Dataflow, ZeroSkip
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES
from tfmbs.runtime.abi.types import DType, Packing


def expand_groups(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a GROUP_GEMM."""
    image = x.image
    g = image.group_geometries[descriptor["geometry"]]
    schedule = image.schedules[descriptor["schedule"]]
    if schedule["zero_skip"] == ZeroSkip.CYCLE:
        raise TfmbsError("unsupported", where, "zero-skip mode CYCLE of weights in groups")
    lhs, rhs = (image.tensors[descriptor[name]] for name in ("lhs", "rhs"))
    m, n, k = g["m"], g["n"], g["k"]
    is_absmax = g["activations"] == Activations.ABSMAX
    left = (Magnitudes if is_absmax else Matrix)(
        *x.place(descriptor["lhs"]), DType(lhs["dtype"]), Packing.DENSE, 1, m, k, 0, g["lhs_m_stride"],
        g["lhs_k_stride"], True,
    )  # fmt: skip
    _, scales = x.place(g["scales"])
    right = Groups(
        *x.place(descriptor["rhs"]), DType(rhs["dtype"]), Packing(rhs["packing"]), 1, n, k, 0, k, 1, False,
        g["group"], scales, is_absmax,
    )  # fmt: skip
    memory, offset = x.place(descriptor["out"])
    epilogue = epilogue_of(x, descriptor, is_window=False)
    e = bytes_of(x, descriptor["out"])
    result = Result(memory, offset, e, False, lambda product: 0, n, lambda _: 0)
    work = Work(1, m, n, k, left, right, epilogue is not None, e, epilogue.sizes() if epilogue else ())
    wanted = Tile(schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
    fabric, flow = fabric_tiles(x, descriptor, where), Dataflow(schedule["dataflow"])
    plan = planned(work, wanted, flow, schedule["buffers"], fabric, x.machine, where)
    prediction = predict(work, plan, x.machine, epilogue.cycles if epilogue else None)
    return Launch(prediction, lambda: GroupExpansion(x, work, plan, result, epilogue, g["lhs_zero"]).run())


class GroupExpansion(ProductExpansion):
    """The movements of one GROUP_GEMM."""

    def __init__(
        self, expansion: Expansion, work: Work, plan: Plan, result: Result, epilogue: Epilogue | None, lhs_zero: int
    ) -> None:
        super().__init__(expansion, work, plan, result, epilogue, lhs_zero)
        assert isinstance(work.rhs, Groups)
        self.rhs = work.rhs
        self.is_absmax = isinstance(work.lhs, Magnitudes)
        self.made: dict[Slot, Slot] = {}  # by slots of rows: what these become
        self.is_real = not work.has_integer_groups

    def _fed(self, out: OutputTile, slot: Slot) -> None:
        """Rows in L1 become integers."""
        if not self.is_absmax:
            return
        x, rows, k = self.x, out.m.size, self.work.k
        if slot not in self.made:
            self.made[slot] = x.l1[out.fabric].split(slot, self.plan.tile.m * k * WORD)
        made = self.made[slot]
        integers, size = made.address + rows * WORD, rows * (k + WORD)
        what = What(
            tile=out.fabric,
            parameters=(slot.memory, slot.address, integers, made.address, rows, k),
            reads=[slot.place(rows * k * WORD)],
            writes=[made.place(size)],
            operations=rows * k,
        )
        assert isinstance(self.work.lhs, Magnitudes)
        cycles = self.work.lhs.integer_cycles(x.machine.target)
        engine = x.machine.first(EngineKind.VECTOR) + out.fabric
        waits = [*slot.writers, *made.to_write(size)]
        number = x.program.add(Op.QUANTIZE, engine, x.launch, rows * cycles, waits, what)
        slot.readers.append(number)
        made.writers.append(number)

    def _fold(self, out: OutputTile, k: int, lhs: Slot, rhs: Slot, sums: Slot) -> None:
        x, work, group = self.x, self.work, self.rhs.group
        m, n, depth = out.m.size, out.n.size, span(k, self.plan.tile.k, work.k)
        lhs = self.made.get(lhs, lhs)
        factors, left = (lhs.address, lhs.address + m * WORD) if self.is_absmax else (-1, lhs.address)
        row = self.rhs.row_bytes(depth.size)
        parameters = (
            Memory.L1 + out.fabric, left, rhs.address, sums.address, m, n, depth.size, self.is_real, k == 0,
            self.lhs_zero, work.rhs.packing, row, False, 0, False, depth.size, n, group, factors, -1,
        )  # fmt: skip
        used = m * n * ACCUMULATOR_BYTES
        waits = [*lhs.writers, *rhs.writers, *(sums.to_write(used) if k == 0 else sums.writers)]
        size = m * (depth.size + WORD) if self.is_absmax else m * depth.size * work.lhs.element_bytes
        reads = [lhs.place(size), rhs.place(n * row)]
        what = What(
            tile=out.fabric,
            parameters=parameters,
            reads=reads if k == 0 else [*reads, sums.place(used)],
            writes=[sums.place(used)],
            macs=m * n * depth.size,
        )
        engine = x.machine.first(EngineKind.ARRAY) + out.fabric
        number = x.program.add(Op.FOLD, engine, x.launch, self._array_cycles(m, n, depth.size, k > 0), waits, what)
        lhs.readers.append(number)
        rhs.readers.append(number)
        sums.writers = [number]

    def _array_cycles(self, m: int, n: int, k: int, is_continued: bool) -> int:
        machine, plan = self.x.machine, self.plan
        if self.is_real:
            return array_cycles(machine, plan.dataflow, Sizes(m, n, k), plan.is_buffered, is_continued)
        group = self.rhs.group
        return k // group * array_cycles(machine, plan.dataflow, Sizes(m, n, group), plan.is_buffered, False)
