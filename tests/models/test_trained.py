"""Layers that train with ternary weights: their gradients, and the very trits and bits in the binary."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import tfmbs
from tfmbs.compiler.api import lower
from tfmbs.compiler.importers.trained_operators import bit_linear
from tfmbs.compiler.jit import Reference
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.torch import BitLinear, TernaryConv2d, TernaryLayer, TernaryLinear, convert, telemetry_hints


def network(kind: Any = "ternary") -> nn.Sequential:
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 33), nn.ReLU(), nn.Linear(33, 10)]
    return convert(nn.Sequential(*layers).eval(), kind)


def images() -> Tensor:
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(5))


def assert_packed(image: Image, layers: Iterable[TernaryLayer]) -> None:
    """Each ternary tensor of the binary holds the trits of one layer, in whatever packing was chosen for it."""
    stored = [t for t in image.tensors if t["dtype"] == DType.TRIT]
    for tensor, layer in zip(stored, layers, strict=True):
        content = bytes(image.weights[tensor["offset"] : tensor["offset"] + tensor["bytes"]])
        assert content == pack_rows(layer.trits().flatten(1).numpy(), Packing(tensor["packing"])).tobytes()


def of_trits(module: nn.Module) -> list[TernaryLayer]:
    return [layer for layer in module.modules() if isinstance(layer, TernaryLayer)]


@pytest.mark.parametrize("precision", ["fp32", "ternary"])
def test_binary_holds_the_trained_trits(precision: str) -> None:
    module = network()
    program = tfmbs.compile(module, example_inputs=(images(),), precision=precision)
    assert len(of_trits(module)) == 3
    assert_packed(program.image, of_trits(module))
    ours = program.run({"input": images().numpy()})["output"]
    np.testing.assert_allclose(ours, module(images()).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", ["ternary", "bitnet"])
def test_hints_are_what_the_binary_counts(kind: str) -> None:
    module = network(kind)
    image = tfmbs.compile(module, example_inputs=(images(),)).image
    counted = {image.strings[row["layer"]]: (row["zero_count"], row["total"]) for row in image.telemetry}
    hints = telemetry_hints(module)
    assert len(hints) == (3 if kind == "ternary" else 2)
    for name, hint in hints.items():
        assert counted[name] == (hint["zero_count"], hint["total"])
        assert hint["sparsity"] == hint["zero_count"] / hint["total"]


def test_integers_have_the_bytes_of_linalg() -> None:
    module, calibration = network(), [{"input": images().numpy()}]
    options: Any = {"example_inputs": (images(),), "precision": "ternary", "calibration": calibration}
    ours = tfmbs.compile(module, **options).run(calibration[0])["output"]
    reference = Reference(lower(module, "linalg", **options), optimization=0).run(calibration[0])["output"]
    assert ours.tobytes() == reference.tobytes()


def rows_of_all_kinds() -> Tensor:
    x = torch.randn(7, 48, generator=torch.Generator().manual_seed(7))
    x[1] = 0
    x[2] *= 1e-7
    x[3] *= 1e30
    x[4, 5] = float("nan")
    x[5] = (torch.arange(48) - 24) / 2  # ties
    return x


def test_bit_linear_has_the_bits_of_the_binary_and_of_linalg() -> None:
    torch.manual_seed(1)
    module, x = BitLinear(48, 32, bias=True).eval(), rows_of_all_kinds()
    ours = tfmbs.compile(module, example_inputs=(x,)).run({"x": x.numpy()})["output"]
    assert ours.tobytes() == module(x).detach().numpy().tobytes()
    reference = Reference(lower(module, "linalg", example_inputs=(x,)), optimization=0).run({"x": x.numpy()})
    assert ours.tobytes() == reference["output"].tobytes()


def test_bit_linear_holds_the_trained_trits_also_by_way_of_a_file(tmp_path: Path) -> None:
    module, x = network("bitnet")[3:].eval(), torch.randn(2, 5, 128)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    image = tfmbs.compile(tmp_path / "m.pt2").image
    assert len(of_trits(module)) == 2
    assert_packed(image, of_trits(module))


def test_absmean_is_the_formula_of_the_paper() -> None:
    layer = BitLinear(100, 20)
    weight = layer.weight.detach()
    gamma = weight.double().abs().mean()
    assert torch.equal(layer.trits().double(), (weight.double() / gamma).round().clamp(-1, 1))
    torch.testing.assert_close(layer.scales(), gamma.float().expand(20))


@pytest.mark.parametrize("layer", [TernaryLinear(12, 5).double(), TernaryConv2d(3, 4, 3, padding=1).double()])
def test_gradients_of_inputs_and_biases_are_those_of_the_function(layer: Any) -> None:
    x = torch.randn((4, 12) if isinstance(layer, TernaryLinear) else (2, 3, 4, 4), dtype=torch.double)
    x.requires_grad_()

    def function(value: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"bias": bias}, (value,))

    assert torch.autograd.gradcheck(function, (x, layer.bias))


def test_ternary_gradient_goes_straight_through() -> None:
    layer, x, g = TernaryLinear(12, 5), torch.randn(4, 12), torch.randn(4, 5)
    layer(x).backward(g)
    torch.testing.assert_close(layer.weight.grad, g.T @ x)
    conv, image = TernaryConv2d(3, 4, 3), torch.randn(2, 3, 5, 5)
    seed = torch.randn(2, 4, 3, 3)
    conv(image).backward(seed)
    torch.testing.assert_close(conv.weight.grad, torch.nn.grad.conv2d_weight(image, conv.weight.shape, seed))


def test_bit_linear_gradient_goes_straight_through_both_roundings() -> None:
    layer, g = BitLinear(12, 5, bias=False), torch.randn(4, 5)
    x = torch.randn(4, 12, requires_grad=True)
    layer(x).backward(g)
    factor = 127 / x.detach().abs().amax(dim=1, keepdim=True)
    rounded = (x.detach() * factor).round() / factor
    torch.testing.assert_close(layer.weight.grad, g.T @ rounded)
    torch.testing.assert_close(x.grad, g @ (layer.trits() * layer.scales()[:, None]))


def test_training_lowers_the_loss() -> None:
    module, x = network(), images()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.cross_entropy(module(x), torch.tensor([3, 7]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 < losses[0]


def test_conversion_keeps_parameters_ties_and_what_is_excluded() -> None:
    shared = nn.Linear(4, 4)
    tree = nn.ModuleDict({"body": nn.Sequential(shared, nn.ReLU(), shared), "head": nn.Linear(4, 2)})
    before = dict(tree.named_parameters())
    assert convert(tree, exclude=["head"]) is tree
    assert type(tree["head"]) is nn.Linear
    assert type(shared) is TernaryLinear
    assert tree["body"][2] is shared
    assert all(value is before[name] for name, value in tree.named_parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"include": ["none.*"]}, "got none"),
        ({"exclude": ["*"]}, "none that the patterns choose"),
        ({"kind": "binary"}, "expected ternary or bitnet, got binary"),
    ],
)
def test_conversions_of_nothing_are_refused(options: Any, message: str) -> None:
    with pytest.raises(TfmbsError, match=message):
        convert(nn.Sequential(nn.Linear(4, 4)), **options)


class Computed(nn.Module):
    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return bit_linear(x, weight)


def test_weights_that_are_no_parameters_are_refused_by_name() -> None:
    with pytest.raises(TfmbsError, match=r"bit_linear.*a parameter of f32") as caught:
        tfmbs.compile(Computed(), example_inputs=(torch.zeros(2, 8), torch.zeros(4, 8)))
    assert caught.value.code == "unsupported"


def test_other_elements_and_infinite_weights_are_refused() -> None:
    with pytest.raises(TfmbsError, match="element type of input, expected float32"):
        BitLinear(4, 4)(torch.zeros(1, 4, dtype=torch.double))
    layer = TernaryLinear(4, 4)
    layer.weight.data[0, 0] = float("inf")
    with pytest.raises(TfmbsError, match="not finite"):
        layer(torch.zeros(1, 4))
