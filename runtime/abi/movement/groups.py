"""GROUP_GEMM: products whose weights have a scale for each group of k.

Reals: weights are scaled where they enter the array, and the reduction is that of any product. Integers: the array
takes a fold for each group, whose sums start from 0; they are scaled and added where they leave it. Where k is one
group, steps go on with integer sums, and the last one scales them. Rows that become integers by their largest magnitude
(`ABSMAX`) are made on the vector engine, a while before the array needs them, see `row_plan` and `made_rows`; results
are divided by the factor of the row where they leave the array.
"""

from __future__ import annotations

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.group_operands import WORD, Groups, Magnitudes, factors_at, integers_bytes
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import bytes_of, epilogue_of, fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.made_rows import MadeRows
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.nests import Nest
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Tile, span
from tfmbs.runtime.abi.movement.plan import Plan, Work
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.products import OutputTile, Own, ProductExpansion, Result
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.row_pace import paced
from tfmbs.runtime.abi.movement.row_plan import RowPlan, planned_rows, predict_rows
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.records import Activations, Dataflow, LoopOrder, ZeroSkip
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
        g["group"], scales, is_absmax or left.element_bytes != WORD,
    )  # fmt: skip
    memory, offset = x.place(descriptor["out"])
    epilogue = epilogue_of(x, descriptor, is_window=False)
    e = bytes_of(x, descriptor["out"])
    result = Result(memory, offset, e, False, lambda product: 0, n, lambda _: 0)
    work = Work(1, m, n, k, left, right, epilogue is not None, e, epilogue.sizes() if epilogue else ())
    wanted = Tile(schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
    fabric, flow = fabric_tiles(x, descriptor, where), Dataflow(schedule["dataflow"])
    cycles, zero = epilogue.cycles if epilogue else None, g["lhs_zero"]
    if is_absmax:
        rows = planned_rows(work, wanted, flow, schedule["buffers"], fabric, x.machine, where)
        prediction = predict_rows(work, rows, x.machine, cycles)
        return Launch(prediction, lambda: RowExpansion(x, work, rows, result, epilogue, zero).run())
    order = Nest(LoopOrder(schedule["order"]))
    plan = planned(work, wanted, flow, schedule["buffers"], fabric, x.machine, where, order)
    prediction = predict(work, plan, x.machine, cycles)
    return Launch(prediction, lambda: GroupExpansion(x, work, plan, result, epilogue, zero).run())


class GroupExpansion(ProductExpansion):
    """The movements of one GROUP_GEMM."""

    def __init__(
        self, expansion: Expansion, work: Work, plan: Plan, result: Result, epilogue: Epilogue | None, lhs_zero: int
    ) -> None:
        super().__init__(expansion, work, plan, result, epilogue, lhs_zero)
        assert isinstance(work.rhs, Groups)
        self.rhs = work.rhs
        self.is_real = not work.has_integer_groups

    def _fold(self, out: OutputTile, k: int, lhs: Slot, rhs: Slot, sums: Slot) -> None:
        x, work = self.x, self.work
        m, n, depth = out.m.size, out.n.size, span(k, self.plan.tile.k, work.k)
        is_last = depth.first + depth.size == work.k
        is_scaled = self.is_real or depth.size >= self.rhs.group or is_last
        group = self.rhs.group if is_scaled else 0  # until then, sums are integers
        divides = is_last and isinstance(work.lhs, Magnitudes)
        factors = lhs.address + factors_at(m, depth.size) if divides else -1
        row = self.rhs.chunk_row_bytes(depth)
        parameters = (
            Memory.L1 + out.fabric, lhs.address, rhs.address, sums.address, m, n, depth.size, self.is_real, k == 0,
            self.lhs_zero, work.rhs.packing, row, False, 0, False, depth.size, n, group, factors, -1,
        )  # fmt: skip
        used = m * n * ACCUMULATOR_BYTES
        waits = [*lhs.writers, *rhs.writers, *(sums.to_write(used) if k == 0 else sums.writers)]
        size = m * depth.size * (WORD if self.is_real else 1)
        reads = [lhs.place(integers_bytes(m, depth.size) if divides else size), rhs.place(self.rhs.bytes_of(n, depth))]
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
        machine, plan, group = self.x.machine, self.plan, self.rhs.group
        if self.is_real or group == self.work.k:
            return array_cycles(machine, plan.dataflow, Sizes(m, n, k), plan.is_buffered, is_continued)
        return k // group * array_cycles(machine, plan.dataflow, Sizes(m, n, group), plan.is_buffered, False)


class RowExpansion(GroupExpansion):
    """The movements of one whose rows become integers: L1 takes these from where they stay in L2."""

    def __init__(
        self, expansion: Expansion, work: Work, plan: RowPlan, result: Result, epilogue: Epilogue | None, lhs_zero: int
    ) -> None:
        super().__init__(expansion, work, plan, result, epilogue, lhs_zero)
        self.made = MadeRows(expansion, work, plan)
        rounds = [[out.row for out in one] for one, _, _ in self.rounds]
        self.pace = paced(self.made.uses, rounds, self.steps, plan.making)
        self._next = 0

    def _before(self, step: int) -> None:
        """Rows become integers, as many as are due."""
        while self._next < len(self.pace) and self.pace[self._next] <= step:
            self.made.make(self.made.uses[self._next])
            self._next += 1

    def _l2_keys(self, operand: int, out: OutputTile, k: int) -> list[Key]:
        return super()._l2_keys(operand, out, k) if operand else []

    def _lhs_in_l1(self, tile: Own, out: OutputTile, k: int) -> Slot:
        slot, is_brought = tile.lhs.use()
        if is_brought:
            start, rows, whole = self.made.kept_of(out.row), out.m.size, self.work.k
            depth = span(k, self.plan.tile.k, whole)
            at = start.address + depth.first
            copies = [Copy(start.memory, at, slot.memory, slot.address, 1, 0, 0, rows, whole, depth.size, depth.size)]
            if depth.first + depth.size == whole:
                source, target = start.address + factors_at(rows, whole), slot.address + factors_at(rows, depth.size)
                copies.append(Copy(start.memory, source, slot.memory, target, run=rows * WORD))
            self.x.feed(copies, start, slot, out.fabric)
        return slot
