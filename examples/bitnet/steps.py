"""The steps of the benchmark, each in a process of its own, so that its peak of memory is its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from examples.bitnet.model_file import Geometry
from examples.bitnet.read_back import reference_of

CACHE, PROMPT = 64, (1, 17, 42, 9)


def _measured(work: Callable[..., Any], pipe: Any, arguments: tuple[Any, ...]) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    result = work(*arguments)
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    pipe.send((result, time.perf_counter() - start, time.process_time() - cpu, most * 1024))


def apart(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float, int]:
    """What `work` gives in a process of its own, its seconds and CPU seconds, and the most bytes that it held.

    The last is the largest resident size, its own or that of a process that it started.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_measured, args=(work, theirs, arguments))
    process.start()
    theirs.close()
    try:
        found: tuple[Any, float, float, int] = ours.recv()
    except EOFError as error:
        raise SystemExit(f"{work.__name__} ended with exit code {process.exitcode}") from error
    process.join()
    return found


def compile_file(source: Path, target: Path) -> int:
    """Compiles with the command-line tool's own code; returns the bytes of the binary."""
    from tfmbs.tools.compile import main

    assert main([str(source), "-o", str(target), "--dim", f"cache={CACHE}"]) == 0
    return target.stat().st_size


def decode(binary: Path, count: int) -> tuple[list[int], list[float], bytes]:
    """The stream of `count` steps on the emulator, seconds of each, and the last logits."""
    import tfmbs

    context, tokens, seconds = tfmbs.load(binary).context(threads=2), list(PROMPT), []
    for position in range(count):
        start = time.perf_counter()
        inputs = {"tokens": np.array(tokens[position : position + 1]), "start": np.array([position])}
        logits = context.run(inputs)["logits"][0]
        seconds.append(time.perf_counter() - start)
        if position + 1 >= len(PROMPT):
            tokens.append(int(logits.argmax()))
    return tokens, seconds, logits.tobytes()


def decode_in_numpy(source: Path, geometry: Geometry, count: int) -> tuple[list[int], bytes]:
    """The stream of the numpy decoder, fed with its own tokens, and its last logits."""
    decoder, tokens = reference_of(source, geometry, CACHE), list(PROMPT)
    for position in range(count):
        logits = decoder.step(tokens[position])
        if position + 1 >= len(PROMPT):
            tokens.append(int(logits.argmax()))
    return tokens, logits.tobytes()
