"""`docs/onnx-coverage.md`, from the stored verdicts and the cases themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.onnx_coverage.cases import KINDS, Case
from benchmarks.onnx_coverage.check import Result, Status
from benchmarks.onnx_coverage.results import Key, key

PAGE = Path(__file__).parents[2] / "docs" / "onnx-coverage.md"
_EXPANDED = re.compile(r"_expanded.*$")
_SHOWN_REASON = 160

_HEAD = """# ONNX coverage

What of ONNX {version} computes correctly. `make onnx-coverage` writes this page: each case of `onnx.backend.test` is
compiled to a `.tfb` without its inputs, loaded and run on the emulator in a process that has imported neither onnx nor
MLIR, and compared as onnx's own runner does, at the case's tolerances. A case that is not computed must be refused by
name within 10 seconds of processor time; a wrong result, a crash, a hang or a foreign exception makes the target fail.
"""


@dataclass(frozen=True, order=True)
class Subject:
    """What a node case is about: an operator, the opset its definition is from, the element types of its ends."""

    operator: str
    opset: int
    types: str


def render(cases: Sequence[Case], results: Mapping[Key, Result]) -> str:
    """The page. Every case needs a result."""
    parts = [_HEAD.format(version=onnx.__version__), "## Summary\n", *_summary(cases, results)]
    parts += ["\n## Operators\n", *_operators([case for case in cases if case.kind == "node"], results)]
    parts += ["\n## Networks\n", *_networks([case for case in cases if case.kind != "node"], results)]
    return "\n".join(parts) + "\n"


def _summary(cases: Sequence[Case], results: Mapping[Key, Result]) -> Iterable[str]:
    yield "| cases | pass | refused | faults | all |"
    yield "|---|---|---|---|---|"
    for kind in KINDS:
        statuses = [results[key(case)].status for case in cases if case.kind == kind]
        passed, refused = statuses.count(Status.PASSED), statuses.count(Status.REFUSED)
        yield f"| {kind} | {passed:,} | {refused:,} | {len(statuses) - passed - refused:,} | {len(statuses):,} |"


def _operators(cases: Sequence[Case], results: Mapping[Key, Result]) -> Iterable[str]:
    yield "The opset is that of the operator's definition; cases of its expanded function body are counted with it.\n"
    yield "| operator | opset | element types | pass | not |"
    yield "|---|---|---|---|---|"
    by_name = {case.name: case for case in cases}
    rows: dict[Subject, list[Result]] = defaultdict(list)
    for case in cases:
        rows[_subject(by_name[_EXPANDED.sub("", case.name)])].append(results[key(case)])
    for subject in sorted(rows):
        verdicts = rows[subject]
        passed = sum(result.status is Status.PASSED for result in verdicts)
        cells = (subject.operator, subject.opset, subject.types, f"{passed}/{len(verdicts)}", _reasons(verdicts))
        yield f"| {' | '.join(map(str, cells))} |"


def _networks(cases: Sequence[Case], results: Mapping[Key, Result]) -> Iterable[str]:
    yield "What does not pass of the other kinds:\n"
    yield "| kind | case | |"
    yield "|---|---|---|"
    for case in cases:
        result = results[key(case)]
        if result.status is not Status.PASSED:
            yield f"| {case.kind} | {case.name} | {_reasons([result])} |"


def _reasons(results: Iterable[Result]) -> str:
    """Each verdict but a pass once, with its reason."""
    found = {(r.status.value, r.reason) for r in results if r.status is not Status.PASSED}
    return "; ".join(f"{status}: {_cell(reason)}" for status, reason in sorted(found))


def _cell(text: str) -> str:
    """Text that a cell of a table can hold."""
    shown = text if len(text) <= _SHOWN_REASON else f"{text[: _SHOWN_REASON - 1]}…"
    return re.sub(r"([|<>*_`\\\[\]])", r"\\\1", shown)


def _subject(case: Case) -> Subject:
    """What a case of one node is about."""
    model = case.model()
    (node,) = model.graph.node
    versions = {entry.domain: entry.version for entry in model.opset_import}
    since = onnx.defs.get_schema(node.op_type, versions[node.domain], node.domain).since_version
    name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    ends = (_types(values) for values in (model.graph.input, model.graph.output))
    inputs, outputs = ends
    return Subject(name, since, inputs if inputs == outputs else f"{inputs or 'none'} → {outputs}")


def _types(values: Iterable[onnx.ValueInfoProto]) -> str:
    return ", ".join(dict.fromkeys(_type(value.type) for value in values))


def _type(type_: onnx.TypeProto) -> str:
    if not type_.HasField("tensor_type"):
        return str(type_.WhichOneof("value")).removesuffix("_type")
    return str(onnx.TensorProto.DataType.Name(type_.tensor_type.elem_type)).lower()
