"""The result of a verification as a page: the error of each layer, and what quantization did to each product."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from tfmbs.compiler.charts import Bar, Histogram, bars, histogram
from tfmbs.compiler.html import card, cards, facts, page, part, section, table
from tfmbs.compiler.verify.products import Product
from tfmbs.compiler.verify.report import decibels, saturation
from tfmbs.compiler.verify.verification import Row, Verification

_COLUMNS = ("Layer", "Op", "Value", "SQNR, dB", "Cosine", "max abs", "max rel", "Saturated", "")
_NUMBERS = (3, 4, 5, 6, 7)


def html_report(result: Verification, title: str) -> str:
    """The page."""
    parts = [facts(_facts(result)), _errors(result)]
    if result.products:
        parts.append(_products(result))
    parts.append(_tables(result))
    return page(title, *parts)


def _facts(result: Verification) -> Iterator[tuple[str, str]]:
    yield "Reference", result.reference
    yield "Precision", result.precision
    yield "Tolerance", f"{result.tolerance:g} of max|reference| for floats, equality for others"
    over = sum(row.bad for row in result.layers)
    yield "Layers", f"{len(result.layers)} compared, {over or 'none'} over the tolerance"
    for row in result.outputs:
        yield f"Output '{row.layer.value}'", f"{decibels(row.figures.sqnr)} dB, cosine {row.figures.cosine:.6f}"


def _errors(result: Verification) -> str:
    text = (
        "Signal to quantization noise of each value in dB, in the order of the graph: 10·log10 of Σ reference² / "
        "Σ (ours − reference)². Errors of earlier layers are in it. More is better, 20 dB are an error of a tenth; "
        "pale bars are exact, red ones over the tolerance."
    )
    return section("Error by layer", text, bars([_bar(row) for row in result.layers]))


def _bar(row: Row) -> Bar:
    ratio = row.figures.sqnr
    return Bar(row.layer.node, ratio, "exact" if ratio == math.inf else decibels(ratio), row.bad)


def _products(result: Verification) -> str:
    zeros = [Bar(product.layer, product.sparsity, f"{product.sparsity:.1%}") for product in result.products]
    text = (
        "Products with constant weights, for the inputs of this run. Heights are logarithms of counts. Weights: filled "
        "as they were, the line as stored. Inputs: filled as they are in f32; what lies in the shaded part is clamped."
    )
    return "\n".join(
        (
            section("Sparsity by layer", "Zeros among the stored weights.", bars(zeros, top=1.0)),
            section("What quantization does", text, cards(_card(product) for product in result.products)),
        )
    )


def _card(product: Product) -> str:
    weights, inputs = Histogram.of(product.weights), Histogram.of(product.inputs)
    values = {
        "Kernel": f"{product.kind}, weights of {product.precision}, {'×'.join(map(str, product.weights.shape))}",
        "Inputs": _inputs(product),
    }
    stored = Histogram.of(product.stored, ends=(weights.low, weights.high))
    changed = None if np.array_equal(product.weights, product.stored) else stored
    return card(
        product.layer,
        values,
        histogram("weights", weights, changed),
        histogram("inputs", inputs, span=product.range),
    )


def _inputs(product: Product) -> str:
    if product.range is None:
        return "floats, or int8 with a scale for each row"
    low, high = product.range
    return f"int8 of {low:.4g} … {high:.4g}; {saturation(product)} clamped"


def _tables(result: Verification) -> str:
    saturated = {product.layer: saturation(product) for product in result.products}
    text = (
        "Each value beside the reference's. The outputs come from the program that a user gets, layers from one with "
        "all values as outputs."
    )
    parts = []
    for title, rows in (("Outputs", result.outputs), ("Layers", result.layers)):
        bad = [index for index, row in enumerate(rows) if row.bad]
        parts.append(part(title, table(_COLUMNS, (_cells(row, saturated) for row in rows), _NUMBERS, bad)))
    return section("Figures", text, *parts)


def _cells(row: Row, saturated: Mapping[str, str]) -> tuple[str, ...]:
    layer, figures = row.layer, row.figures
    numbers = (decibels(figures.sqnr), f"{figures.cosine:.6f}", f"{figures.max_abs:.2e}", f"{figures.max_rel:.2e}")
    return layer.node, layer.op, layer.value, *numbers, saturated.get(layer.node, ""), "over" if row.bad else ""
