"""Random programs: the emulator gives the bytes of exact linalg under the JIT, and numpy agrees within its doubts."""

from __future__ import annotations

import pytest

from tests.siw.campaign import reduced
from tests.siw.checks import OK, REFUSED, check_seed

CHUNK = 25


@pytest.mark.parametrize("first", range(0, 300, CHUNK))
def test_same_bytes(first: int) -> None:
    for seed in range(first, first + CHUNK):
        verdict = check_seed(seed)
        assert verdict.kind in (OK, REFUSED), reduced(seed)
