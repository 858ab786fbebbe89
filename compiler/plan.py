"""Resolves a textual pipeline into steps: our passes with their options, upstream's in the form MLIR itself prints."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tfmbs.compiler.pipeline_text import MODULE, Placed, format_pipeline, parse_pipeline
from tfmbs.dialect.mlir import passmanager
from tfmbs.passes.registry import Pass, find, unknown_pass
from tfmbs.runtime.abi.errors import TfmbsError

_RESTRICTED = re.compile(r"restricted to '([\w.]+)'")


@dataclass(frozen=True)
class Step:
    """One pass at its place. `ours` is None for upstream's."""

    placed: Placed
    ours: Pass | None = None

    @property
    def name(self) -> str:
        """The textual name of the pass."""
        return self.placed.name

    @property
    def pipeline(self) -> str:
        """The step alone, as a pipeline."""
        return format_pipeline([self.placed])

    def __str__(self) -> str:
        return f"pass {self.name}"


def resolve(text: str, context: Any) -> tuple[Step, ...]:
    """The steps of the pipeline `text`. A pass that only runs on another op than its anchor is nested there.

    Raises:
        TfmbsError: ``pass.unknown``, for text that is no pipeline and names or options that do not exist.
    """
    return tuple(step for placed in parse_pipeline(text) for step in place(placed, context))


def place(placed: Placed, context: Any) -> Iterator[Step]:
    """The steps of one pass: itself, or what it stands for if it is the name of an upstream pipeline."""
    ours = find(placed.name)
    if ours is None:
        for upstream in _place_upstream(placed, context):
            yield Step(upstream)
    else:
        instance = ours.from_text(placed.options)
        nested = _nest(placed, ours.anchor)
        yield Step(Placed(nested.path, nested.name, instance.options_text()), instance)


def pipeline_of(steps: Sequence[Step]) -> str:
    """The textual pipeline of `steps`; `resolve` gives the same steps for it."""
    return format_pipeline([step.placed for step in steps])


def runs(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """`steps` in groups that run at once: each of ours alone, neighbours of upstream's together."""
    for upstream, group in groupby(steps, key=lambda step: step.ours is None):
        if upstream:
            yield tuple(group)
        else:
            yield from ((step,) for step in group)


def _nest(placed: Placed, anchor: str) -> Placed:
    if placed.path[-1] == anchor:
        return placed
    if placed.path == (MODULE,):
        return placed.nested(anchor)
    raise TfmbsError("pass.unknown", f"pass {placed.name}", "anchor", anchor, placed.path[-1])


def _place_upstream(placed: Placed, context: Any) -> Sequence[Placed]:
    """`placed` as MLIR prints it: with all its options, and expanded if it is a pipeline."""
    said: list[str] = []
    try:
        with _stderr_into(said):
            printed = str(passmanager.PassManager.parse(format_pipeline([placed]), context))
    except ValueError as error:
        restricted = _RESTRICTED.search(str(error))
        if restricted and restricted[1] not in placed.path:
            return _place_upstream(_nest(placed, restricted[1]), context)
        raise _upstream_error(placed, "".join([*said, str(error)])) from error
    return _readable(printed, context) or (placed,)


def _readable(printed: str, context: Any) -> Sequence[Placed]:
    """What MLIR printed, unless MLIR itself cannot read it back (some passes print options they do not parse)."""
    try:
        passmanager.PassManager.parse(printed, context)
    except ValueError:
        return ()
    return parse_pipeline(printed)


def _upstream_error(placed: Placed, message: str) -> TfmbsError:
    if "does not refer to a registered pass" in message:
        return unknown_pass(placed.name)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    first = lines[0].removeprefix("<Pass-Options-Parser>").lstrip(": ")
    return TfmbsError("pass.unknown", f"pass {placed.name}", first, details="\n".join(lines[1:]))


@contextmanager
def _stderr_into(lines: list[str]) -> Iterator[None]:
    """Takes what native code writes to standard error: LLVM names wrong values of options there, not in exceptions."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines(keepends=True)
