"""A check as text and as JSON; the JSON's form is `docs/tfmbs-check.schema.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tfmbs.compiler.check.checker import Check, Work
from tfmbs.compiler.check.launches import VECTOR
from tfmbs.compiler.check.problem import Problem

_SHOWN = 6  # names in a line of text
_LONGEST = 240  # characters of a message there: upstream's quote whole ops


def text(check: Check, name: str) -> str:
    """What is refused, with what would help, then which kernels do the rest."""
    count = len(check.problems)
    verdict = "supported" if check.supported else f"refused, {count} problem{'s' if count > 1 else ''}"
    return "\n".join([f"{name}: {verdict}", *_problems(check), *_work(check)]) + "\n"


def _problems(check: Check) -> Iterator[str]:
    for number, problem in enumerate(check.problems, 1):
        where = problem.where or "model"
        message = problem.message if len(problem.message) <= _LONGEST else f"{problem.message[:_LONGEST]}…"
        yield f"\n{number}. {where}: {message}"
        if len(problem.nodes) > 1:
            yield f"   {len(problem.nodes)} nodes: {_listed(problem.nodes)}"
        for source in problem.sources[:_SHOWN]:
            yield f"   {source}"
        if len(problem.sources) > _SHOWN:
            yield f"   … {len(problem.sources) - _SHOWN} more"
        for help_ in problem.helps:
            yield f"   would help: {help_}"
    if check.unseen:
        yield f"\nnot looked at, behind what is refused: {_listed(check.unseen)}"


def _work(check: Check) -> Iterator[str]:
    if check.work:
        yield "\nkernels" if check.supported else "\nkernels of the other nodes, each compiled alone"
    groups: dict[tuple[Any, ...], list[Work]] = {}
    for work in check.work:
        groups.setdefault((work.kernel, work.shapes, work.nodes if not work.shapes else ()), []).append(work)
    rows = [_row(works) for works in groups.values()]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    for row in rows:
        yield "  ".join((row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2]), row[3])).rstrip()
    if check.free:
        yield f"no launch of their own (folded, another view, or not needed): {_listed(check.free)}"
    reasons: dict[tuple[str, str], list[str]] = {}
    for declined in check.declined:
        reasons.setdefault((declined.kernel, declined.reason), []).append(declined.name)
    for (kernel, reason), names in reasons.items():
        code = f"products and {VECTOR} code" if kernel == "attention" else f"{VECTOR} code"
        yield f"{code}, not {kernel}: {reason}: {_listed(names)}"


def _row(works: Sequence[Work]) -> tuple[str, str, str, str]:
    first = works[0]
    shapes = ", ".join("×".join(map(str, shape)) or "scalar" for shape in first.shapes)
    nodes = "; ".join("+".join(work.nodes) or "-" for work in works[:_SHOWN])
    more = f"; … {len(works) - _SHOWN} more" if len(works) > _SHOWN else ""
    return first.kernel, f"{len(works)}×", shapes, nodes + more


def _listed(names: Sequence[str]) -> str:
    more = f", … {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def json_value(check: Check, name: str) -> dict[str, Any]:
    """The check as the schema says."""
    return {
        "model": name,
        "supported": check.supported,
        "problems": [_problem(problem) for problem in check.problems],
        "kernels": dict(sorted(Counter(work.kernel for work in check.work).items())),
        "work": [_json_work(work) for work in check.work],
        "declined": [{"node": d.name, "kernel": d.kernel, "reason": d.reason} for d in check.declined],
        "without_launch": check.free,
        "not_looked_at": check.unseen,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "where": problem.where,
        "message": problem.message,
        "op": problem.op,
        "nodes": problem.nodes,
        "sources": [{"node": s.node, "value": s.value, "file": s.file, "line": s.line} for s in problem.sources],
        "would_help": problem.helps,
    }


def _json_work(work: Work) -> dict[str, Any]:
    shapes = [list(shape) for shape in work.shapes]
    return {"kernel": work.kernel, "nodes": list(work.nodes), "shapes": shapes, "alone": work.alone}
