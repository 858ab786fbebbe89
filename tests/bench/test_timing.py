"""Rounds, samples, and the probes of the machine."""

import numpy as np
import pytest

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench import timing


def test_rounds_are_interleaved_and_the_first_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PAUSE", 0.0)
    order: list[str] = []
    seconds = {"a": iter([90.0, 1.0, 5.0, 2.0]), "b": iter([0.1, 7.0, 8.0, 9.0])}

    def sample(name: str) -> timing.Sample:
        def one() -> float:
            order.append(name)
            return next(seconds[name])

        return one

    found = timing.interleaved({name: sample(name) for name in seconds}, 3)
    assert order == ["a", "b"] * 4
    assert found["a"] == timing.Timing(median=2.0, best=1.0, rounds=3)
    assert found["b"] == timing.Timing(median=8.0, best=7.0, rounds=3)
    assert found["a"].scaled(0.5) == timing.Timing(median=1.0, best=0.5, rounds=3)


@pytest.mark.parametrize("warm", [True, False])
def test_a_sample_has_as_many_calls_as_fit(warm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    calls = []
    monkeypatch.setitem(timing.CLOCKS, "cpu", lambda: now[0])

    def call() -> None:
        calls.append(now[0])
        now[0] += 0.25

    sample = timing.repeated(call, 1.0, "cpu", warm=warm)
    assert len(calls) == 2
    assert sample() == 0.25
    assert len(calls) == 2 + 4 + warm


@pytest.mark.parametrize("isa", _native.instruction_sets())
@pytest.mark.parametrize("threads", [1, 3])
def test_probes_run_on_every_instruction_set(isa: str, threads: int) -> None:
    for kind in ("f32", "i8"):
        unit, rate = _native.peak(isa, kind, threads, 1e-5)
        assert unit
        assert 1e6 < rate < 1e15
    for size in (0, 1, 63, 64, 255, 256, 257, 4099):
        seconds = _native.read_seconds(isa, np.ones(size, np.uint8), threads, 3)
        assert 0 < seconds < 60


def test_probes_refuse_by_name() -> None:
    with pytest.raises(TfmbsError, match="expected f32 or i8, got f64"):
        _native.peak("", "f64", 1, 1e-5)
    with pytest.raises(TfmbsError, match="'z80' is not available here"):
        _native.peak("z80", "i8", 1, 1e-5)
    with pytest.raises(TfmbsError, match="'z80' is not available here"):
        _native.read_seconds("z80", np.ones(8, np.uint8), 1)
