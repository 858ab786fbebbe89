"""Families of kernels on instruction sets of their own: which launches they take, their bytes, and what is refused."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import Builder
from tests.conformance.data import floats
from tests.conformance.launches import Launches
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import ISA_VARIABLE, Emulator
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.tools.run import main

Array = NDArray[Any]
F32 = DType.F32
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
FASTEST = _native.instruction_sets()[-1]
N, K = 41, 19


@cache
def launches() -> tuple[Image, dict[str, Array], tuple[str, ...]]:
    builder = Launches()
    return builder.image(), builder.given, tuple(builder.families)


def ran(choice: str) -> dict[str, bytes]:
    image, given, _ = launches()
    return {name: y.tobytes() for name, y in Emulator(image, choice).context(1).run("main", given).items()}


@cache
def expected() -> dict[str, bytes]:
    return ran("baseline")


def test_every_family_has_a_launch() -> None:
    assert {*launches()[2]} == {*_native.kernel_families()}


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("family", _native.kernel_families())
def test_bytes_of_a_family_on_its_own_set(family: str, isa: str) -> None:
    """Beside every other set; the launches of the family run on its set, and the others do not."""
    image, _, families = launches()
    for other in SETS:
        choice = f"{other},{family}={isa}"
        assert ran(choice) == expected()
        device = Emulator(image, choice)
        assert device.isa == (choice if isa != other else isa)
        assert device.whole.native.dispatch(0) == [(own, isa if own == family else other) for own in families]


def test_all_families_at_once() -> None:
    for turn in range(len(SETS)):
        choice = [f"{family}={SETS[(turn + i) % len(SETS)]}" for i, family in enumerate(_native.kernel_families())]
        assert ran(",".join(choice)) == expected()
        image, given, _ = launches()
        outputs = Kpu(image, ",".join(choice)).context().run("main", given)
        assert {name: y.tobytes() for name, y in outputs.items()} == expected()


@pytest.mark.skipif(len(SETS) < 2, reason="there are two widths of panels where there are two sets")
@pytest.mark.parametrize("family", ["int8", "f32", "groups", "conv-int8", "conv-f32", "lstm"])
def test_weights_lie_as_their_family_reads_them(family: str) -> None:
    """Panels of the baseline set are narrower, and words of its integers hold half as many."""
    image, *_ = launches()
    packed = Emulator(image, f"{FASTEST},{family}=baseline").whole.native.packed
    assert packed != Emulator(image, FASTEST).whole.native.packed


def test_weights_that_two_families_share() -> None:
    """Each packs them for its own set."""
    builder, rng = Builder(), np.random.default_rng(5)
    given = {"x": floats(rng, (3, 5, K)), "z": floats(rng, (15, K))}
    weights, states = floats(rng, (1, 4 * N, K)), builder.constant(floats(rng, (1, 4 * N, N)))
    of_input = builder.constant(weights)
    x, z = builder.input("x", (3, 5, K), F32), builder.input("z", (15, K), F32)
    builder.lstm(x, of_input, builder.output("y", (3, 1, 5, N), F32), [states])
    builder.gemm(z, of_input, builder.output("s", (15, 4 * N), F32), m=15, n=4 * N, k=K, rhs_batch_stride=0)
    image = builder.image()
    one = Emulator(image, "baseline").context(1).run("main", given)
    for isa in SETS:
        two = Emulator(image, f"baseline,lstm={isa}").context(1).run("main", given)
        assert all(two[name].tobytes() == one[name].tobytes() for name in one)


@pytest.mark.parametrize("family", ["", *_native.kernel_families()])
def test_a_choice_without_a_set_for_all(family: str) -> None:
    device = Emulator(launches()[0], f"{family}=baseline" if family else "")
    assert device.isa.partition(",")[0] == FASTEST


REFUSED = {
    "avx2000": "instruction set 'avx2000' is not available here, expected one of baseline",
    "trits=avx2000": "instruction set 'avx2000' is not available here, expected one of baseline",
    "trit=baseline": "kernel family 'trit' is unknown, expected one of trits, groups, int8",
    "=baseline": "kernel family '' is unknown",
    "trits=": "kernel family 'trits' has no instruction set",
    "trits=baseline,trits=baseline": "kernel family 'trits' has an instruction set already",
    "trits=baseline,baseline": "'baseline' stands behind the instruction set for all, expected FAMILY=SET",
    "baseline,": "'' stands behind the instruction set for all",
    "baseline, trits=baseline": "kernel family ' trits' is unknown",
    ",": "'' stands behind the instruction set for all",
}


@pytest.mark.parametrize("choice", REFUSED)
def test_what_is_no_choice_is_refused(choice: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        Emulator(launches()[0], choice)
    assert caught.value.code == "device"
    assert REFUSED[choice] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_environment_decides_and_stats_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image, given, families = launches()
    image.save(tmp_path / "m.tfb")
    arguments = [str(tmp_path / "m.tfb"), "--stats", str(tmp_path / "s.json"), "--trace", str(tmp_path / "t.json")]
    for name, array in given.items():
        np.save(tmp_path / f"{name}.npy", array)
        arguments += ["--input", f"{name}={tmp_path / name}.npy"]
    monkeypatch.setenv(ISA_VARIABLE, "trits=baseline")
    assert main(arguments) == 0
    rows = json.loads((tmp_path / "s.json").read_text())["launches"]
    wanted = [f"{family} on {'baseline' if family == 'trits' else FASTEST}" for family in families]
    assert [row["kernels"] for row in rows] == wanted
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert [event["args"]["kernels"] for event in events if event["ph"] == "X"] == wanted
    monkeypatch.setenv(ISA_VARIABLE, "trit=baseline")
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "kernel family 'trit' is unknown" in line
