"""Two layers of real networks as ONNX models, and the same layers in plain torch; weights are seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

from tests.models.zoo import build, node, weights

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Layer:
    """A model from x to y, an input for it, and what torch computes."""

    model: onnx.ModelProto
    x: np.ndarray
    expected: Callable[[np.ndarray], np.ndarray]


def encoder(sequence: int = 128, hidden: int = 768, heads: int = 12, inner: int = 3072) -> Layer:
    """A BERT encoder layer, batch 1: self-attention and two linear layers with GELU, normalized after each residual."""
    shapes = dict.fromkeys(("wq", "wk", "wv", "wo"), (hidden, hidden)) | {
        "w1": (inner, hidden),
        "w2": (hidden, inner),
    }
    arrays = {name: weights(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    arrays |= {f"b{name[1:]}": weights(20 + i, shape[0]) / 4 for i, (name, shape) in enumerate(shapes.items())}
    for i, name in enumerate(("g1", "g2")):
        arrays[name] = 1 + weights(40 + i, hidden) / 8
        arrays[f"e{name[1:]}"] = weights(50 + i, hidden) / 8
    depth = hidden // heads
    constants = {
        "split": np.array([1, sequence, heads, depth], np.int64),
        "joined": np.array([1, sequence, hidden], np.int64),
        "scale": np.float32(depth**-0.5),
        "half": np.float32(0.5),
        "one": np.float32(1),
        "root": np.float32(2**-0.5),
    }
    transposed = {name: arrays[name].T.copy() for name in shapes}
    x = np.random.default_rng(99).standard_normal((1, sequence, hidden)).astype(np.float32)
    given = {**arrays, **transposed, **constants}
    model = build([*_attention(), *_feed_forward()], x.shape, **given)
    return Layer(model, x, lambda x: _encoder_in_torch(x, arrays, heads))


def _attention() -> list[onnx.NodeProto]:
    nodes = []
    for name, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        nodes += [
            node("MatMul", f"x w{name}", f"{name}0"),
            node("Add", f"{name}0 b{name}", f"{name}1"),
            node("Reshape", f"{name}1 split", f"{name}2"),
            node("Transpose", f"{name}2", name, perm=order),
        ]
    return [
        *nodes,
        node("MatMul", "q k", "s0"),
        node("Mul", "s0 scale", "s1"),
        node("Softmax", "s1", "p", axis=-1),
        node("MatMul", "p v", "c0"),
        node("Transpose", "c0", "c1", perm=(0, 2, 1, 3)),
        node("Reshape", "c1 joined", "c2"),
        node("MatMul", "c2 wo", "o0"),
        node("Add", "o0 bo", "o1"),
        node("Add", "o1 x", "r1"),
        node("LayerNormalization", "r1 g1 e1", "n1", axis=-1, epsilon=1e-12),
    ]


def _feed_forward() -> list[onnx.NodeProto]:
    return [
        node("MatMul", "n1 w1", "f0"),
        node("Add", "f0 b1", "f1"),
        node("Mul", "f1 root", "f2"),
        node("Erf", "f2", "f3"),
        node("Add", "f3 one", "f4"),
        node("Mul", "f1 f4", "f5"),
        node("Mul", "f5 half", "f6"),
        node("MatMul", "f6 w2", "f7"),
        node("Add", "f7 b2", "f8"),
        node("Add", "f8 n1", "r2"),
        node("LayerNormalization", "r2 g2 e2", "y", axis=-1, epsilon=1e-12),
    ]


def _encoder_in_torch(x: np.ndarray, arrays: Weights, heads: int) -> np.ndarray:
    w = {name: torch.from_numpy(array) for name, array in arrays.items()}
    hidden = x.shape[-1]

    def split(name: str) -> torch.Tensor:
        product = functional.linear(torch.from_numpy(x), w[f"w{name}"], w[f"b{name}"])
        return product.reshape(1, -1, heads, hidden // heads).transpose(1, 2)

    context = functional.scaled_dot_product_attention(split("q"), split("k"), split("v"))
    attended = functional.linear(context.transpose(1, 2).reshape(1, -1, hidden), w["wo"], w["bo"])
    n1 = functional.layer_norm(attended + torch.from_numpy(x), (hidden,), w["g1"], w["e1"], 1e-12)
    inner = functional.linear(functional.gelu(functional.linear(n1, w["w1"], w["b1"])), w["w2"], w["b2"])
    return functional.layer_norm(inner + n1, (hidden,), w["g2"], w["e2"], 1e-12).numpy()


def inverted_residual(channels: int = 32, expansion: int = 6, size: int = 28) -> Layer:
    """A block of MobileNetV2 with stride 1, batch 1: widened, filtered per channel, narrowed, added to its input."""
    wide = channels * expansion
    shapes = {"expand": (wide, channels, 1, 1), "depth": (wide, 1, 3, 3), "project": (channels, wide, 1, 1)}
    arrays: Weights = {}
    nodes = []
    last = "x"
    for i, (name, shape) in enumerate(shapes.items()):
        arrays |= {f"{name}_w": weights(i, *shape), **_statistics(name, shape[0], i)}
        attributes = {"group": wide, "pads": (1, 1, 1, 1)} if name == "depth" else {}
        nodes.append(node("Conv", f"{last} {name}_w", f"{name}_c", **attributes))
        norm = f"{name}_c {name}_gain {name}_bias {name}_mean {name}_var"
        nodes.append(node("BatchNormalization", norm, f"{name}_n"))
        last = f"{name}_n"
        if name != "project":
            nodes.append(node("Clip", f"{last} zero six", f"{name}_a"))
            last = f"{name}_a"
    nodes.append(node("Add", f"x {last}", "y"))
    x = np.random.default_rng(98).standard_normal((1, channels, size, size)).astype(np.float32)
    model = build(nodes, x.shape, **arrays, zero=np.float32(0), six=np.float32(6))
    return Layer(model, x, lambda x: _residual_in_torch(x, arrays))


def _statistics(name: str, channels: int, seed: int) -> Weights:
    return {
        f"{name}_gain": 1 + weights(seed + 10, channels) / 4,
        f"{name}_bias": weights(seed + 20, channels) / 4,
        f"{name}_mean": weights(seed + 30, channels) / 4,
        f"{name}_var": np.abs(1 + weights(seed + 40, channels) / 4).astype(np.float32),
    }


def _residual_in_torch(x: np.ndarray, arrays: Weights) -> np.ndarray:
    value = torch.from_numpy(x)
    for name in ("expand", "depth", "project"):
        w = torch.from_numpy(arrays[f"{name}_w"])
        groups = w.shape[0] if name == "depth" else 1
        conv = nn.Conv2d(
            w.shape[1] * groups, w.shape[0], w.shape[2], padding=w.shape[2] // 2, groups=groups, bias=False
        )
        conv.weight = nn.Parameter(w, requires_grad=False)
        mean, var, gain, bias = (torch.from_numpy(arrays[f"{name}_{part}"]) for part in ("mean", "var", "gain", "bias"))
        value = functional.batch_norm(conv(value), mean, var, gain, bias)
        value = value if name == "project" else functional.relu6(value)
    return (torch.from_numpy(x) + value).detach().numpy()
