"""Layers that have a kernel of their own beside onnxruntime and torch in the same run, one thread each.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.layers`. Each time is the best of several runs of one layer, ours and
onnxruntime's from the same ONNX node, torch's the layer itself. Inputs are checked and outputs copied. The results are
compared before anything is timed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

import tfmbs
from benchmarks.clock import best_seconds

F32 = NDArray[np.float32]
OPSET = 21
ROUNDS = 4  # in which all take their turn: what else runs on the machine comes and goes
TOLERANCE = 1e-4  # of the largest element


@dataclass(frozen=True)
class Layer:
    """A model of one result `y`, its inputs, multiply-accumulates, and torch's way to the same result."""

    name: str
    kernel: str
    model: onnx.ModelProto
    inputs: Mapping[str, F32]
    macs: int
    torch: Callable[[], torch.Tensor]


def lstm(steps: int, batch: int, size: int, ways: int = 1) -> Layer:
    """A layer whose inputs and states are as wide."""
    torch.manual_seed(0)
    module = torch.nn.LSTM(size, size, bidirectional=ways > 1).eval()
    x = torch.randn(steps, batch, size)
    params = [p.detach().numpy() for p in module.parameters()]
    w, r, wb, rb = (np.stack([_onnx_gates(p) for p in params[number::4]]) for number in range(4))
    direction = "bidirectional" if ways > 1 else "forward"
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=size, direction=direction)
    model = _model([node], {"x": x.numpy()}, {"w": w, "r": r, "b": np.concatenate([wb, rb], 1)})
    name = f"LSTM, {steps} steps, batch {batch}, {size}→{size}{', both ways' if ways > 1 else ''}"
    macs = steps * batch * ways * 4 * size * 2 * size

    def run() -> torch.Tensor:
        states: torch.Tensor = module(x)[0]
        return states.reshape(steps, batch, ways, size).transpose(1, 2)

    return Layer(name, "LSTM", model, {"x": x.numpy()}, macs, run)


def _onnx_gates(values: F32) -> F32:
    """PyTorch's gates i, f, g, o in the order of ONNX: i, o, f, g."""
    i, f, g, o = np.split(values, 4)
    return np.concatenate([i, o, f, g])


def attention(heads: int, rows: int, columns: int, width: int) -> Layer:
    """softmax(q · kᵀ / √width) · v of one sequence."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, heads, n, width) for n in (rows, columns, columns))
    scale = np.float32(1 / np.sqrt(width))
    nodes = [
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "kt"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["t"]),
        helper.make_node("Softmax", ["t"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["y"]),
    ]
    inputs = {"q": q.numpy(), "k": k.numpy(), "v": v.numpy()}
    model = _model(nodes, inputs, {"scale": np.asarray(scale)})
    name = f"attention, {heads} heads, {rows}×{columns}, width {width}"
    macs = heads * rows * columns * 2 * width
    return Layer(name, "ATTENTION", model, inputs, macs, lambda: functional.scaled_dot_product_attention(q, k, v))


def conv3d(channels: int, size: int, filters: int) -> Layer:
    """A 3×3×3 convolution of one volume, padded so that its size stays."""
    torch.manual_seed(0)
    x, w = torch.randn(1, channels, size, size, size), torch.randn(filters, channels, 3, 3, 3)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 6)
    model = _model([node], {"x": x.numpy()}, {"w": w.numpy()})
    name = f"conv3d {channels}→{filters}, {size}×{size}×{size}, 3×3×3"
    macs = filters * size**3 * channels * 27
    return Layer(name, "CONV3D", model, {"x": x.numpy()}, macs, lambda: functional.conv3d(x, w, padding=1))


def _model(nodes: list[onnx.NodeProto], inputs: Mapping[str, F32], constants: Mapping[str, F32]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "layer",
        [value(name, TensorProto.FLOAT, x.shape) for name, x in inputs.items()],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(x, name) for name, x in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


LAYERS: tuple[Callable[[], Layer], ...] = (
    lambda: lstm(64, 1, 512),
    lambda: lstm(64, 16, 512),
    lambda: lstm(64, 16, 512, ways=2),
    lambda: lstm(64, 1, 128),
    lambda: attention(12, 128, 128, 64),
    lambda: attention(12, 1, 1024, 64),
    lambda: conv3d(16, 24, 32),
)


def times(layer: Layer, repeats: int) -> dict[str, float]:
    """Seconds by who computed the layer."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(layer.model.SerializeToString(), options, ["CPUExecutionProvider"])
    context = tfmbs.compile(layer.model).context(threads=1)
    expected = session.run(None, dict(layer.inputs))[0]
    for who, got in (("tfmbs", context.run(layer.inputs)["y"]), ("torch", layer.torch().numpy())):
        error = float(np.max(np.abs(got - expected)) / np.max(np.abs(expected)))
        if not error <= TOLERANCE:
            raise SystemExit(f"{layer.name}: {who} differs from onnxruntime by {error:.1e}")
    if layer.kernel not in [launch.kind for launch in context.stats.launches]:
        raise SystemExit(f"{layer.name}: no launch of {layer.kernel}")
    runs: dict[str, Callable[[], Any]] = {
        "tfmbs": lambda: context.run(layer.inputs),
        "onnxruntime": lambda: session.run(None, dict(layer.inputs)),
        "torch": layer.torch,
    }
    rounds = [{who: best_seconds(run, repeats) for who, run in runs.items()} for _ in range(ROUNDS)]
    return {who: min(found[who] for found in rounds) for who in runs}


def main() -> int:
    """Prints one row per layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="runs of each in a round; the best of all counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'layer':48}{'tfmbs':>12}{'onnxruntime':>14}{'torch':>12}{'GMAC/s':>9}")
    with torch.no_grad():
        for make in LAYERS:
            layer = make()
            found = times(layer, arguments.repeats)
            columns = "".join(f"{1e3 * found[who]:{width}.2f} ms" for who, width in _WIDTHS.items())
            print(f"{layer.name:48}{columns}{layer.macs / found['tfmbs'] / 1e9:9.1f}", flush=True)
    return 0


_WIDTHS = {"tfmbs": 9, "onnxruntime": 11, "torch": 9}

if __name__ == "__main__":
    sys.exit(main())
