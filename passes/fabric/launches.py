"""Descriptors of kernel-level ops: operands, geometry, schedule, tiles, epilogue, telemetry and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import Schedule, schedule_of
from tfmbs.dialect.kernel import GEMM_KINDS
from tfmbs.dialect.location import UNKNOWN, place
from tfmbs.dialect.semantics import Semantics, all_semantics
from tfmbs.dialect.telemetry import Telemetry, telemetry_of
from tfmbs.passes.fabric.memory import Memory
from tfmbs.passes.fabric.order import Order
from tfmbs.passes.fabric.sources import Run
from tfmbs.passes.fabric.tables import Tables, TensorKey
from tfmbs.passes.fabric.vector import VectorCode, VectorLaunch
from tfmbs.runtime.abi.records import GEOMETRY_OF_KIND, NONE, Dataflow, Kind, ZeroSkip
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import SPARSE, DType

_TILE_0 = 1
_WORD = 64


@dataclass
class Launches:
    """Appends the descriptors of one function to the tables.

    `scratch` is the size of its scratch memory, in bytes; `phase` what its network is for.
    """

    tables: Tables
    memory: Memory
    target: Target
    first: int
    scratch: int
    verify_schedules: bool = False
    phase: str = ""

    def __post_init__(self) -> None:
        self.vector = VectorCode(self.tables, self.memory, self.target, self.scratch, self.verify_schedules)
        self.order = Order()

    def gemm(self, op: Any) -> None:
        """A GEMM or GEMV."""
        self._product(op, GEMM_KINDS[op.opview.kind], op.opview.geometry)

    def conv2d(self, op: Any) -> None:
        """A CONV2D."""
        self._product(op, Kind.CONV2D, op.opview.geometry)

    def conv3d(self, op: Any) -> None:
        """A CONV3D."""
        self._product(op, Kind.CONV3D, op.opview.geometry)

    def attention(self, op: Any) -> None:
        """An ATTENTION: the args table lists values and mask."""
        query, key, values, out, *mask = op.operands
        reads = [self.memory.key(value, op) for value in (query, key, values, *mask)]
        fields = {name: self.memory.tensor(v, op) for name, v in (("lhs", query), ("rhs", key), ("out", out))}
        further = [self.memory.tensor(value, op) for value in (values, *mask)]
        fields["geometry"] = self._geometry(Kind.ATTENTION, op.opview.geometry)
        fields["schedule"] = self._schedule(schedule_of(op) or self._default_schedule(), reads[1])
        fields |= {"args_first": self.tables.extend(self.tables.args, further), "args_count": len(further)}
        self._append(op, Kind.ATTENTION, fields, reads, [self.memory.key(out, op)])

    def lstm(self, op: Any) -> None:
        """An LSTM: the args table lists the weights of states and what else there is."""
        source, weights, recurrent, out, *more = op.operands
        reads = [self.memory.key(value, op) for value in (source, weights, recurrent, *more)]
        fields = {name: self.memory.tensor(v, op) for name, v in (("lhs", source), ("rhs", weights), ("out", out))}
        further = [self.memory.tensor(value, op) for value in (recurrent, *more)]
        fields["geometry"] = self._geometry(Kind.LSTM, op.opview.geometry)
        fields["schedule"] = self._schedule(schedule_of(op) or self._default_schedule(), reads[1])
        fields |= {"args_first": self.tables.extend(self.tables.args, further), "args_count": len(further)}
        self._append(op, Kind.LSTM, fields, reads, [self.memory.key(out, op)])

    def pool(self, op: Any) -> None:
        """A POOL."""
        source, out = op.operands
        fields = {
            "lhs": self.memory.tensor(source, op),
            "out": self.memory.tensor(out, op),
            "geometry": self._geometry(Kind.POOL, op.opview.geometry),
        }
        self._append(op, Kind.POOL, fields, [self.memory.key(source, op)], [self.memory.key(out, op)])

    def copy(self, op: Any) -> None:
        """A COPY."""
        source, out = op.operands
        fields = {"lhs": self.memory.tensor(source, op), "out": self.memory.tensor(out, op)}
        self._append(op, Kind.COPY, fields, [self.memory.key(source, op)], [self.memory.key(out, op)])

    def generic(self, op: Any) -> None:
        """A VECTOR launch."""
        launch = self.vector.generic(op, self._name(op, Kind.VECTOR))
        self._append(op, Kind.VECTOR, self._program(launch), launch.reads, launch.writes, launch.origins)

    def program(self, op: Any) -> None:
        """A VECTOR launch of structured code."""
        launch = self.vector.program(op, self._name(op, Kind.VECTOR))
        self._append(op, Kind.VECTOR, self._program(launch), launch.reads, launch.writes, launch.origins)

    def group_gemm(self, op: Any) -> None:
        """A GROUP_GEMM."""
        lhs, rhs, scales, *rest = op.operands
        geometry = {**op.opview.geometry, "scales": self.memory.tensor(scales, op)}
        self._product(op, Kind.GROUP_GEMM, geometry, [lhs, rhs, *rest])

    def _product(self, op: Any, kind: Kind, geometry: Mapping[str, int], operands: Sequence[Any] = ()) -> None:
        lhs, rhs, out, *rest = operands or op.operands
        reads = [self.memory.key(value, op) for value in (lhs, rhs)]
        fields = {name: self.memory.tensor(v, op) for name, v in (("lhs", lhs), ("rhs", rhs), ("out", out))}
        fields["geometry"] = self._geometry(kind, geometry)
        fields["schedule"] = self._schedule(
            schedule_of(op) or self._default_schedule(), reads[1], reads[0] if kind is not Kind.GROUP_GEMM else None
        )
        origins: tuple[Run, ...] = ()
        if op.opview.has_epilogue:
            launch = self.vector.epilogue(op, rest, f"{self._name(op, kind)}.epilogue")
            fields |= self._program(launch)
            reads += launch.reads
            origins = launch.origins
        self._append(op, kind, fields, reads, [self.memory.key(out, op)], origins)

    def _program(self, launch: VectorLaunch) -> dict[str, int]:
        first = self.tables.extend(self.tables.args, launch.windows)
        return {"program": launch.program, "args_first": first, "args_count": len(launch.windows)}

    def _geometry(self, kind: Kind, values: Mapping[str, float]) -> int:
        record = GEOMETRY_OF_KIND[kind]
        assert record is not None
        return self.tables.row(record.name, dict(values))

    def _default_schedule(self) -> Schedule:
        array = self.target.array
        return Schedule(Dataflow[array.dataflows[0].upper()], (array.rows, array.columns, 1), 1, _TILE_0)

    def _schedule(self, schedule: Schedule, rhs: TensorKey, lhs: TensorKey | None = None) -> int:
        """Zero weights save cycles or energy where the target can: trits are many of them.

        Cycles: those of a compacted stream in the product of integers `lhs`.
        """
        modes, skips = {ZeroSkip[mode.upper()] for mode in self.target.zero_skip}, ZeroSkip.NONE
        if rhs.dtype is DType.TRIT and ZeroSkip.ENERGY in modes:
            skips = ZeroSkip.ENERGY
        if rhs.packing in SPARSE and ZeroSkip.CYCLE in modes and lhs is not None and lhs.dtype is DType.I8:
            skips = ZeroSkip.CYCLE
        tile_m, tile_n, tile_k = schedule.tiles
        return self.tables.row(
            "schedule",
            {
                "dataflow": schedule.dataflow,
                "buffers": schedule.buffers,
                "zero_skip": skips,
                "tile_m": tile_m,
                "tile_n": tile_n,
                "tile_k": tile_k,
                "order": schedule.order,
                **dict(zip(("block_m", "block_n", "block_k"), schedule.block, strict=True)),
            },
        )

    def _mask(self, bits: int) -> int:
        words = tuple(bits >> _WORD * i & ((1 << _WORD) - 1) for i in range(4))
        return self.tables.row("mask", {"words": words})

    def _name(self, op: Any, kind: Kind) -> str:
        telemetry = telemetry_of(op)
        number = len(self.tables.locations) - self.first
        return telemetry.layer if telemetry else f"{kind.name.lower()}{number}"

    def _telemetry(self, telemetry: Telemetry | None, mask: int) -> int:
        if telemetry is None:
            return NONE
        order = telemetry.fusion_order
        return self.tables.row(
            "telemetry",
            {
                "layer": telemetry.layer,
                "mask": mask if telemetry.tile_mask is None else self._mask(telemetry.tile_mask),
                "zero_count": telemetry.zero_count,
                "total": telemetry.total,
                "sparsity": telemetry.sparsity,
                "fusion_order": -1 if order is None else order,
                "fusion_sparsity": telemetry.fusion_sparsity or 0.0,
            },
        )

    def _append(
        self,
        op: Any,
        kind: Kind,
        fields: Mapping[str, int],
        reads: Sequence[TensorKey],
        writes: Sequence[TensorKey],
        origins: Sequence[Run] = (),
    ) -> None:
        number = len(self.tables.locations)
        parts = all_semantics(op)
        schedule = schedule_of(op)
        mask = self._mask(schedule.tile_mask if schedule else _TILE_0)
        waits = [self.first + launch for launch in self.order.add(reads, writes)]
        optional = dict.fromkeys(("lhs", "rhs", "out", "geometry", "schedule", "program"), NONE)
        self.tables.append(
            "descriptor",
            {
                **optional,
                "args_first": 0,
                "args_count": 0,
                **fields,
                "kind": kind,
                "mask": mask,
                "waits_first": self.tables.extend(self.tables.waits, waits) if waits else 0,
                "waits_count": len(waits),
                "signal": number,
                "telemetry": self._telemetry(telemetry_of(op), mask),
                "name": self._name(op, kind),
            },
        )
        self.tables.locations.append(op.location)
        where = place(op.location)
        if where != UNKNOWN:
            self.tables.append("debug", {"descriptor": number, "location": str(where)})
        for run in origins:
            row = {"first_word": run.first, "word_count": run.count, "slots": run.slots}
            self.tables.append("origin", {"descriptor": number, "location": run.place, **row})
        self._semantics(number, parts)

    def _semantics(self, number: int, parts: Sequence[Semantics]) -> None:
        """The ops of the network that launch `number` does."""
        for part in parts:
            row = {"number": part.number, "pattern": part.pattern, "flops": part.flops, "bytes": part.bytes}
            self.tables.append("semantics", {"descriptor": number, "phase": self.phase, **row})


LAUNCHES: dict[str, Callable[[Launches, Any], None]] = {
    "linalg.generic": Launches.generic,
    "tfmbs.kernel_attention": Launches.attention,
    "tfmbs.kernel_conv2d": Launches.conv2d,
    "tfmbs.kernel_conv3d": Launches.conv3d,
    "tfmbs.kernel_copy": Launches.copy,
    "tfmbs.kernel_gemm": Launches.gemm,
    "tfmbs.kernel_group_gemm": Launches.group_gemm,
    "tfmbs.kernel_lstm": Launches.lstm,
    "tfmbs.kernel_pool": Launches.pool,
    "tfmbs.kernel_program": Launches.program,
}
