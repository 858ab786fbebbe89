"""The portable linalg of the small reference models, run by other toolchains, beside torch."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.portable_linalg import MLIR_BIN, TOLERANCE, difference, iree, sample_of, upstream
from examples.models.catalogue import MODELS

NEEDS_MLIR = pytest.mark.skipif(not (MLIR_BIN / "mlir-opt").exists(), reason="needs Debian's mlir-22-tools")


@NEEDS_MLIR
@pytest.mark.parametrize("name", MODELS)
def test_upstream(name: str, tmp_path: Path) -> None:
    """`mlir-opt --verify-each` takes it down to LLVM, and `mlir-runner` computes what torch does."""
    assert upstream(name, sample_of(name, "SMALL"), tmp_path).difference <= TOLERANCE


@pytest.mark.parametrize("name", ["resnet18", "llama"])
def test_iree(name: str, tmp_path: Path) -> None:
    assert iree(name, sample_of(name, "SMALL"), tmp_path).difference <= TOLERANCE


def test_a_difference_is_seen() -> None:
    sample = sample_of("dlrm", "SMALL")
    assert difference([sample.expected[0] * 1.001], sample.expected) > TOLERANCE
