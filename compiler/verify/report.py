"""The result of a verification as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfmbs.compiler.verify.products import Product
from tfmbs.compiler.verify.verification import Repeat, Row, Verification

_HEAD = ("layer", "op", "value", "max abs", "max rel", "cosine", "sqnr dB", "ulp", "saturated", "")
_LEFT = 3  # columns of words


def text(result: Verification) -> str:
    """The error table, and below it what it means for whom."""
    return "\n".join([*_table(result), "", *_conclusion(result)]) + "\n"


def _table(result: Verification) -> Iterator[str]:
    saturated = {product.layer: saturation(product) for product in result.products}
    end = [("", "end to end, as compiled"), *((row, "") for row in result.outputs)]
    taps = [("", "per layer, with every value as an output"), *((row, "") for row in result.layers)]
    rows = [_HEAD, *(_cells(row, saturated) if isinstance(row, Row) else (title,) for row, title in (*end, *taps))]
    widths = [max(len(row[i]) for row in rows if len(row) > 1) for i in range(len(_HEAD))]
    for row in rows:
        yield row[0] if len(row) == 1 else _line(row, widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = (
        cell.ljust(width) if index < _LEFT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(columns).rstrip()


def decibels(value: float) -> str:
    """A ratio in dB; `inf` for values that are equal."""
    return f"{value:.1f}"


def saturation(product: Product) -> str:
    """How many inputs of a product are clamped, of how many; nothing where they are no integers."""
    return "" if product.saturated is None else f"{product.saturated}/{product.inputs.size}"


def _cells(row: Row, saturated: Mapping[str, str]) -> tuple[str, ...]:
    figures = row.figures
    ulp = "" if figures.ulp is None else str(figures.ulp)
    numbers = (f"{figures.max_abs:.2e}", f"{figures.max_rel:.2e}", f"{figures.cosine:.6f}", decibels(figures.sqnr), ulp)
    clamped = saturated.get(row.layer.node, "")
    return (row.layer.node, row.layer.op, row.layer.value, *numbers, clamped, "OVER" if row.bad else "")


def _conclusion(result: Verification) -> Iterator[str]:
    yield (
        f"reference: {result.reference}; tolerance: {result.tolerance:g} of max|reference| for floats, "
        "equality for others"
    )
    if result.skipped:
        yield f"not compared: {len(result.skipped)} values that are no tensors or do not depend on the inputs"
    same = "the same bytes" if result.same_bytes else "other bytes"
    yield (
        "The layers are those of a second program, whose values between layers are outputs: less is fused there. "
        f"Its outputs are {same} as those end to end."
    )
    if result.first is None:
        yield "every layer is within the tolerance"
        return
    yield f"first layer over the tolerance: {summary(result.first)}"
    if result.first in result.outputs and result.first not in result.layers:
        yield "no value that is an output is off: look at what is fused into this one"
    if result.repeat is not None:
        yield repeat_text(result.repeat)


def summary(row: Row) -> str:
    """One line: the layer and its error."""
    layer, figures = row.layer, row.figures
    return (
        f"{layer.node} ({layer.op}): '{layer.value}': max|ours - reference| {figures.max_abs:.3g} "
        f"where max|reference| is {figures.scale:.3g}"
    )


def repeat_text(repeat: Repeat) -> str:
    """What the cut-out model shows."""
    what = "that layer alone" if len(repeat.part.nodes) == 1 else f"the {len(repeat.part.nodes)} nodes up to it"
    if repeat.figures is None:
        return f"cut out: {what}, which does not run alone: {repeat.refused}"
    if repeat.bad:
        return f"cut out: {what} on the reference's values: the error is there too"
    return f"cut out: {what} on the reference's values: no error there, so errors of earlier layers add up"


def json_value(result: Verification) -> dict[str, Any]:
    """The same as JSON; figures that are not finite are null."""
    return {
        "reference": result.reference,
        "tolerance": result.tolerance,
        "passed": result.first is None,
        "outputs": [_row(row) for row in result.outputs],
        "layers": [_row(row) for row in result.layers],
        "products": [_product(product) for product in result.products],
        "not_compared": [layer.value for layer in result.skipped],
        "taps_keep_bytes": result.same_bytes,
        "first_over": _row(result.first) if result.first else None,
        "cut_out": _repeat(result.repeat) if result.repeat else None,
    }


def _row(row: Row) -> dict[str, Any]:
    figures = row.figures
    return {
        "layer": row.layer.node,
        "op": row.layer.op,
        "value": row.layer.value,
        "max_abs": _number(figures.max_abs),
        "max_rel": _number(figures.max_rel),
        "cosine": _number(figures.cosine),
        "sqnr": _number(figures.sqnr),
        "ulp": figures.ulp,
        "max_reference": figures.scale,
        "unequal": figures.unequal,
        "over": row.bad,
    }


def _product(product: Product) -> dict[str, Any]:
    return {
        "layer": product.layer,
        "kernel": product.kind,
        "precision": product.precision,
        "sparsity": product.sparsity,
        "range": product.range,
        "inputs": product.inputs.size,
        "saturated": product.saturated,
    }


def _repeat(repeat: Repeat) -> dict[str, Any]:
    return {"nodes": list(repeat.part.nodes), "reproduces": repeat.bad, "refused": repeat.refused or None}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
