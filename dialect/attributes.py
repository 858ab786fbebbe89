"""Attributes of the dialect: the tiling schedule of a launch, and the names of the discardable ones."""

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.base import Attribute, I64Array, VerifyError
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.records import RECORDS, Dataflow, LoopOrder

SCHEDULE = "tfmbs.schedule"
TELEMETRY = "telemetry"
SEMANTICS = "tfmbs.semantics"  # what a part of a network is for
INPUT_RANGE = "tfmbs.input_range"
INPUT_CHANNELS = "tfmbs.input_channels"  # smallest and largest value of each channel of a product's input, 2×K
INPUT_MEAN = "tfmbs.input_mean"  # of the vectors that a product multiplies: `passes.graph.moments`
NAME = "tfmbs.name"  # of an argument or result of an entry point
ELEMENT = "tfmbs.element"  # of one whose elements its builtin type does not tell: a key of dialect.elements.ELEMENTS
STATE = "tfmbs.state"  # name of the buffer that an argument, and the result of that name, is before and after a run
OUTPUT = "tfmbs.output"  # marks the arguments of a kernel-level function that are its results
OFFSET = "tfmbs.offset"  # of a scratch buffer in the arena, bytes
SCRATCH_BYTES = "tfmbs.scratch_bytes"  # size of the arena of a function
SCRATCH_LIVE_BYTES = "tfmbs.scratch_live_bytes"  # the most bytes of it in use at one time: no arena is smaller
SIZES = "tfmbs.sizes"  # how the numbers of a launch depend on run-time sizes: `passes.fabric.size_forms`
TARGET = "tfmbs.target"  # name or file of the target that a fabric-level module is for
PACKING = "tfmbs.packing"  # of a module: which packing the trits of each layer have, and why
PRECISION = "tfmbs.precision"  # that a module is compiled at, or that a product is to be quantized to
WEIGHT_SCALES = "tfmbs.weight_scales"  # of the grid that a product's weights are on: `passes.graph.choices`
SECOND_MOMENT = "tfmbs.second_moment"  # of a product's inputs on the samples: `passes.graph.moments`

DATAFLOWS: dict[str, Dataflow] = {flow.name.lower(): flow for flow in Dataflow}
ORDERS: dict[str, LoopOrder] = {order.name.lower(): order for order in LoopOrder}
MASK_BITS = 8 * RECORDS["mask"].size


class ScheduleAttr(Attribute, name="schedule"):
    """`#tfmbs.schedule<dataflow, tiles, buffers, tile_mask, order, block>`: how a launch is cut into tiles. It changes
    time only.

    `dataflow` is "output_stationary", "weight_stationary" or "input_stationary"; `tiles` holds the rows, columns and
    reduction length of a tile; `buffers` the buffers per streamed operand; `tile_mask` the set of fabric
    tiles as a hexadecimal number in a string, bit i for tile i. `order` says which output tiles follow each other,
    those of "rows" or "columns", or "any"; `block` holds the rows, columns and reduction length of a block of the
    output, whose tiles all have that part of the reduction before the next one, 0 for all of an axis.
    """

    dataflow: ir.StringAttr
    tiles: I64Array
    buffers: ir.IntegerAttr
    tile_mask: ir.StringAttr
    order: ir.StringAttr
    block: I64Array


@dataclass(frozen=True)
class Schedule:
    """The schedule attribute as plain values: tile sizes in elements, `tile_mask` with bit i for fabric tile i."""

    dataflow: Dataflow
    tiles: tuple[int, int, int]
    buffers: int
    tile_mask: int
    order: LoopOrder = LoopOrder.ANY
    block: tuple[int, int, int] = (0, 0, 0)

    def to_attribute(self) -> Any:
        """The `#tfmbs.schedule` attribute of these values."""
        return ScheduleAttr.get(
            ir.StringAttr.get(self.dataflow.name.lower()),
            ir.DenseI64ArrayAttr.get(list(self.tiles)),
            ir.IntegerAttr.get(ir.IntegerType.get_signless(64), self.buffers),
            ir.StringAttr.get(f"{self.tile_mask:#x}"),
            ir.StringAttr.get(self.order.name.lower()),
            ir.DenseI64ArrayAttr.get(list(self.block)),
        )


def read_schedule(attribute: Any) -> Schedule:
    """Plain values of a `#tfmbs.schedule`. Raises VerifyError naming the parameter that is out of range."""
    if not isinstance(attribute, ScheduleAttr):
        raise VerifyError(f"{SCHEDULE}: expected #tfmbs.schedule, got {attribute}")
    dataflow, tiles, buffers = attribute.dataflow, attribute.tiles, attribute.buffers
    if dataflow not in DATAFLOWS:
        raise VerifyError(f"schedule dataflow: expected one of {', '.join(DATAFLOWS)}, got {dataflow}")
    if len(tiles) != 3 or min(tiles) < 1:
        raise VerifyError(f"schedule tiles: expected 3 sizes of at least 1, got {list(tiles)}")
    if buffers < 1:
        raise VerifyError(f"schedule buffers: expected at least 1, got {buffers}")
    order, block = attribute.order, attribute.block
    if order not in ORDERS:
        raise VerifyError(f"schedule order: expected one of {', '.join(ORDERS)}, got {order}")
    if len(block) != 3 or min(block) < 0:
        raise VerifyError(f"schedule block: expected 3 sizes of at least 0, got {list(block)}")
    return Schedule(DATAFLOWS[dataflow], tiles, buffers, read_tile_mask(attribute.tile_mask), ORDERS[order], block)


def read_tile_mask(text: str) -> int:
    """The mask written as `0x…`. Raises VerifyError unless it names one or more of the tiles 0…255, canonically."""
    digits = text.removeprefix("0x")
    valid = text.startswith("0x") and digits != "" and all(digit in "0123456789abcdef" for digit in digits)
    mask = int(digits, 16) if valid else 0
    if not 0 < mask < 1 << MASK_BITS or text != f"{mask:#x}":
        raise VerifyError(f"tile mask: expected 0x and hexadecimal digits, 1 to {MASK_BITS} bits, got {text!r}")
    return mask


def schedule_of(op: Any) -> Schedule | None:
    """The schedule that rides on an op, if there is one. Raises VerifyError when it is malformed."""
    return read_schedule(op.attributes[SCHEDULE]) if SCHEDULE in op.attributes else None


def as_elements(attribute: Any) -> Any:
    """A dense attribute as its class, `DenseElementsAttr` or `DenseResourceElementsAttr`; None for any other."""
    if isinstance(attribute, ir.DenseElementsAttr):
        return attribute
    try:
        return ir.DenseResourceElementsAttr(attribute)  # the bindings give a parsed resource no class of its own
    except ValueError:
        return None
