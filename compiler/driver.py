"""Runs pipelines: our passes directly, upstream's through MLIR's pass manager behind a guard; verifies after each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tfmbs.compiler.blame import blamed
from tfmbs.compiler.diagnostics import Diagnostics, from_error
from tfmbs.compiler.plan import Step, resolve, runs
from tfmbs.compiler.probe import LIMIT_SECONDS, survived
from tfmbs.dialect.mlir import ir, passmanager
from tfmbs.runtime.abi.errors import TfmbsError


class Observer:
    """Sees every pass at each op it runs on. All methods do nothing by default.

    One that does not need to see upstream's passes says so in `each_upstream`.
    """

    each_upstream = True

    def before(self, step: Step, op: Any) -> None:
        """`step` is about to run on `op`."""

    def after(self, step: Step, op: Any) -> None:
        """`step` has run on `op`, which verified."""

    def failed(self, step: Step, op: Any) -> None:
        """`step` failed on `op`, which may be invalid."""


@dataclass
class Driver:
    """How to run: `verify_each` verifies after every pass, `guard` probes upstream passes in a forked process first,
    each for at most `limit_seconds`.

    Diagnostics that are no errors are in `diagnostics` after a run.
    """

    verify_each: bool = True
    guard: bool = True
    limit_seconds: float = LIMIT_SECONDS
    observers: Sequence[Observer] = ()
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def run_text(self, module: Any, pipeline: str) -> None:
        """Resolves and runs the textual `pipeline` on `module`. Raises `TfmbsError` as `resolve` and `run` do."""
        self.run(module, resolve(pipeline, module.context))

    def run(self, module: Any, steps: Sequence[Step]) -> None:
        """Runs `steps` on the ``builtin.module`` operation `module`, in place.

        Raises:
            TfmbsError: the first error a pass or the verifier reports (``pass``, ``ir.verify``, ``pass.crash``, or the
                code the pass gives). The module is not usable then.
        """
        module = module.operation
        each = any(observer.each_upstream for observer in self.observers)
        for group in runs(steps):
            with closing(self._survived(group, module)) as survivors:
                for step in survivors:
                    if each or (self.observers and step.ours is not None):
                        self._observed(step, module)
                    elif step.ours is None:
                        self._run_upstream(step.pipeline, module, step)
                    else:
                        for op in targets(module, step.placed.path[1:]):
                            self._run_ours(step, op)

    def _observed(self, step: Step, module: Any) -> None:
        anchor = step.placed.path[-1]
        for op in targets(module, step.placed.path[1:]):
            for observer in self.observers:
                observer.before(step, op)
            try:
                if step.ours is None:
                    self._run_upstream(f"{anchor}({step.placed})", op, step)
                else:
                    self._run_ours(step, op)
            except BaseException:
                for observer in self.observers:
                    observer.failed(step, op)
                raise
            for observer in self.observers:
                observer.after(step, op)

    def _survived(self, group: Sequence[Step], module: Any) -> Generator[Step, None, None]:
        """The steps; those of upstream's each as soon as a probe is over it."""
        if group[0].ours is not None or not self.guard:
            yield from group
            return
        threads = module.context.get_num_threads() > 1
        if threads:  # a fork has one thread: MLIR would wait for its others for ever
            module.context.enable_multithreading(False)
        left = list(group)
        probed = survived(lambda step: _manager(step.pipeline, module).run(module), group, self.limit_seconds)
        try:
            for step in probed:
                yield step
                left.remove(step)
        except TfmbsError as error:
            raised = self._naming_an_op(error, left, module)
            self.diagnostics.reported.append(from_error(raised))
            raise raised from None
        finally:
            probed.close()
            module.context.enable_multithreading(threads)

    @staticmethod
    def _naming_an_op(error: TfmbsError, group: Sequence[Step], module: Any) -> TfmbsError:
        """A crash of a pass as the error of the op that it crashes on, where one is found."""
        if error.code != "pass.crash":
            return error

        def run() -> None:
            for step in group:
                _manager(step.pipeline, module).run(module)

        where = blamed(module, run)
        return (
            error
            if where is None
            else TfmbsError(error.code, where, f"{error.location} {error.what}", details=error.details)
        )

    def _run_upstream(self, pipeline: str, op: Any, step: Step) -> None:
        manager = _manager(pipeline, op)
        manager.enable_verifier(self.verify_each)
        self._reporting(lambda: manager.run(op), op, step, "pass")

    def _run_ours(self, step: Step, op: Any) -> None:
        assert step.ours is not None
        run = step.ours.run
        with op.context:
            self._reporting(lambda: run(op), op, step, "pass")
            if self.verify_each:
                self._reporting(op.verify, op, step, "ir.verify")

    def _reporting(self, act: Callable[[], object], op: Any, step: Step, code: str) -> None:
        """Calls `act`; errors it reports in whatever way become one `TfmbsError` that names the pass."""
        since = len(self.diagnostics.reported)
        note = f"note: {'after' if code == 'ir.verify' else 'in'} {step}"
        failed = False
        try:
            with self.diagnostics.collect(op.context):
                act()
        except ir.MLIRError:
            failed = True
        except TfmbsError as error:
            self.diagnostics.reported.append(from_error(error))
            error.details = "\n".join(filter(None, (error.details, note)))
            raise
        if failed or self.diagnostics.errors(since):
            raise self.diagnostics.failure(code, str(step), "failed without a message", since, note)


def _manager(pipeline: str, op: Any) -> Any:
    return passmanager.PassManager.parse(pipeline, op.context)


def targets(op: Any, path: Sequence[str]) -> Iterator[Any]:
    """The ops a pass nested under the anchors `path` runs on: direct children of the right name, level by level."""
    if not path:
        yield op
        return
    children = [child.operation for region in op.regions for block in region for child in block]
    for child in children:
        if path[0] in (child.name, "any"):
            yield from targets(child, path[1:])
