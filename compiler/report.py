"""The report of a compilation: one self-contained HTML page with a row for each launch of a binary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tfmbs.compiler.html import facts, page, table
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.records import NONE, Dataflow, Kind, LoopOrder, ZeroSkip
from tfmbs.runtime.abi.types import DType, Packing, Region

COLUMNS = (
    "Launch",
    "Layer",
    "Kind",
    "Precision",
    "Shapes",
    "Weights, bytes",
    "Sparsity",
    "Packing",
    "Epilogue, words",
    "Schedule",
    "Predicted cycles",
    "Predicted external bytes",
    "Node",
)

_NUMBERS = (0, 5, 6, 8, 10, 11)

Predictions = Mapping[int, Prediction | TfmbsError | None]
"""By descriptor, what the closed model expects: None where that depends on values, the error where it covers none."""


def html_report(image: Image, title: str, predictions: Predictions, further: str = "") -> str:
    """The page. Shapes are left × right → result in elements, or those of the windows; sparsity is as quantized.

    Predictions are of launches one by one, at the largest sizes. `further` is a part for its end.
    """
    rows = (_cells(image, index, predictions.get(index)) for index in range(len(image.descriptors)))
    return page(title, facts(_facts(image, predictions)), table(COLUMNS, rows, _NUMBERS), further)


def _facts(image: Image, predictions: Predictions) -> Iterator[tuple[str, str]]:
    yield "Target", str(image.target["name"])
    yield "Precision", str(image.meta.get("precision", "as written"))
    yield "Launches", str(len(image.descriptors))
    yield "Vector code", f"{len(image.words)} words in {len(image.programs)} programs"
    yield "Weights", f"{len(image.weights)} bytes"
    live = max(image.meta.get("scratch_live_bytes", {}).values(), default=0)
    yield (
        "Scratch",
        f"{max((entry['scratch_bytes'] for entry in image.entries), default=0)} bytes, {live} in use at once",
    )
    yield "Predicted", _summed(image, predictions)


def _summed(image: Image, predictions: Predictions) -> str:
    known = [one for one in predictions.values() if isinstance(one, Prediction)]
    if not known:
        return "no launch"
    cycles, external = sum(one.cycles for one in known), sum(one.external_bytes for one in known)
    unknown = len(image.descriptors) - len(known)
    launches = "1 launch that has" if unknown == 1 else f"{unknown} launches that have"
    without = f", without {launches} no prediction" if unknown else ""
    return f"{cycles:,} cycles, {external:,} external bytes, launches one by one{without}"


def _cells(image: Image, index: int, prediction: Prediction | TfmbsError | None) -> tuple[str, ...]:
    descriptor = image.descriptors[index]
    operands = [image.tensors[descriptor[name]] for name in ("lhs", "rhs", "out") if descriptor[name] != NONE]
    windows = _windows(image, descriptor)
    layer = image.telemetry[descriptor["telemetry"]] if descriptor["telemetry"] != NONE else None
    has_epilogue = descriptor["program"] != NONE and descriptor["kind"] != Kind.VECTOR
    return (
        str(index),
        image.strings[layer["layer"]] if layer else "",
        Kind(descriptor["kind"]).name,
        _formula(operands, windows, _precision),
        _formula(operands, windows, _shape),
        str(sum(t["bytes"] for t in {id(t): t for t in operands + windows}.values() if t["region"] == Region.WEIGHTS)),
        f"{layer['sparsity']:.1%}" if layer and layer["total"] else "",
        _packing(image, image.strings[layer["layer"]]) if layer else "",
        str(image.programs[descriptor["program"]]["word_count"]) if has_epilogue else "",
        _schedule(image, descriptor),
        *_predicted(prediction),
        _node(image, index),
    )


def _predicted(prediction: Prediction | TfmbsError | None) -> tuple[str, str]:
    if isinstance(prediction, Prediction):
        return f"{prediction.cycles:,}", f"{prediction.external_bytes:,}"
    return (str(prediction) if prediction else "depends on values"), ""


def _packing(image: Image, layer: str) -> str:
    """Which packing the trits of a layer have and why; layers of one launch are known by the first of them."""
    reasons = image.meta.get("packing", {})
    return str(reasons.get(layer, reasons.get(layer.partition("+")[0], "")))


def _windows(image: Image, descriptor: Row) -> list[Row]:
    first = descriptor["args_first"]
    return [image.tensors[arg] for arg in image.args[first : first + descriptor["args_count"]]]


def _precision(tensor: Row) -> str:
    packing = Packing(tensor["packing"])
    return DType(tensor["dtype"]).name.lower() + ("" if packing is Packing.DENSE else f"/{packing.name.lower()}")


def _shape(tensor: Row) -> str:
    return "×".join(str(size) for size in tensor["dims"][: tensor["rank"]]) or "scalar"


def _formula(operands: list[Row], windows: list[Row], spell: Callable[[Row], str]) -> str:
    """``left × right → result`` of a kernel, or the operand windows of vector code."""
    if not operands:
        return ", ".join(spell(window) for window in windows)
    *factors, result = (spell(operand) for operand in operands)
    return f"{' × '.join(factors)} → {result}"


def _schedule(image: Image, descriptor: Row) -> str:
    if descriptor["schedule"] == NONE:
        return ""
    row = image.schedules[descriptor["schedule"]]
    tiles = "×".join(str(row[name]) for name in ("tile_m", "tile_n", "tile_k"))
    flow, skip = Dataflow(row["dataflow"]).name.lower().replace("_", " "), ZeroSkip(row["zero_skip"]).name.lower()
    return f"{flow}, {tiles}, {_loops(row)}{row['buffers']} buffers, zero skip {skip}"


def _loops(row: Row) -> str:
    """Which tiles follow each other, and sizes of blocks, where a schedule says it."""
    order, block = LoopOrder(row["order"]), [row[f"block_{axis}"] for axis in "mnk"]
    text = "" if order is LoopOrder.ANY else f"{order.name.lower()} first, "
    return f"{text}blocks of {'×'.join(str(size) if size else 'all' for size in block)}, " if any(block) else text


def _node(image: Image, index: int) -> str:
    return ", ".join(image.strings[row["location"]] for row in image.debug if row["descriptor"] == index)
