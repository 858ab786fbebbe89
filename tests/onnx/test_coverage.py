"""The coverage page says what was found, and a sample of the cases is as it says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from benchmarks.isolation.executor import DiedError, Executor
from benchmarks.isolation.isolated import BINARY
from benchmarks.isolation.limits import Limits
from benchmarks.onnx_coverage import results
from benchmarks.onnx_coverage.cases import load
from benchmarks.onnx_coverage.check import Status, check
from benchmarks.onnx_coverage.page import PAGE, render
from tfmbs import onnx_backend

ROOT = Path(__file__).parents[2]
SAMPLE = 19  # about 100 of the node cases

_NOISE = "the expected values hold an f32 transform's rounding errors of 1.9e-7, ours 3e-15; the tolerance is 1e-7"
KNOWN_FAULTS = {("node", "test_dft_inverse"): _NOISE, ("node", "test_dft_inverse_opset19"): _NOISE}


@pytest.fixture(scope="module")
def cases():
    return load()


def test_every_case_has_a_verdict_and_the_known_ones_are_faults(cases):
    stored = results.read()
    assert set(stored) == {results.key(case) for case in cases}
    faults = {key for key, result in stored.items() if result.status not in (Status.PASSED, Status.REFUSED)}
    assert faults == set(KNOWN_FAULTS)


def test_the_page_is_fresh(cases):
    assert PAGE.read_text(encoding="utf-8") == render(cases, results.read()), "run python -m benchmarks.onnx_coverage"


def test_a_sample_passes_where_it_did():
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.onnx_coverage", "--kind", "node", "--jobs", "1"]
    run = subprocess.run([*command, "--sample", str(SAMPLE)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_wrong_result_is_seen(cases, tmp_path):
    case = next(case for case in cases if case.name == "test_abs")
    ((inputs, outputs),) = case.data(case.model())
    limits = Limits()
    with Executor(limits) as executor:
        assert check(case, executor, limits).status is Status.PASSED
        for changed in (outputs[0] + 1, outputs[0].astype("float64"), outputs[0][None]):
            other = type(case)(case.name, case.kind, case.rtol, case.atol, case.source, [(inputs, [changed])])
            assert check(other, executor, limits).status is Status.WRONG


def test_a_process_that_dies_is_replaced(tmp_path):
    node = helper.make_node("Neg", ["x"], ["y"])
    onnx_backend.TfmbsBackend.prepare(onnx_backend.node_model(node, [np.zeros(1)], None, 21)).program.save(
        tmp_path / BINARY
    )
    with Executor(Limits()) as executor:
        with pytest.raises(DiedError, match=r"status 1.*FileNotFoundError"):
            executor.run(tmp_path)  # there are no inputs
        assert "refused" in executor.run(tmp_path / "nowhere")
