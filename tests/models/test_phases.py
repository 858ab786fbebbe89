"""What a network is for as a whole, by its structure, and what only looks like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor, nn

from tests.models.test_hostile_models import of, typed
from tests.models.zoo import node, weights
from tfmbs.compiler.compilation import Compilation, Options

F32, I64 = TensorProto.FLOAT, TensorProto.INT64
LENGTH = 5
LATER = np.triu(np.ones((LENGTH, LENGTH), bool), 1)


def found(model: onnx.ModelProto | nn.Module, *inputs: Tensor) -> dict[str, Any]:
    [entry] = Compilation.of(model, Options(example_inputs=inputs or None)).annotate()["entries"]
    assert isinstance(entry, dict)
    return entry


def phase(model: onnx.ModelProto | nn.Module, *inputs: Tensor) -> object:
    return found(model, *inputs)["network"].get("phase")


def patterns(entry: dict[str, Any]) -> list[str]:
    return [part["pattern"] for part in entry["parts"] if "pattern" in part]


def masked(mask: np.ndarray) -> onnx.ModelProto:
    """Attention of 5 positions whose scores a constant is added to, or chosen by."""
    choice = mask.dtype == bool
    masking = [node("Where", "mask low s", "m")] if choice else [node("Add", "s mask", "m")]
    nodes = [
        node("MatMul", "q k", "s"), *masking, node("Softmax", "m", "p", axis=-1), node("MatMul", "p v", "y"),
    ]  # fmt: skip
    inputs = [("q", F32, (1, 2, LENGTH, 4)), ("k", F32, (1, 2, 4, LENGTH)), ("v", F32, (1, 2, LENGTH, 4))]
    low = {"low": np.float32(-1e9)} if choice else {}
    return typed(of(nodes, *inputs, mask=mask, **low))


@pytest.mark.parametrize("mask", [LATER, np.where(LATER, -np.inf, 0).astype(np.float32)])
def test_hiding_what_comes_later_is_a_prefill(mask: np.ndarray) -> None:
    assert phase(masked(mask)) == "prefill"


@pytest.mark.parametrize(
    "mask",
    [
        LATER.T,  # hides what comes before
        np.arange(LENGTH) > 2 + np.zeros((LENGTH, 1)),  # the same keys for all queries
        np.abs(np.subtract.outer(np.arange(LENGTH), np.arange(LENGTH))) > 1,  # a band
        np.triu(np.ones((LENGTH, LENGTH)), 1).astype(np.float32) * np.arange(LENGTH, dtype=np.float32),  # a slope too
    ],
)
def test_hiding_anything_else_is_an_encoder(mask: np.ndarray) -> None:
    assert phase(masked(mask)) == "encoder"


class Patches(nn.Module):
    """Attention among the patches that a convolution makes of an image."""

    def __init__(self, channels: int = 3, window: int = 4, step: int = 4, attends: bool = True) -> None:
        super().__init__()
        self.cut = nn.Conv2d(channels, 8, window, step)
        self.attends = attends

    def forward(self, image: Tensor) -> Tensor:
        """Images (1, channels, 16, 16) -> (1, patches, 8)."""
        x = self.cut(image).flatten(2).transpose(1, 2)
        return torch.softmax(x @ x.transpose(1, 2), -1) @ x if self.attends else x


def test_a_convolution_that_cuts_an_image_into_tokens_is_a_patch_embedding() -> None:
    entry = found(Patches(), torch.ones(1, 3, 16, 16))
    assert patterns(entry) == ["patch_embedding", "attention"]
    assert entry["network"]["phase"] == "vision"
    assert entry["inputs"]["image"]["modality"] == entry["network"]["modality"] == "image"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"step": 2}, "encoder"),  # windows overlap
        ({"channels": 7}, "encoder"),  # no colours
        ({"window": 1, "step": 1}, "encoder"),  # a product of each pixel
        ({"attends": False}, None),  # nothing attends to the patches
    ],
)
def test_another_convolution_is_none(change: dict[str, Any], expected: str | None) -> None:
    entry = found(Patches(**change), torch.ones(1, change.get("channels", 3), 16, 16))
    assert "patch_embedding" not in patterns(entry)
    assert entry["network"].get("phase") == expected
    assert "modality" not in entry["network"]


def lookups(*tables: str) -> onnx.ModelProto:
    """The sum of rows of tables, looked up by as many inputs."""
    nodes = [node("Gather", f"{table} i{n}", f"r{n}") for n, table in enumerate(tables)]
    nodes.append(node("Sum", " ".join(f"r{n}" for n in range(len(tables))), "y"))
    inputs = [(f"i{n}", I64, (3,)) for n in range(len(tables))]
    return typed(of(nodes, *inputs, **{table: weights(n, 9, 4) for n, table in enumerate(dict.fromkeys(tables))}))


def test_several_tables_looked_up_by_inputs_are_a_recommender() -> None:
    entry = found(lookups("t", "u"))
    assert entry["network"]["phase"] == "recommender"
    assert {known["modality"] for known in entry["inputs"].values()} == {"categorical"}
    assert phase(lookups("t")) is None


class Counting(nn.Module):
    """A buffer that is updated by what comes in, and attended to by nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        """x (2, 4) -> the running sum."""
        self.total += x
        return self.total * 2


def test_state_that_is_no_cache_is_persistent_all_the_same() -> None:
    entry = found(Counting(), torch.ones(2, 4))
    assert entry["inputs"] == {
        "total": {"residency": "persistent state"},
        "x": {"residency": "ephemeral activation"},
    }
    assert patterns(entry) == []
    assert "phase" not in entry["network"]


class Cache(nn.Module):
    """Keys and values that a step of some tokens is written into, at a position that is given, as caches lie."""

    def __init__(self, scaled: bool = True) -> None:
        super().__init__()
        self.scale = 0.5 if scaled else 1.0
        self.register_buffer("keys", torch.zeros(6, 1, 4))
        self.register_buffer("values", torch.zeros(6, 1, 4))

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        """x (tokens, 1, 4), at (tokens,) -> (1, tokens, 4)."""
        keys = self.keys.index_copy_(0, at, x)
        values = self.values.index_copy_(0, at, x * 2)
        scores = (x.transpose(0, 1) * self.scale) @ (keys.permute(1, 2, 0) * self.scale)
        return torch.softmax(scores, -1) @ values.transpose(0, 1)


@pytest.mark.parametrize(("tokens", "expected"), [(1, "decode"), (3, "prefill")])
def test_a_cache_may_have_positions_first(tokens: int, expected: str) -> None:
    entry = found(Cache(), torch.ones(tokens, 1, 4), torch.arange(tokens))
    assert entry["network"]["phase"] == expected
    assert entry["inputs"]["keys"] == entry["inputs"]["values"] == {"residency": "stateful KV cache"}
    caches = [part for part in entry["parts"] if part.get("residency") == "stateful KV cache"]
    assert len(caches) == patterns(entry).count("kv_cache") == 2
