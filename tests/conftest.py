"""Settings of all tests."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

# The machine decides how long an example takes; a slow one is not a failure.
settings.register_profile("tfmbs", deadline=None)
settings.load_profile("tfmbs")


@pytest.fixture
def no_numpy_warnings() -> Iterator[None]:
    """Numpy overflows, divides by zero and makes NaN without a word, as the fabric does."""
    with np.errstate(all="ignore"):
        yield
