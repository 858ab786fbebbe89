"""One call for foreign pipelines: upstream passes that crash, hang or fail become errors of ours."""

from __future__ import annotations

from typing import Any

from tfmbs.compiler.driver import Driver
from tfmbs.compiler.probe import LIMIT_SECONDS


def run_guarded(module: Any, pipeline: str, limit_seconds: float = LIMIT_SECONDS) -> None:
    """Runs the textual `pipeline` on `module` in place, each group of upstream passes after a probe survived it.

    Raises:
        TfmbsError: ``pass.crash``, a pass crashed; ``resource-limit``, one ran longer than `limit_seconds`; ``pass``,
            one failed in the ordinary way; ``pass.unknown``, the pipeline names what does not exist. A crash names the
            op that the pass crashes on, where one is found, and the pass; the others name the pass.
    """
    Driver(guard=True, limit_seconds=limit_seconds).run_text(module.operation, pipeline)
