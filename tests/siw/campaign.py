"""``python -m tests.siw.campaign``: many random programs in worker processes that may crash; a summary at the end.

A crash and a program that takes too long are failures, reported with their seed. Failures are reduced afterwards, in a
process of their own.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.siw.blame import schedule_errors
from tests.siw.checks import CRASHED, FAILED, NUMPY_EVERY, OK, REFUSED, Verdict, check, check_seed
from tests.siw.generate import generate, inputs_of
from tests.siw.program import Program
from tests.siw.reducer import reduce
from tests.siw.values import Array

SECONDS_PER_PROGRAM = 120
PROGRAMS_PER_WORKER = 400  # then a new process: what compilers leave behind adds up
REDUCED = 5
_processes = get_context("fork")


@dataclass
class Worker:
    """A process that checks one seed after the other."""

    process: Any
    pipe: Connection
    seed: int
    started: float
    done: int = 0


def _serve(pipe: Connection) -> None:
    """The loop of a worker."""
    while True:
        seed = pipe.recv()
        if seed is None:
            return
        pipe.send(check_seed(seed))


def run(seeds: Iterator[int], jobs: int) -> Iterator[tuple[int, Verdict]]:
    """Checks all seeds; a verdict for each, in the order in which they finish."""
    workers = [worker for _ in range(jobs) if (worker := _start(seeds)) is not None]
    while workers:
        ready = wait([worker.pipe for worker in workers], timeout=1)
        for worker in list(workers):
            verdict = _verdict(worker, worker.pipe in ready)
            if verdict is None:
                continue
            yield worker.seed, verdict
            worker.done += 1
            if verdict.kind == CRASHED or worker.done >= PROGRAMS_PER_WORKER:
                _stop(worker)
                workers.remove(worker)
                fresh = _start(seeds)
                workers += [fresh] if fresh else []
            elif not _next(worker, seeds):
                _stop(worker)
                workers.remove(worker)


def _start(seeds: Iterator[int]) -> Worker | None:
    seed = next(seeds, None)
    if seed is None:
        return None
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    ours.send(seed)
    return Worker(process, ours, seed, time.monotonic())


def _next(worker: Worker, seeds: Iterator[int]) -> bool:
    seed = next(seeds, None)
    if seed is not None:
        worker.pipe.send(seed)
        worker.seed, worker.started = seed, time.monotonic()
    return seed is not None


def _stop(worker: Worker) -> None:
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _verdict(worker: Worker, ready: bool) -> Verdict | None:
    if ready:
        try:
            result: Verdict = worker.pipe.recv()
        except EOFError:
            worker.process.join()
            return Verdict(CRASHED, f"crashed: exit code {worker.process.exitcode}")
        return result
    if time.monotonic() - worker.started > SECONDS_PER_PROGRAM:
        return Verdict(CRASHED, f"took longer than {SECONDS_PER_PROGRAM} s")
    return None


def apart(program: Program, inputs: Sequence[Array], seed: int) -> Verdict:
    """The check in a process of its own."""
    ours, theirs = _processes.Pipe()

    def work() -> None:
        theirs.send(check(program, inputs, seed, with_numpy=seed % NUMPY_EVERY == 0))

    process = _processes.Process(target=work, daemon=True)
    process.start()
    theirs.close()
    worker = Worker(process, ours, seed, time.monotonic())
    verdict = _verdict(worker, bool(wait([ours], timeout=SECONDS_PER_PROGRAM)))
    _stop(worker)
    return verdict or Verdict(CRASHED, f"took longer than {SECONDS_PER_PROGRAM} s")


def _blame(program: Program, inputs: Sequence[Array], seed: int) -> str:
    """What the check of schedules says, where the compiler gets that far."""
    try:
        errors = schedule_errors(program, inputs, optimise=seed % 2 == 0)
    except Exception as error:
        return f"no program: {type(error).__name__}"
    return f"schedule: {errors or 'does what the code says'}"


def reduced(seed: int) -> str:
    """The report on a seed that fails: the smallest program found, and what is wrong with it."""
    program = generate(seed)
    inputs = inputs_of(program, seed)
    wanted = apart(program, inputs, seed).signature
    small, arrays = reduce(program, inputs, lambda p, i: apart(p, i, seed).signature == wanted)
    given = "\n".join(f"// in{i} = {' '.join(repr(array).split())[:300]}" for i, array in enumerate(arrays))
    verdict = apart(small, arrays, seed)
    blame = _blame(small, arrays, seed) if verdict.kind == FAILED else ""
    return f"// seed {seed}: {verdict.text}\n// {blame}\n{given}\n{small.mlir()}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the campaign; the exit code is 1 where a program failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--reduce", type=int, default=REDUCED, help="how many failures to reduce")
    arguments = parser.parse_args()
    began, kinds, refusals, failures = time.monotonic(), Counter[str](), Counter[str](), []
    for seed, verdict in run(iter(range(arguments.start, arguments.start + arguments.count)), arguments.jobs):
        kinds[verdict.kind] += 1
        if verdict.kind == REFUSED:
            refusals[verdict.signature] += 1
        elif verdict.kind != OK:
            failures.append((seed, verdict))
            _say(f"seed {seed}: {verdict.text}")
    distinct = {verdict.signature: seed for seed, verdict in reversed(failures)}
    for seed in sorted(distinct.values())[: arguments.reduce]:
        _say(reduced(seed))
    for signature, count in refusals.most_common():
        _say(f"{count} {signature}")
    wrong = kinds[FAILED] + kinds[CRASHED]
    _say(
        f"{arguments.count} programs from seed {arguments.start}: {kinds[OK]} same bytes, {kinds[REFUSED]} refused, "
        f"{kinds[FAILED]} failed, {kinds[CRASHED]} crashed, in {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
