"""The committed baseline of simulated cycles: what runs take now, and what `tfmbs-bench cycles` says and writes."""

import json
from pathlib import Path
from statistics import median

import pytest

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench import cycles as command
from tfmbs.tools.bench.main import main
from tfmbs.tools.bench.simulated.alone import Alone
from tfmbs.tools.bench.simulated.baseline import Baseline

NEAR, NEAR_BYTES, MEDIAN = 1.3, 1.2, 0.05  # two factors, and a share
ROOT = Path(__file__).parents[2]
BEFORE = Baseline({"a": 1000, "b": 1000, "gone": 7}, ({"reason": "first", "changed": {}},))


Found = tuple[dict[str, int], list[str], list[Alone]]


@pytest.fixture(scope="module")
def found() -> Found:
    """All canonical workloads, once."""
    return command.measured(ROOT)


def test_canonical_workloads_take_the_cycles_of_the_baseline(found: Found) -> None:
    """Where this fails for a good reason: tfmbs-bench cycles --update-baseline --reason TEXT."""
    now, wrong, _ = found
    assert wrong == []
    assert len(now) >= 12
    changes = Baseline.load(ROOT / command.FILE).changes(now)
    assert [str(one) for one in changes if one.is_large] == []


def test_predictions_are_near(found: Found) -> None:
    """Of each launch by itself, bytes nearer than cycles; half of those of a kind far nearer, where there are some."""
    _, _, launches = found
    kinds = {one.kind for one in launches}
    assert kinds >= {"GEMM", "GEMV", "CONV2D", "POOL", "LSTM", "VECTOR", "COPY", "ATTENTION", "GROUP_GEMM"}
    for one in launches:
        assert one.cycles / NEAR <= one.predicted_cycles <= one.cycles * NEAR, one
        assert one.external / NEAR_BYTES <= one.predicted_external <= one.external * NEAR_BYTES, one
    for kind in kinds:
        own = [one.errors for one in launches if one.kind == kind]
        if len(own) > 1:
            assert all(median(errors) <= MEDIAN for errors in zip(*own, strict=True)), kind


def test_the_table_of_errors() -> None:
    launches = [Alone("POOL", 100, 10, 110, 10), Alone("POOL", 100, 10, 80, 12), Alone("COPY", 10, 10, 10, 10)]
    assert [line.split() for line in command.errors(launches).splitlines()[-2:]] == [
        ["COPY", "1", "0.0", "%", "0.0", "%", "0.0", "%", "0.0", "%"],
        ["POOL", "2", "15.0", "%", "20.0", "%", "10.0", "%", "20.0", "%"],
    ]


def test_every_update_has_its_reason() -> None:
    updates = Baseline.load(ROOT / command.FILE).updates
    assert updates
    assert all(one["reason"].strip() and one["changed"] for one in updates)


def test_more_than_5_percent_is_large() -> None:
    now = {"a": 1050, "b": 949, "new": 5}
    assert {one.name: one.is_large for one in BEFORE.changes(now)} == {"a": False, "b": True, "new": True, "gone": True}
    assert str(BEFORE.changes(now)[1]) == "b: 1,000 cycles before, 949 now, -5.1 %"


@pytest.fixture
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "measured", lambda checkout: ({"a": 1000, "b": 1100}, [], []))


@pytest.mark.usefixtures("_measured")
def test_a_change_is_refused_until_it_is_given_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cycles.json"
    Baseline({"a": 1000, "b": 1000}, ()).save(path)
    given = ["cycles", "--baseline", str(path)]
    assert main(given) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: b: 1,000 cycles before, 1,100 now, +10.0 %: cycles, expected within 5 % of")
    assert len(captured.err.splitlines()) == 1
    assert "+10.0 %" in captured.out
    assert main([*given, "--update-baseline", "--reason", "wider steps"]) == 0
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "cycles": {"a": 1000, "b": 1100},
        "updates": [{"reason": "wider steps", "changed": {"b": [1000, 1100]}}],
    }
    assert main(given) == 0
    before = path.read_bytes()
    assert main([*given, "--update-baseline", "--reason", "again"]) == 0
    assert path.read_bytes() == before


def test_wrong_bytes_are_no_baseline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "measured", lambda checkout: ({"a": 1000}, ["a"], []))
    path = tmp_path / "cycles.json"
    assert main(["cycles", "--baseline", str(path), "--update-baseline", "--reason", "x"]) == 1
    assert capsys.readouterr().err == "error: a: outputs, expected the emulator's bytes, 1 differ\n"
    assert not path.exists()


@pytest.mark.usefixtures("_measured")
@pytest.mark.parametrize("given", [["--update-baseline"], ["--reason", "x"], ["--update-baseline", "--reason", " "]])
def test_update_and_reason_belong_together(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cycles", *given]) == 2
    said = "error: --update-baseline: an update needs its reason, expected --reason TEXT, and both\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1, "cycles": {"a": 1.5}, "updates": []}', '{"schema": 2}']
)
def test_what_is_no_baseline(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(TfmbsError, match="no baseline of cycles"):
        Baseline.load(path)
    with pytest.raises(TfmbsError, match="cannot be read"):
        Baseline.load(tmp_path / "absent.json")
