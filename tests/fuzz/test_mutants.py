"""A short run of the container fuzzer; `make fuzz` is the long one, on sanitized native code."""

from collections import Counter

import pytest

from tests.fuzz.mutate_container import GOLDEN, golden_files, main, outcome, try_mutant
from tests.fuzz.mutations import mutant
from tfmbs.runtime.abi.sections import MAJOR

COUNT = 1200
EXPECTED = (
    "ran",
    "load: record",
    "load: siw",
    "load: target",
    "load: container.layout",
    "run: siw.address",
    "unverified: ran",
    "unverified: siw",
    "unverified: siw.address",
)


def test_mutants_are_refused_or_run_within_their_bounds():
    outcomes = Counter(try_mutant(seed) for seed in range(COUNT))
    # The mutations must reach every layer, else they test nothing.
    for expected in EXPECTED:
        assert outcomes[expected], f"no mutant had the outcome {expected!r}: {outcomes}"


def test_mutants_with_sizes_are_refused_or_run() -> None:
    """Mutants of the file with run-time sizes, at its highest sizes and at others."""
    (file,) = (GOLDEN / f"v{MAJOR}.6").glob("sized.tfb")
    files = [file.read_bytes()]
    outcomes = Counter(outcome(mutant(files, seed), seed) for seed in range(200))
    for expected in ("ran", "load: record", "load: siw"):
        assert outcomes[expected], f"no mutant had the outcome {expected!r}: {outcomes}"


def test_mutants_are_reproducible():
    files = golden_files()
    assert mutant(files, 7) == mutant(files, 7)
    assert mutant(files, 7) not in files


def test_workers_that_fail_are_reported():
    with pytest.raises(SystemExit, match=r"mutant none: exit code 1\n(.*\n)*.*missing\.so"):
        main(["--count", "1", "--native", "missing.so"])


def test_outcomes_are_counted(capsys):
    main(["--count", "3", "--first", "5"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("       3  mutants in ")
