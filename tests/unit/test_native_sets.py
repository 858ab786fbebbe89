"""Instruction sets of the native code: which there are, and how others are refused."""

from __future__ import annotations

import pytest

from tests.conformance.builder import Builder
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

KNOWN = ("baseline", "avx2", "avxvnni", "avx512", "avx512vnni", "amx")


def open_on(isa: str) -> None:
    builder = Builder()
    x, out = builder.input("x", (1, 1), DType.F32), builder.output("y", (1, 1), DType.F32)
    builder.gemm(x, x, out, m=1, n=1, k=1)
    Emulator(builder.image(), isa).context(1)


def test_sets_have_their_order() -> None:
    found = _native.instruction_sets()
    assert found == [isa for isa in KNOWN if isa in found]
    assert found[0] == "baseline"


def test_models_are_never_chosen() -> None:
    """A set with the model of a unit runs where it is asked for, and is in no list of what the processor has."""
    assert not set(_native.modelled_sets()) & set(_native.instruction_sets())
    for isa in _native.modelled_sets():
        open_on(isa)


@pytest.mark.parametrize("isa", [isa for isa in (*KNOWN, "amx-modell") if isa not in _native.instruction_sets()])
def test_absent_set_is_refused(isa: str) -> None:
    with pytest.raises(TfmbsError, match=f"'{isa}' is not available here, expected one of baseline"):
        open_on(isa)
