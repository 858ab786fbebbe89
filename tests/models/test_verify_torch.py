"""tfmbs-verify on exported PyTorch programs: layer by layer beside torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from examples.models import llama, resnet18
from tests.models.test_verify import execute, mutated, run
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.verify.torch_inputs import inputs_of
from tfmbs.compiler.verify.torch_subject import TorchSubject
from tfmbs.compiler.verify.verification import Verifier
from tfmbs.torch import BitLinear


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 16), torch.nn.Linear(16, 4)
        self.register_buffer("scale", torch.full((16,), 2.0))

    def forward(self, x: Any) -> Any:
        return self.second(torch.nn.functional.gelu(self.first(x)) * (self.scale + 1))


def exported(module: Any, inputs: Any) -> Any:
    return torch.export.export(module.eval(), tuple(inputs), strict=False)


@pytest.fixture(scope="module")
def program() -> Any:
    torch.manual_seed(3)
    return exported(Network(), (torch.randn(3, 8),))


def test_every_layer_is_compared_by_its_own_name(program: Any) -> None:
    result = Verifier(Options(), execute).verify(TorchSubject(program, inputs_of(program, 0, "m")))
    assert [(row.layer.node, row.layer.op) for row in result.layers] == [
        ("first", "aten.linear.default"), ("gelu", "aten.gelu.default"), ("mul", "aten.mul.Tensor"),
        ("second", "aten.linear.default"),
    ]  # fmt: skip
    assert [layer.value for layer in result.skipped] == ["add"]
    assert result.first is None
    assert result.same_bytes


def test_a_mutated_binary_shows_at_the_layer_whose_weights_changed(program: Any) -> None:
    result = Verifier(Options(), mutated).verify(TorchSubject(program, inputs_of(program, 0, "m")))
    assert result.first is not None
    assert result.first.layer.node == "first"
    assert result.repeat is not None
    assert (result.repeat.bad, result.repeat.part.nodes) == (True, ("first",))


@pytest.mark.parametrize("model", [resnet18, llama], ids=["resnet18", "llama"])
def test_reference_models(model: Any) -> None:
    module, inputs = model.build(model.SMALL)
    program = exported(module, inputs)
    result = Verifier(Options(), execute).verify(TorchSubject(program, inputs_of(program, 0, "m")))
    assert result.first is None
    assert len(result.layers) > 20


def test_state_that_a_program_writes() -> None:
    """The step reads a cache, writes it, and returns what it read."""
    module, steps = llama.build_cached(llama.SMALL)
    program = exported(module, steps["prefill"])
    result = Verifier(Options(), execute).verify(TorchSubject(program, inputs_of(program, 0, "m")))
    assert result.first is None


class Counted(torch.nn.Module):
    """A product, and a sum of all that it gave so far."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(16, 8)
        self.register_buffer("total", torch.zeros(8))

    def forward(self, x: Any) -> Any:
        y = self.linear(x)
        self.total.add_(y.sum(0))
        return y * self.total


def test_products_of_a_program_with_state() -> None:
    program = exported(Counted(), (torch.randn(4, 16),))
    inputs = inputs_of(program, 0, "m")
    start = partial(partial, execute)  # what takes a binary, and then inputs
    options = Options(precision="int8", calibration=[inputs], start_binary=start)
    result = Verifier(options, execute, 0.1).verify(TorchSubject(program, inputs))
    assert result.first is None
    (product,) = result.products
    assert (product.layer, product.saturated) == ("linear", 0)
    np.testing.assert_array_equal(product.inputs, next(iter(inputs.values())))
    assert product.stored.shape == product.weights.shape == (8, 16)


def test_trained_layers_are_compared_to_the_last_bit() -> None:
    module = torch.nn.Sequential(BitLinear(16, 12), torch.nn.ReLU(), BitLinear(12, 4, bias=False))
    program = exported(module, (torch.randn(4, 16),))
    result = Verifier(Options(), execute, 0.0).verify(TorchSubject(program, inputs_of(program, 0, "m")))
    assert result.first is None
    assert {"0", "2"} <= {row.layer.node for row in result.layers}


def test_command_line(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.export.save(program, "m.pt2")
    code, out, error = run(capsys, "m.pt2")
    assert (code, error) == (0, "")
    assert "every layer is within the tolerance" in out
    code, out, error = run(capsys, "m.pt2", "--tolerance", "0", "--json", "m.json")
    assert code == 1
    assert "written: m.layer.pt2, m.layer.npz" in error
    value: Mapping[str, Any] = json.loads(Path("m.json").read_text())
    assert (value["reference"], value["passed"]) == ("torch", False)
    part = torch.export.load("m.layer.pt2")
    given = np.load("m.layer.npz")
    assert list(given) == list(part.graph_signature.user_inputs)
    code, _, _ = run(capsys, "m.layer.pt2", "--inputs", "m.layer.npz")
    assert code == 0
    code, _, error = run(capsys, "m.pt2", "--reference", "onnx")
    assert (code, error) == (2, "error: --reference: reference of a .pt2, expected torch, got onnx\n")


def test_passes_are_checked_numerically(program: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.pt2"
    torch.export.save(program, path)
    code, out, _ = run(capsys, str(path), "--verify-each-numerically")
    assert code == 0, out
