"""Telemetry: what is known of a layer's weights, a dictionary that rides on its op from the graph to the binary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tfmbs.dialect.attributes import TELEMETRY, read_tile_mask
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass(frozen=True)
class Telemetry:
    """Counts of a layer's weights, none for a layer without weights.

    `tile_mask` has bit i for fabric tile i; `fusion_order` is the position in a fused run and `fusion_sparsity` the
    sparsity over the run; each is None until a pass knows it. A launch that runs several layers counts them together
    and has each as one of its `members`, in launch order.
    """

    layer: str
    zero_count: int = 0
    total: int = 0
    tile_mask: int | None = None
    fusion_order: int | None = None
    fusion_sparsity: float | None = None
    members: tuple["Telemetry", ...] = ()

    @property
    def sparsity(self) -> float:
        """zero_count / total, 0 without weights."""
        return self.zero_count / self.total if self.total else 0.0

    def to_attribute(self) -> Any:
        """The `telemetry` dictionary: `layer, sparsity, zero_count, total`, and the others where they are known."""
        entries: dict[str, Any] = {
            "layer": ir.StringAttr.get(self.layer),
            "sparsity": _f64(self.sparsity),
            "zero_count": _i64(self.zero_count),
            "total": _i64(self.total),
        }
        if self.tile_mask is not None:
            entries["tile_mask"] = ir.StringAttr.get(f"{self.tile_mask:#x}")
        if self.fusion_order is not None:
            entries["fusion_order"] = _i64(self.fusion_order)
        if self.fusion_sparsity is not None:
            entries["fusion_sparsity"] = _f64(self.fusion_sparsity)
        if self.members:
            entries["members"] = ir.ArrayAttr.get([member.to_attribute() for member in self.members])
        return ir.DictAttr.get(entries)


def read_telemetry(attribute: Any) -> Telemetry:
    """The inverse of `Telemetry.to_attribute`. Raises KeyError when `layer`, `zero_count` or `total` is missing."""
    return Telemetry(
        layer=attribute["layer"].value,
        zero_count=attribute["zero_count"].value,
        total=attribute["total"].value,
        tile_mask=read_tile_mask(attribute["tile_mask"].value) if "tile_mask" in attribute else None,
        fusion_order=attribute["fusion_order"].value if "fusion_order" in attribute else None,
        fusion_sparsity=attribute["fusion_sparsity"].value if "fusion_sparsity" in attribute else None,
        members=tuple(map(read_telemetry, attribute["members"])) if "members" in attribute else (),
    )


def fused(layers: Sequence[Telemetry]) -> Telemetry:
    """Telemetry of one launch that runs `layers` in this order."""
    zero_count, total = sum(layer.zero_count for layer in layers), sum(layer.total for layer in layers)
    whole = Telemetry("+".join(layer.layer for layer in layers), zero_count, total, fusion_order=0)
    members = (replace(layer, fusion_order=order, fusion_sparsity=whole.sparsity) for order, layer in enumerate(layers))
    return replace(whole, fusion_sparsity=whole.sparsity, members=tuple(members))


def telemetry_of(op: Any) -> Telemetry | None:
    """The telemetry that rides on an op, if there is some.

    Raises:
        TfmbsError: ``ir.verify``, entries are missing or of the wrong kind; no verifier sees discardable attributes.
    """
    if TELEMETRY not in op.attributes:
        return None
    try:
        return read_telemetry(op.attributes[TELEMETRY])
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        expected = "a dictionary with layer, zero_count and total"
        where = place(op.operation.location)
        raise TfmbsError("ir.verify", where, TELEMETRY, expected, op.attributes[TELEMETRY]) from error


def set_telemetry(op: Any, telemetry: Telemetry) -> None:
    """Let `telemetry` ride on an op, in place of what did."""
    op.attributes[TELEMETRY] = telemetry.to_attribute()


def _i64(value: int) -> Any:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)


def _f64(value: float) -> Any:
    return ir.FloatAttr.get(ir.F64Type.get(), value, ir.Location.unknown())
