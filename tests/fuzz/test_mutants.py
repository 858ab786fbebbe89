"""A short run of the container fuzzer; `make fuzz` is the long one, on sanitized native code."""

from collections import Counter

from tests.fuzz.mutate_container import golden_files, outcome
from tests.fuzz.mutations import mutant

COUNT = 1000


def test_mutants_are_refused_or_run_within_their_bounds():
    files = golden_files()
    outcomes = Counter(outcome(mutant(files, seed), seed) for seed in range(COUNT))
    # The mutations must reach every layer, else they test nothing.
    for expected in ("ran", "load: record", "load: siw", "load: target", "load: container.layout", "run: siw.address"):
        assert outcomes[expected], f"no mutant had the outcome {expected!r}: {outcomes}"


def test_mutants_are_reproducible():
    files = golden_files()
    assert mutant(files, 7) == mutant(files, 7)
    assert mutant(files, 7) not in files
