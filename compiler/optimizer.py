"""What ``tfmbs-opt`` does to one input: parses each part, runs a pipeline over it, and gives the text that results."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver, Observer
from tfmbs.compiler.expectations import mismatches
from tfmbs.compiler.ir_printing import PLAIN, AsmFlags
from tfmbs.compiler.pipeline_text import MODULE
from tfmbs.compiler.plan import Step, resolve
from tfmbs.compiler.reproducer import format_reproducer, read_reproducer
from tfmbs.compiler.source import SPLIT_MARKER, Source, parse, probe_parser
from tfmbs.compiler.timing import Timer
from tfmbs.dialect.mlir import context
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save


@dataclass(frozen=True)
class Settings:
    """How to process an input; the names are those of the command-line flags."""

    pipeline: str = f"{MODULE}()"
    run_reproducer: bool = False
    split: str = ""
    output_split_marker: str = SPLIT_MARKER
    verify_each: bool = True
    verify_diagnostics: str = ""
    allow_unregistered: bool = False
    guard: bool = True
    asm: AsmFlags = PLAIN
    reproducer: Path | None = None
    observers: Sequence[Observer] = ()
    timer: Timer | None = None


@dataclass
class Result:
    """The parts' texts, joined; what went wrong in them; and what passes and parser remarked."""

    text: str
    errors: list[TfmbsError]
    remarks: list[str]


def optimize(source: Source, settings: Settings) -> Result:
    """Runs the pipeline over each part of `source`, in a context of its own. The parts behind a wrong one run as well.

    Raises:
        TfmbsError: the pipeline itself is wrong, or MLIR's parser crashes on the input.
    """
    parts = list(source.split(settings.split)) if settings.split else [source]
    first = context(settings.allow_unregistered)
    if settings.guard:
        probe_parser(parts, first)
    runs = [_Part(part, settings) for part in parts]
    texts = [run.text(context(settings.allow_unregistered) if index else first) for index, run in enumerate(runs)]
    return Result(
        f"{settings.output_split_marker}\n".join(texts),
        [error for run in runs for error in run.errors],
        [line for run in runs for line in run.remarks()],
    )


@dataclass
class _Part:
    """One part of an input on its way through the pipeline."""

    source: Source
    settings: Settings
    errors: list[TfmbsError] = field(default_factory=list)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def text(self, fresh: Any) -> str:
        """The resulting IR, or nothing after an error, which is in `errors` unless it was expected."""
        text = ""
        steps, verify_each = self._plan(fresh)
        try:
            module = self._parse(fresh)
            self._run(module.operation, steps, verify_each)
            with self._timed("Output"):
                text = self.settings.asm.text(module)
        except TfmbsError as error:
            if not self.settings.verify_diagnostics or not self.diagnostics.errors():
                self.errors.append(error)
        if self.settings.verify_diagnostics:
            self._compare()
        return text

    def remarks(self) -> list[str]:
        """Warnings and remarks, unless they are compared with what is expected."""
        if self.settings.verify_diagnostics:
            return []
        kept = (d for d in self.diagnostics.reported if d.severity != "error")
        return [line for diagnostic in kept for line in diagnostic.lines()]

    def _plan(self, fresh: Any) -> tuple[Sequence[Step], bool]:
        if not self.settings.run_reproducer:
            return resolve(self.settings.pipeline, fresh), self.settings.verify_each
        recorded = read_reproducer(self.source.text())
        if recorded is None:
            raise TfmbsError("ir.parse", self.source.name, "the input holds no mlir_reproducer resource")
        return resolve(recorded.pipeline, fresh), recorded.verify_each

    def _parse(self, fresh: Any) -> Any:
        with self._timed("Parser"):
            return parse(self.source, fresh, self.diagnostics, guard=False)

    def _run(self, module: Any, steps: Sequence[Step], verify_each: bool) -> None:
        settings = self.settings
        driver = Driver(verify_each, settings.guard, observers=settings.observers, diagnostics=self.diagnostics)
        before = str(module) if settings.reproducer else ""
        try:
            driver.run(module, steps)
        except BaseException as error:
            if settings.reproducer:
                save(settings.reproducer, format_reproducer(before, steps, verify_each).encode())
            if settings.reproducer and isinstance(error, TfmbsError):
                error.details = f"{error.details}\nnote: reproducer generated at `{settings.reproducer}`".lstrip()
            raise

    def _timed(self, name: str) -> AbstractContextManager[None]:
        return self.settings.timer.section(name) if self.settings.timer else nullcontext()

    def _compare(self) -> None:
        only_expected = self.settings.verify_diagnostics == "only-expected"
        self.errors += mismatches(self.source.name, self.source.text(), self.diagnostics.reported, only_expected)
