"""Software pipelining of an innermost loop: which loops, unrolled by how much, and whether it pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfmbs.passes.siw.machine import Instr, Item, Loop, Reg
from tfmbs.passes.siw.modulo_phases import SETVL, constant_vls
from tfmbs.passes.siw.pipeline_attempt import NEAR, Attempt, Context, PipelinedLoop
from tfmbs.runtime.abi import siw

MOST_OPERATIONS = 128
"""Operations of a loop body that is pipelined, after unrolling."""

MOST_OPERATIONS_OF_PHASES = 32
"""Operations of a body with several VLs that is unrolled."""

UNROLL = (1, 2, 3, 4)
LEVELS = (siw.VECTOR_REGISTERS, 28, 24, 20)
"""Vector registers that a kernel may use, from the first attempt to the last."""


def pipelined(loop: Loop, live_out: frozenset[Reg], level: int, context: Context) -> PipelinedLoop | None:
    """The loop with overlapping iterations; None where that cannot be or does not pay. Higher levels need less."""
    if level >= len(LEVELS) or not is_simple(loop.body):
        return None
    body = [item for item in loop.body if isinstance(item, Instr)]
    sets_vl = any(item.op is SETVL for item in body)
    if constant_vls(body, context.lanes) is None and sets_vl:
        return None
    if loop.trips is None and not (sets_vl or isinstance(context.lanes.at_loop[loop.id], int)):
        return None  # VL could not be restored behind what counts the turns
    best: PipelinedLoop | None = None
    for attempt in _attempts(loop, body, live_out, context):
        found = attempt.run(LEVELS[level]) if attempt.possible else None
        if found is not None and (best is None or found.report.cost < best.report.cost):
            best = found
        if best is not None and best.report.per_iteration * attempt.unroll <= attempt.with_steps:
            break
    return best


def is_simple(body: Sequence[Item]) -> bool:
    """Whether a body is operations only, with VLs that no scalar decides."""
    return all(isinstance(item, Instr) and item.op.name not in ("SETVLR", "BREAK") for item in body)


def _attempts(loop: Loop, body: Sequence[Instr], live_out: frozenset[Reg], context: Context) -> Iterator[Attempt]:
    """The attempts to make: by the unroll factor with the least bound per iteration first, then without unrolling."""
    if loop.trips is None:
        yield Attempt(loop, body, 1, live_out, context)
        return
    if any(item.op is SETVL for item in body):  # iterations that share phases set VL less often
        several = len(body) <= MOST_OPERATIONS_OF_PHASES and loop.trips >= 16
        for unroll in (2, 1) if several else (1,):
            yield Attempt(loop, body, unroll, live_out, context)
        return
    attempts: dict[int, Attempt] = {}
    for unroll in UNROLL:
        if len(body) * unroll > MOST_OPERATIONS or loop.trips < 4 * unroll:
            break
        attempt = Attempt(loop, body, unroll, live_out, context)
        if not attempt.possible:
            break
        attempts[unroll] = attempt
        if attempt.with_steps == attempt.ideal:
            break
    bounds = {unroll: attempt.with_steps / unroll for unroll, attempt in attempts.items()}
    near = [unroll for unroll, bound in bounds.items() if bound <= NEAR * min(bounds.values())]
    for unroll in dict.fromkeys((*near[:1], *list(attempts)[:1])):
        yield attempts[unroll]
