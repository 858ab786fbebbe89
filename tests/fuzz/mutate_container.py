"""Loads and runs mutants of binaries: each is refused with a TfmbsError, or runs within its bounds.

Two of three are re-signed mutants of the golden corpus and of random vector programs, which pass the verifier or not;
every third has its words changed behind the verifier's back, so that native code is all that checks them.

`python -m tests.fuzz.mutate_container --count 100000 --native build/sanitized/_native….so` (see `make fuzz`). Mutants
run in worker processes; one that ends or hangs its worker, or raises anything else, is reported with its number, which
`--first N --count 1` repeats.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.mutations import mutant
from tests.native import use_native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.signature import Entry, entries_of

GOLDEN = Path(__file__).parents[1] / "golden"
UNVERIFIED = 3  # every third mutant
BATCH = 2000
BATCH_SECONDS = 900
MOST_IO_BYTES = 1 << 22
MOST_STEPS = 20_000
MOST_OPERATIONS = 1 << 20
MOST_MEMORY = 1 << 24


@cache
def golden_files() -> list[bytes]:
    """The corpus, in a fixed order."""
    return [path.read_bytes() for path in sorted(GOLDEN.glob("v*/*.tfb"))]


def try_mutant(seed: int) -> str:
    """The outcome of mutant `seed`."""
    # These import the runtime, which must see the native extension to test first.
    from tests.fuzz.programs import program_files, unverified_program

    files = golden_files() + program_files()
    if seed % UNVERIFIED == 0:
        return unverified_outcome(unverified_program(files, seed), seed)
    return outcome(mutant(files, seed), seed)


def _array(shape: tuple[int, ...], dtype: Any, random: Random) -> np.ndarray[Any, Any]:
    """Any bits at all: NaN, infinities and extremes included."""
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    raw = np.frombuffer(random.randbytes(size), np.uint8)
    return (raw & 1).view(np.bool_).reshape(shape) if dtype == np.bool_ else raw.view(dtype).reshape(shape)


def run_image(image: Image, seed: int) -> None:
    """Runs every entry on random inputs with small limits. Raises TfmbsError where a limit or a bound is met."""
    from tfmbs.runtime.devices.emulator import Emulator, Limits

    random = Random(seed)
    if sum(int(image.tensors[row["tensor"]]["bytes"]) for row in image.io) > MOST_IO_BYTES:
        raise TfmbsError("resource-limit", "fuzz", "bytes of inputs and outputs")
    device = Emulator(image, limits=Limits(MOST_STEPS, MOST_OPERATIONS, MOST_MEMORY))
    context = device.context(random.choice([1, 2]))
    for signature in entries_of(image):
        for shapes in _shapes(signature, random):
            ends = zip(signature.inputs, shapes, strict=True)
            context.run(signature.name, {a.name: _array(shape, a.dtype, random) for a, shape in ends})


def _shapes(entry: Entry, random: Random) -> Iterator[list[tuple[int, ...]]]:
    """Shapes of the inputs: of each piece those for its highest sizes, and for some others."""
    for piece in entry.pieces:
        choices = [[size.high for size in piece.sizes]]
        choices += [[random.randint(size.low, size.high) for size in piece.sizes]] * any(piece.sizes)
        for sizes in choices:
            yield [tuple(dim if isinstance(dim, int) else dim.at(sizes) for dim in dims) for dims in piece.inputs]


def outcome(data: bytes, seed: int) -> str:
    """`ran`, `load: CODE` or `run: CODE`."""
    try:
        image = Image.from_buffer(data, verify=("eager", "lazy")[seed % 2])
        image.check_weights()
    except TfmbsError as error:
        return f"load: {error.code}"
    try:
        run_image(image, seed)
    except TfmbsError as error:
        return f"run: {error.code}"
    return "ran"


def unverified_outcome(image: Image, seed: int) -> str:
    """`unverified: ran`, or `unverified: CODE`."""
    try:
        run_image(image, seed)
    except TfmbsError as error:
        return f"unverified: {error.code}"
    return "unverified: ran"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def work(first: int, count: int) -> None:
    """Tries mutants first…first + count - 1; prints the number of each before it, and the outcomes at the end."""
    outcomes = Counter[str]()
    for seed in range(first, first + count):
        _say(str(seed))
        outcomes[try_mutant(seed)] += 1
    _say(json.dumps(outcomes))


def _batch(first: int, count: int, native: str | None) -> Counter[str]:
    command = [sys.executable, "-m", "tests.fuzz.mutate_container", "--worker", "--first", str(first)]
    command += ["--count", str(count), *(["--native", native] if native else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BATCH_SECONDS, check=False)
        lines, errors, ended = done.stdout.split("\n"), done.stderr, f"exit code {done.returncode}"
        if done.returncode == 0:
            return Counter(json.loads(lines[-2]))
    except subprocess.TimeoutExpired as error:
        lines, errors, ended = (error.stdout or b"").decode().split("\n"), "", f"no end after {BATCH_SECONDS} s"
    seed = next((line for line in reversed(lines) if line.isdigit()), "none")
    raise SystemExit(f"mutant {seed}: {ended}\n{errors}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints how many mutants had which outcome; exits 1 at the first that does something else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--native", help="native extension to use, e.g. one built with sanitizers")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        if options.native:
            use_native(options.native)
        work(options.first, options.count)
        return 0
    end, start = options.first + options.count, time.monotonic()
    batches = [(first, min(BATCH, end - first)) for first in range(options.first, end, BATCH)]
    outcomes = Counter[str]()
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            for result in pool.map(lambda batch: _batch(*batch, options.native), batches):
                outcomes += result
        except SystemExit:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for name, number in outcomes.most_common():
        _say(f"{number:>8}  {name}")
    _say(f"{sum(outcomes.values()):>8}  mutants in {time.monotonic() - start:.0f} s, none of them did anything else")
    return 0


if __name__ == "__main__":
    sys.exit(main())
