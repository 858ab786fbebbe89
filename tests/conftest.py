"""Settings of all tests."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from tests.native import VARIABLE, use_native

# The machine decides how long an example takes; a slow one is not a failure. A run of the suite finds what the last one
# found: fresh examples are drawn by `make properties`.
settings.register_profile("tfmbs", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("tfmbs")

# Before a test module imports the runtime.
if native := os.environ.get(VARIABLE):
    use_native(native)

# Processes of tests that run side by side have the processors between them; tests of threads say how many they want.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TFMBS_NUM_THREADS", "1")


@pytest.fixture
def no_numpy_warnings() -> Iterator[None]:
    """Numpy overflows, divides by zero and makes NaN without a word, as the fabric does."""
    with np.errstate(all="ignore"):
        yield
