"""The part of a compilation's report about mixed precision: what was chosen, and what it costs and loses."""

from __future__ import annotations

from collections.abc import Iterator

from tfmbs.compiler.charts import Bar, bars
from tfmbs.compiler.html import facts, section, table
from tfmbs.compiler.mixed.plan import Entry, Plan

COLUMNS = ("Layer", "Precision", "Loses alone, 1 − cosine", "Energy, pJ", "Weights, bytes")
_NUMBERS = (2, 3, 4)


def plan_html(plan: Plan) -> str:
    """A heading, the figures of the whole network, its layers drawn and as a table, those that lose most first."""
    layers = sorted(plan.layers, key=lambda entry: -entry.loss)
    text = "What each layer loses alone at the precision that was chosen for it, those that lose most first."
    chart = bars([Bar(entry.name, entry.loss, f"{entry.loss:.2e}  {entry.precision}") for entry in layers])
    return section("Mixed precision", text, facts(_facts(plan)), chart, table(COLUMNS, map(_cells, layers), _NUMBERS))


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "Accuracy budget, mean cosine", f"{plan.budget:g}"
    yield "Predicted", f"{plan.predicted:.6g}"
    yield "Measured", f"{plan.measured:.6g}"
    yield "Energy of products", f"{sum(entry.cost for entry in plan.layers):.4g} pJ on {plan.target}"
    yield "Weights of products", f"{sum(entry.bytes for entry in plan.layers)} bytes"


def _cells(entry: Entry) -> tuple[str, ...]:
    return entry.name, entry.precision, f"{entry.loss:.2e}", f"{entry.cost:.4g}", str(entry.bytes)
