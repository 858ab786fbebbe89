"""Mixed precision: budgets are kept at less cost, plans replay to the same bytes, what is wrong is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import tfmbs
from tests.models.zoo import build, node, weights
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.mixed.measure import agreement, cosine, spread
from tfmbs.compiler.mixed.plan import Plan, read_plan
from tfmbs.compiler.quantization import Quantization
from tfmbs.dialect import graph as ops
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.writing import write
from tfmbs.runtime.program import Program
from tfmbs.tools.compile import main


def network(seed: int = 1) -> onnx.ModelProto:
    """A convolution and two linear layers, the last of which is a copy of its input: what it loses shows at once."""
    nodes = [
        node("Conv", "x w1", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("Flatten", "r", "f"),
        node("Gemm", "f w2", "g", transB=1),
        node("Gemm", "g w3", "y", transB=1),
    ]
    copy = np.eye(24, dtype=np.float32)
    return build(nodes, (1, 2, 4, 4), w1=weights(seed, 6, 2, 3, 3), w2=weights(2, 24, 96), w3=copy)


def samples(count: int = 6) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    return [{"x": rng.standard_normal((1, 2, 4, 4)).astype(np.float32)} for _ in range(count)]


def start(image: Any) -> Any:
    return Program(image).context().run


def options(**knobs: Any) -> Options:
    target = knobs.pop("target", "kpu-16x16")
    return Options(
        target=target,
        precision="mixed",
        calibration=samples(),
        quantization=Quantization.of(knobs),
        start_binary=start,
    )


@pytest.fixture(scope="module")
def planned() -> tuple[Plan, bytes]:
    compilation = Compilation.of(network(), options(accuracy_budget=0.995, rounding="gptq"))
    data = bytes(write(compilation.container()))
    assert compilation.plan is not None
    return compilation.plan, data


def test_the_budget_is_kept_by_the_program_at_less_than_int8_costs(planned: tuple[Plan, bytes]) -> None:
    plan, data = planned
    exact = tfmbs.compile(network())
    program = Program(Image.from_buffer(data))
    found = [cosine(program.run(s)["y"], exact.run(s)["y"]) for s in samples()]
    assert np.mean(found) == pytest.approx(plan.measured, abs=1e-9)
    assert 0.995 <= plan.measured < 1
    assert abs(plan.predicted - plan.measured) < 0.005
    precisions = [entry.precision for entry in plan.layers]
    assert [entry.name for entry in plan.layers] == ["conv_c", "gemm_g", "gemm_y"]
    assert precisions[2] == "ternary"  # a unit matrix is ternary: it loses what its input loses in i8
    tight = Compilation.of(network(), options(accuracy_budget=0.99999, rounding="gptq"))
    tight.lower("fabric")
    assert tight.plan is not None
    assert sum(entry.cost for entry in plan.layers) < sum(entry.cost for entry in tight.plan.layers)
    assert sum(entry.bytes for entry in plan.layers) < sum(entry.bytes for entry in tight.plan.layers)


def test_a_plan_replays_to_the_same_bytes(planned: tuple[Plan, bytes], tmp_path: Path) -> None:
    plan, data = planned
    file = tmp_path / "plan.txt"
    file.write_text(f"# a comment\n\n{plan.text()}")
    assert read_plan(file).layers == tuple(
        replace(entry, loss=float(f"{entry.loss:.6g}"), cost=float(f"{entry.cost:.6g}")) for entry in plan.layers
    )
    again = Compilation.of(network(), options(plan=str(file), rounding="gptq"))
    assert bytes(write(again.container())) == data


def test_a_plan_may_be_changed_by_hand(planned: tuple[Plan, bytes], tmp_path: Path) -> None:
    plan, _ = planned
    layers = [replace(e, precision=p) for e, p in zip(plan.layers, ("fp32", "bf16", "int4"), strict=True)]
    (tmp_path / "plan.txt").write_text(replace(plan, layers=tuple(layers)).text())
    compilation = Compilation.of(network(), options(plan=str(tmp_path / "plan.txt"), rounding="gptq"))
    compilation._run("import")
    compilation._run("quantize")
    (convolution,) = ops_of(compilation.module, ops.Conv2dOp)
    assert str(convolution.filter.type) == "tensor<6x2x3x3xf32>"
    first, second = ops_of(compilation.module, ops.MatmulOp)
    assert str(first.rhs.type) == "tensor<24x96xf32>"
    assert "i4" in str(second.rhs.type)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graph": "00"}, "plan: it belongs to another graph, expected 00, got"),
        ({"target": "kpu-edge"}, "another target, expected kpu-edge, got kpu-16x16"),
        ({"rounding": "nearest"}, "another rounding, expected nearest, got gptq"),
        ({"layers": ()}, "another graph"),
    ],
)
def test_plans_for_something_else_are_refused(
    planned: tuple[Plan, bytes], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "plan.txt").write_text(replace(planned[0], **change).text())
    with pytest.raises(TfmbsError, match=message) as caught:
        Compilation.of(network(), options(plan=str(tmp_path / "plan.txt"), rounding="gptq")).lower("fabric")
    assert caught.value.code == "quantize"


def test_a_plan_of_other_weights_is_refused(planned: tuple[Plan, bytes], tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text(planned[0].text())
    with pytest.raises(TfmbsError, match="another graph"):
        Compilation.of(network(seed=3), options(plan=str(tmp_path / "plan.txt"), rounding="gptq")).lower("fabric")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "", "first line, expected tfmbs-plan 1, got nothing"),
        (lambda text: text.replace("plan 1", "plan 2"), "first line"),
        (lambda text: text.replace("budget", "limit"), r"plan.txt:7: line of a plan, expected budget VALUE"),
        (lambda text: text.replace("0.995", "much"), r"plan.txt:7: number in a plan, expected a number, got much"),
        (lambda text: text.replace("layer ternary", "layer int3"), r"plan.txt:1[0-2]: line of a plan"),
        (lambda text: "\n".join(text.splitlines()[:5]), "end of the plan, expected activations"),
    ],
)
def test_files_that_are_no_plan_are_refused(
    planned: tuple[Plan, bytes], tmp_path: Path, edit: Any, message: str
) -> None:
    (tmp_path / "plan.txt").write_text(edit(planned[0].text()))
    with pytest.raises(TfmbsError, match=message):
        read_plan(tmp_path / "plan.txt")


def test_a_budget_that_nothing_keeps_names_the_layers_to_blame() -> None:
    with pytest.raises(TfmbsError, match="cannot be kept on target tfmbs-xc7z020; most is lost by") as caught:
        Compilation.of(network(), options(accuracy_budget=1.0, target="tfmbs-xc7z020")).lower("fabric")
    lines = caught.value.details.splitlines()[1:]
    losses = [float(line.split()[0]) for line in lines]
    assert losses == sorted(losses, reverse=True)
    assert {line.split()[1] for line in lines} == {"conv_c", "gemm_g", "gemm_y"}


@pytest.mark.parametrize(
    ("precision", "knobs", "message"),
    [
        ("mixed", {}, "expected accuracy_budget or plan, got none"),
        ("mixed", {"accuracy_budget": 0.9, "plan": "p"}, "got accuracy_budget and plan"),
        ("int8", {"accuracy_budget": 0.9}, "accuracy_budget: precision, expected mixed, got int8"),
        ("mixed", {"accuracy_budget": 1.5}, "expected a cosine above 0, at most 1, got 1.5"),
        ("mixed", {"accuracy_budget": "high"}, "expected a number, got 'high'"),
        ("mixed", {"plan": "/no/such/file"}, "cannot read the plan"),
    ],
)
def test_what_makes_no_sense_is_refused(precision: str, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(TfmbsError, match=message):
        tfmbs.compile(network(), precision=precision, calibration=samples(1), quantization=knobs)
    if precision == "mixed":
        with pytest.raises(TfmbsError, match="samples for calibration"):
            tfmbs.compile(network(), precision=precision, quantization={"accuracy_budget": 0.9})


def test_the_tool_writes_plans_and_reads_them(tmp_path: Path) -> None:
    model, data, plan = tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "plan.txt"
    onnx.save(network(), model)
    np.savez(data, x=np.concatenate([sample["x"] for sample in samples()]))
    common = [str(model), "--precision", "mixed", "--calibrate", str(data)]
    first, second, page = tmp_path / "a.tfb", tmp_path / "b.tfb", tmp_path / "page.html"
    wanted = ["--accuracy-budget", "0.99", "--save-plan", str(plan), "--report", str(page)]
    assert main([*common, *wanted, "-o", str(first)]) == 0
    report = page.read_text()
    assert f"<dt>Measured</dt><dd>{read_plan(plan).measured:.6g}</dd>" in report
    assert all(f"<td>{entry.name}</td><td>{entry.precision}</td>" in report for entry in read_plan(plan).layers)
    assert main([*common, "--plan", str(plan), "-o", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert read_plan(plan).budget == 0.99
    assert main([str(model), "--save-plan", str(plan)]) == 2


def test_agreement_is_the_mean_of_the_least_cosines() -> None:
    expected = [{"a": np.array([1.0, 0]), "b": np.array([1.0, 1]), "n": np.array([3])}] * 2
    ours = [{"a": np.array([1.0, 1]), "b": np.array([2.0, 2]), "n": np.array([4])}, expected[0]]
    assert agreement(ours, expected) == pytest.approx((1 / np.sqrt(2) + 1) / 2)
    assert cosine(np.zeros(2), np.zeros(2)) == 1
    assert cosine(np.zeros(2), np.ones(2)) == cosine(np.array([np.inf, 1]), np.ones(2)) == 0
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 8) == [1, 2]
    with pytest.raises(TfmbsError, match="at least one of floats"):
        agreement([{"n": np.array([4])}], [{"n": np.array([3])}])
