"""Settings of the tests on models."""

import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers_every_run() -> None:
    """Weights and inputs that torch draws are those of every run, whichever tests ran before."""
    torch.manual_seed(0)
