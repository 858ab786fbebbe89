"""Attention as PyTorch and ONNX models write it: which forms become one launch, with the bits of many."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import tfmbs
from tests.models.zoo import build, node
from tfmbs.runtime.abi import target_file

Form = Callable[..., Tensor]


def manual(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """As written out by hand, with a divisor of 8 and a mask that is added."""
    return torch.softmax(q @ k.transpose(-1, -2) / 8.0 + mask, -1) @ v


def flat(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Batches and heads as one dimension, with `bmm`."""
    scores = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)) * 0.25
    return torch.bmm(torch.softmax(scores, -1), v.flatten(0, 1))


def grouped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def capped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(torch.tanh(q @ k.transpose(-1, -2)), -1) @ v


def with_weights(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(q @ k.transpose(-1, -2), -1)
    return weights @ v, weights


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def heads(queries: int = 4, groups: int = 4, rows: int = 7, columns: int = 11) -> tuple[Tensor, Tensor, Tensor]:
    return normal(2, queries, rows, 8), normal(2, groups, columns, 8, seed=1), normal(2, groups, columns, 6, seed=2)


BITS = normal(7, 11, seed=3) > -0.3
HIDDEN = torch.where(BITS, normal(7, 11, seed=4), -torch.inf)
HIDDEN_ROW = BITS & (torch.arange(7)[:, None] != 2)
FORMS: dict[str, tuple[Form, tuple[Tensor, ...]]] = {
    "plain": (functional.scaled_dot_product_attention, heads()),
    "manual": (manual, (*heads(), normal(2, 1, 1, 11, seed=5))),
    "flat": (flat, heads()),
    "causal": (causal, heads(columns=7)),
    "boolean": (functional.scaled_dot_product_attention, (*heads(), BITS)),
    "hidden-row": (functional.scaled_dot_product_attention, (*heads(), HIDDEN_ROW)),
    "float-mask": (functional.scaled_dot_product_attention, (*heads(), HIDDEN)),
    "grouped": (grouped, (*heads(6, 2), BITS)),
    "one-query-of-a-cache": (grouped, (*heads(6, 2, rows=1, columns=40), (torch.arange(40) < 9)[None])),
}
OTHERS: dict[str, Form] = {"capped": capped, "with-weights": with_weights}


class Model(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Any:
        return self.form(q, k, v) if mask is None else self.form(q, k, v, mask)


@cache
def plain_target(folder: Path) -> str:
    """A target without the kernel."""
    text = (Path(target_file.__file__).parent / "targets" / "kpu-16x16.toml").read_text(encoding="utf-8")
    path = folder / "plain.toml"
    path.write_text(text.replace(', "attention"', "").replace('"kpu-16x16"', '"kpu-plain"', 1), encoding="utf-8")
    return str(path)


def run(form: Form, inputs: tuple[Tensor, ...], target: str = "kpu-16x16") -> tuple[list[str], np.ndarray]:
    """Kinds of launches, and the first output."""
    program = tfmbs.compile(Model(form).eval(), example_inputs=inputs, target=target)
    context = program.context()
    arrays = dict(zip(("q", "k", "v", "mask"), (x.numpy() for x in inputs), strict=False))
    outputs = list(context.run(arrays).values())
    return [launch.kind for launch in context.stats.launches], outputs[0]


@pytest.mark.parametrize("name", FORMS)
def test_one_launch_with_the_bits_of_many(name: str, tmp_path: Path) -> None:
    form, inputs = FORMS[name]
    kinds, got = run(form, inputs)
    assert kinds.count("ATTENTION") == 1
    assert "GEMM" not in kinds
    plain_kinds, plain = run(form, inputs, plain_target(tmp_path))
    assert "ATTENTION" not in plain_kinds
    assert plain_kinds.count("GEMM") == 2
    assert got.tobytes() == plain.tobytes()
    np.testing.assert_allclose(got, Model(form)(*inputs).numpy(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_other_forms_stay_as_they_are(name: str) -> None:
    kinds, got = run(OTHERS[name], heads())
    assert "ATTENTION" not in kinds
    expected = OTHERS[name](*heads())
    expected = expected if isinstance(expected, Tensor) else expected[0]
    np.testing.assert_allclose(got, expected.numpy(), rtol=2e-6, atol=2e-6)


def test_of_onnx() -> None:
    """Keys that come transposed, a scale as a tensor, heads from one matrix."""
    split, joined = np.array([1, 9, 3, 8]), np.array([1, 9, 24])
    nodes = [node("Reshape", "x split", "r")]
    nodes += [node("Transpose", "r", name, perm=order) for name, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)))]
    nodes += [
        node("MatMul", "q k", "s"),
        node("Mul", "scale s", "t"),
        node("Add", "bias t", "u"),
        node("Softmax", "u", "p", axis=-1),
        node("MatMul", "p q", "o"),
        node("Transpose", "o", "w", perm=(0, 2, 1, 3)),
        node("Reshape", "w joined", "y"),
    ]
    bias = np.random.default_rng(6).standard_normal((1, 1, 9, 9)).astype(np.float32)
    model = build(nodes, (1, 9, 24), split=split, joined=joined, scale=np.float32(0.3), bias=bias)
    context = tfmbs.compile(model).context()
    x = np.random.default_rng(7).standard_normal((1, 9, 24)).astype(np.float32)
    got = context.run({"x": x})["y"]
    assert [launch.kind for launch in context.stats.launches].count("ATTENTION") == 1
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
