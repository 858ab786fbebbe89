"""When external memory was busy."""

from __future__ import annotations

import numpy as np

from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.measured.spans import Spans
from tfmbs.runtime.timing import Timing


def external_busy(timing: Timing) -> Spans:
    """When external memory moves bytes: first come, first served."""
    machine = timing.program.machine
    pipe = timing.column("pipe_ps").copy()
    for number in np.flatnonzero((timing.column("op") == Op.VECTOR) & (timing.bytes > 0)).tolist():
        pipe[number] = machine.external_ps(int(timing.bytes[number]))
    own = np.flatnonzero(pipe)
    own = own[np.lexsort((timing.end[own], timing.start[own]))]
    done = np.cumsum(pipe[own])
    end = done + np.maximum.accumulate(timing.start[own] - (done - pipe[own])) if len(own) else done
    return Spans(end - pipe[own], end)
