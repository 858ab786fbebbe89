"""The part of a compilation's report about mixed precision: what was chosen, and what it costs and loses."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tfmbs.compiler.mixed.plan import Plan

COLUMNS = ("Layer", "Precision", "Loses alone, 1 − cosine", "Energy, pJ", "Weights, bytes")
_TEXTS = 2
"""Columns of words; the others are numbers."""


def plan_html(plan: Plan) -> str:
    """A heading, the figures of the whole network, and a table of its layers, those that lose most first."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(plan))
    head = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    rows = "\n".join(_rows(plan))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>"
    return f"<h2>Mixed precision</h2><dl>{facts}</dl>\n{table}\n"


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "Accuracy budget, mean cosine", f"{plan.budget:g}"
    yield "Predicted", f"{plan.predicted:.6g}"
    yield "Measured", f"{plan.measured:.6g}"
    yield "Energy of products", f"{sum(entry.cost for entry in plan.layers):.4g} pJ on {plan.target}"
    yield "Weights of products", f"{sum(entry.bytes for entry in plan.layers)} bytes"


def _rows(plan: Plan) -> Iterator[str]:
    for entry in sorted(plan.layers, key=lambda entry: -entry.loss):
        cells = (entry.name, entry.precision, f"{entry.loss:.2e}", f"{entry.cost:.4g}", str(entry.bytes))
        tags = ("<td>" if i < _TEXTS else '<td class="number">' for i in range(len(cells)))
        yield "<tr>" + "".join(f"{tag}{escape(cell)}</td>" for tag, cell in zip(tags, cells, strict=True)) + "</tr>"
