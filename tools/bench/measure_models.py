"""Measures all programs of a network in one loop, after their outputs were compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmbs.compiler.importers.messages import first_line
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.machine import STREAM_BYTES, Limits, fastest_isa
from tfmbs.tools.bench.model_cell import ModelCell
from tfmbs.tools.bench.networks import FP32, INT8, NETWORKS, Network, Step, Subject, closeness, from_file
from tfmbs.tools.bench.programs import PEERS, Contender, ours
from tfmbs.tools.bench.timing import Sample, interleaved, repeated

SAMPLE_SECONDS = 0.05
"""A sample takes at least about so long."""

LEAST_COSINES = {FP32: 0.99999, INT8: 0.95}
"""To the float model, by precision; trits of a file are compared with the same trits."""

PROFILED = 3
"""Runs of ours of which each launch's shortest time counts."""


@dataclass(frozen=True)
class _Running:
    contender: Contender
    step: Step
    cosine: float
    worst: float


def measured(
    name: str,
    precisions: Sequence[str] | None,
    peers: Sequence[str],
    threads: Sequence[int],
    given: Any,
    missing: dict[str, str],
) -> Iterator[ModelCell]:
    """The cells of a network, by precision and number of threads; fills `missing` with peers that cannot.

    `given` has `size`, `rounds` and `clock`.
    """
    network = NETWORKS.get(name) or Network((FP32, INT8), lambda _: from_file(Path(name)))
    wanted = [one for one in network.precisions if precisions is None or one in precisions]
    if not wanted:
        return
    subject = network.build(given.size)
    for precision in wanted:
        contenders = [ours(subject, precision)]
        for peer in peers:
            contenders += _opened(peer, subject, precision, f"{peer}, {name} at {precision}", missing)
        for number in threads:
            yield from _side_by_side(name, subject, precision, contenders, number, given)


def _opened(peer: str, subject: Subject, precision: str, what: str, missing: dict[str, str]) -> list[Contender]:
    try:
        return list(PEERS[peer](subject, precision))
    except ModuleNotFoundError as error:
        missing[peer] = f"not installed ({error.name}): pip install 'tfmbs[bench]'"
    except TfmbsError:
        raise
    except Exception as error:  # each has dozens of types of its own
        missing[what] = f"does not work here: {first_line(error)}"
    return []


def _side_by_side(
    name: str, subject: Subject, precision: str, contenders: Sequence[Contender], threads: int, given: Any
) -> Iterator[ModelCell]:
    samples: dict[str, Sample] = {"stream": Limits(fastest_isa(), threads, given.clock).stream()}
    running = []
    for contender in contenders:
        step = contender.start(threads)
        cosine, worst = closeness(step.run(), subject.expected)
        running.append(_Running(contender, step, cosine, worst))
        samples[contender.name] = repeated(step.run, SAMPLE_SECONDS, given.clock)
    timings = interleaved(samples, given.rounds)
    for one in running:
        yield ModelCell(
            network=name,
            precision=precision,
            program=one.contender.name,
            ours=one.contender.ours,
            threads=threads,
            timing=timings[one.contender.name],
            tokens=subject.tokens,
            weight_bytes=one.contender.weight_bytes,
            stream_bytes_per_second=STREAM_BYTES / timings["stream"].median,
            cosine=one.cosine,
            worst=one.worst,
            right=one.cosine >= LEAST_COSINES.get(precision, LEAST_COSINES[FP32]),
            launches=_launches(one.step),
        )


def _launches(step: Step) -> Mapping[str, tuple[int, float]]:
    """Count and seconds of launches by kind, slowest first; nothing of peers."""
    if step.stats is None:
        return {}
    runs = []
    for _ in range(PROFILED):
        step.run()
        runs.append(step.stats().launches)
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for launches in zip(*runs, strict=True):
        count, seconds = found[launches[0].kind]
        found[launches[0].kind] = count + 1, seconds + min(launch.wall_ns for launch in launches) / 1e9
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))
