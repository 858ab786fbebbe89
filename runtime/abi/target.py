"""The target description: what a fabric has, as a tree of frozen dataclasses with the parameters of a target file.

`Target.from_dict` is the only way in. It refuses unknown and missing keys and impossible values by key, so that nothing
behind it has to check again; `Target.to_dict` is the canonical form that a fabric binary carries in its TARGET section.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.minor import complete
from tfmbs.runtime.abi.records import Dataflow, ZeroSkip
from tfmbs.runtime.abi.sections import MINOR
from tfmbs.runtime.abi.siw import OPS
from tfmbs.runtime.abi.target_table import Rule, read_table
from tfmbs.runtime.abi.types import DTYPES, SPARSE, DType, Packing

MAX_TILES = 256
ACCUMULATOR_BYTES = 4
OPERAND_BUFFERS = 2


class Feature(IntEnum):
    """What a fabric may have beyond products in DENSE and I8 packing; the value is its bit number (append-only)."""

    EPILOGUE = 0
    PT5 = 1
    T2 = 2
    CONV2D = 3
    POOL = 4
    CONV3D = 5
    ATTENTION = 6
    LSTM = 7
    INT4 = 8
    GROUPS = 9
    SPARSE = 10
    RESIDUES = 11
    ABREAST = 12


FEATURE_OF_PACKING = {
    Packing.PT5: Feature.PT5,
    Packing.T2: Feature.T2,
    Packing.NIBBLES: Feature.INT4,
    Packing.R5: Feature.RESIDUES,
    Packing.A5: Feature.ABREAST,
}
FEATURE_OF_PACKING |= dict.fromkeys(SPARSE, Feature.SPARSE)
"""What a target needs for each packing that not every one has."""


def _names(members: type[IntEnum]) -> tuple[str, ...]:
    return tuple(member.name.lower() for member in members)


KINDS = ("array", "lanes")
DOMAINS = ("core", "memory", "external")
OPERANDS = ("f32", "i8", "trit", "i4")
VECTOR_TYPES = tuple(dtype.name.lower() for dtype in DType if any(dtype in op.types for op in OPS))
"""Element types that instructions know."""
LEAST_VECTOR_TYPES = ("i32", "f32")
"""Those that no vector engine lacks: constants, indices and the kernels' accumulators have them."""
SPECIAL_FUNCTIONS = tuple(op.name.lower() for op in OPS if op.unit == "special")


@dataclass(frozen=True)
class Array:
    """The compute array of one tile."""

    rows: Annotated[int, Rule("rows of processing elements; 1 for a lane target", low=1, high=1024)]
    columns: Annotated[int, Rule("columns of processing elements, or output lanes", low=1, high=4096)]
    dataflows: Annotated[tuple[str, ...], Rule("what may stay in the array", choices=_names(Dataflow))]
    operands: Annotated[
        tuple[str, ...], Rule("element types it multiplies, in every pair a product may have", choices=OPERANDS)
    ]


@dataclass(frozen=True)
class Clocks:
    """Clock frequency of each domain."""

    core_mhz: Annotated[float, Rule("array, vector engine and L1", above=0)]
    memory_mhz: Annotated[float, Rule("L2, L3 and what moves data between memories", above=0)]
    external_mhz: Annotated[float, Rule("controllers of the external memory", above=0)]


@dataclass(frozen=True)
class Memory:
    """One on-chip memory level."""

    banks: Annotated[int, Rule("banks that serve one access per cycle each", low=1, power_of_two=True)]
    bank_bytes: Annotated[int, Rule("bytes of a bank, a multiple of its width", low=1)]
    width_bytes: Annotated[int, Rule("bytes of an access to a bank", low=1, power_of_two=True)]
    clock: Annotated[str, Rule("clock domain", choices=DOMAINS)]

    @property
    def size(self) -> int:
        """Capacity in bytes."""
        return self.banks * self.bank_bytes


@dataclass(frozen=True)
class Mover:
    """The engines that move data between two levels."""

    count: Annotated[int, Rule("engines that work at the same time", low=1)]
    width_bytes: Annotated[int, Rule("bytes each moves per cycle", low=1, power_of_two=True)]
    clock: Annotated[str, Rule("clock domain", choices=DOMAINS)]


@dataclass(frozen=True)
class External:
    """Memory outside the chip."""

    kind: Annotated[str, Rule("technology, for people")]
    channels: Annotated[int, Rule("independent channels", low=1)]
    gbytes_per_second: Annotated[float, Rule("bandwidth of one channel, 10⁹ bytes per second", above=0)]


@dataclass(frozen=True)
class VectorLatency:
    """Cycles from the issue of a vector operation to its first results, by unit."""

    alu: Annotated[int, Rule("arithmetic, conversions, moves and reductions", low=1, high=1024)]
    memory: Annotated[int, Rule("loads, gathers and receives", low=1, high=1024)]
    store: Annotated[int, Rule("stores, scatters and sends, until a load may follow", low=1, high=1024)]
    div: Annotated[int, Rule("division, remainder and square root", low=1, high=1024)]
    special: Annotated[int, Rule("special functions", low=1, high=1024)]
    scan: Annotated[int, Rule("inclusive scans", low=1, high=1024)]


@dataclass(frozen=True)
class VectorCycles:
    """Cycles that a slot is busy with `lanes` elements; where nothing is said here: 1, and 1 per element for scans."""

    gather: Annotated[int, Rule("gathers and scatters", low=1, high=1024)]
    div: Annotated[int, Rule("division, remainder and square root", low=1, high=1024)]
    special: Annotated[int, Rule("special functions that are in `functions`", low=1, high=1024)]
    software: Annotated[int, Rule("special functions that are not", low=1, high=1024)]


@dataclass(frozen=True)
class Vector:
    """The vector engine of one tile, which runs SIW programs."""

    lanes: Annotated[int, Rule("elements per cycle", low=1, power_of_two=True)]
    types: Annotated[
        tuple[str, ...],
        Rule("element types it computes with, loads and stores; `i32` and `f32` are among them", choices=VECTOR_TYPES),
    ]
    functions: Annotated[
        tuple[str, ...],
        Rule(
            "special functions it has in hardware; others are slower, never different",
            choices=SPECIAL_FUNCTIONS,
            may_be_empty=True,
        ),
    ]
    latency: VectorLatency
    cycles: VectorCycles


@dataclass(frozen=True)
class OpEnergy:
    """Energy per operation, picojoules."""

    mac_f32: Annotated[float, Rule("f32 multiply and accumulate", low=0)]
    mac_i8: Annotated[float, Rule("i8 multiply, i32 accumulate", low=0)]
    mac_trit: Annotated[float, Rule("i32 accumulate of a trit product that is not zero", low=0)]
    vector_i32: Annotated[float, Rule("i32 operation of one lane", low=0)]
    vector_f32: Annotated[float, Rule("f32 operation of one lane", low=0)]


@dataclass(frozen=True)
class ByteEnergy:
    """Energy per byte, picojoules."""

    l1_read: Annotated[float, Rule("read from L1", low=0)]
    l1_write: Annotated[float, Rule("written to L1", low=0)]
    l2: Annotated[float, Rule("read from or written to L2", low=0)]
    l3: Annotated[float, Rule("read from or written to L3", low=0)]
    external: Annotated[float, Rule("read from or written to external memory", low=0)]


@dataclass(frozen=True)
class Energy:
    """An energy profile; reports print its name and source beside every figure."""

    profile: Annotated[str, Rule("name")]
    source: Annotated[str, Rule("where the figures come from")]
    per_op: OpEnergy
    per_byte: ByteEnergy

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], where: str) -> Energy:
        """The profile of a decoded table. Raises TfmbsError `target`, as `Target.from_dict`."""
        profile: Energy = read_table(cls, table, where)
        return profile


@dataclass(frozen=True)
class Target:
    """A fabric. L1 and the vector engine belong to each tile; L2, L3, movers and external memory serve all tiles."""

    name: Annotated[str, Rule("name, as --target takes it")]
    description: Annotated[str, Rule("one line for people")]
    kind: Annotated[str, Rule("a systolic array, or lanes that take one k step per cycle", choices=KINDS)]
    tiles: Annotated[int, Rule("compute tiles", low=1, high=MAX_TILES)]
    features: Annotated[
        tuple[str, ...], Rule("what it has (bits in a binary)", choices=_names(Feature), may_be_empty=True)
    ]
    zero_skip: Annotated[tuple[str, ...], Rule("zero-skip modes", choices=_names(ZeroSkip))]
    array: Array
    clocks: Clocks
    l1: Memory
    l2: Memory
    l3: Memory
    dma: Mover
    block_mover: Mover
    streamer: Mover
    external: External
    vector: Vector
    energy: Energy

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], where: str, minor: int = MINOR) -> Target:
        """The target of a decoded TOML or JSON object; `where` names its source for messages.

        Of a fabric binary of an older `minor` version, keys that were added later have the values of `minor.py`.

        Raises:
            TfmbsError: ``target``, naming `where` and the key that is unknown, missing or impossible.
        """
        target: Target = read_table(cls, complete(table, minor, where), where)
        for key, what, expected, got in _impossible(target):
            raise TfmbsError("target", f"{where}: {key}", what, expected, got)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Canonical JSON object: every parameter, in the order of the fields; `from_dict` reads it back."""
        return dataclasses.asdict(self, dict_factory=_json_object)

    def clock_mhz(self, domain: str) -> float:
        """Frequency of a clock domain, MHz."""
        return float(getattr(self.clocks, f"{domain}_mhz"))

    def mover_gbytes_per_second(self, mover: Mover) -> float:
        """Bandwidth of all engines of a kind together, 10⁹ bytes per second."""
        return mover.count * mover.width_bytes * self.clock_mhz(mover.clock) / 1000

    @property
    def macs_per_cycle(self) -> int:
        """Products of all tiles in one cycle of the core clock."""
        return self.tiles * self.array.rows * self.array.columns

    @property
    def peak_gops(self) -> float:
        """2 · products per second, 10⁹; the GFLOP/s of f32 where the array has f32."""
        return 2 * self.macs_per_cycle * self.clocks.core_mhz / 1000

    @property
    def feature_bits(self) -> int:
        """The features as a bit set."""
        return sum(1 << Feature[name.upper()] for name in self.features)

    def has(self, feature: Feature) -> bool:
        """Whether the fabric has a feature."""
        return feature.name.lower() in self.features


def _json_object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in items}


def smallest_tile_bytes(array: Array) -> int:
    """L1 that one array-sized output tile needs with double-buffered operands of one k step."""
    element = max(1 if name == "trit" else DTYPES[DType[name.upper()]].bits // 8 for name in array.operands)
    return OPERAND_BUFFERS * (array.rows + array.columns) * element + array.rows * array.columns * ACCUMULATOR_BYTES


def _impossible(target: Target) -> list[tuple[str, str, object, object]]:
    """(key, what, expected, got) of each rule over several parameters that does not hold."""
    found: list[tuple[str, str, object, object]] = []
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", target.name):
        found.append(("name", "target name", "lower-case letters, digits and dashes", repr(target.name)))
    if target.kind == "lanes" and target.array.rows != 1:
        found.append(("array.rows", "rows of a lane target", 1, target.array.rows))
    if target.array.operands == ("trit",):
        found.append(("array.operands", "operands", "f32 or i8 beside trit, for the activations", "trit alone"))
    for level in ("l1", "l2", "l3"):
        memory: Memory = getattr(target, level)
        if memory.bank_bytes % memory.width_bytes:
            multiple = f"a multiple of width_bytes {memory.width_bytes}"
            found.append((f"{level}.bank_bytes", "bytes of a bank", multiple, memory.bank_bytes))
    lacking = [name for name in LEAST_VECTOR_TYPES if name not in target.vector.types]
    if lacking:
        found.append(("vector.types", "element types", "/".join(lacking), "/".join(target.vector.types)))
    needed = smallest_tile_bytes(target.array)
    if target.l1.size < needed:
        found.append(("l1", "bytes for the smallest double-buffered tile", f"at least {needed}", target.l1.size))
    return found
