"""Speed of the emulator beside onnxruntime and numpy in the same run, one thread each.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.emulator`. Each row is the best of several runs of one layer, compiled from
ONNX. Time includes checking the inputs and copying the outputs. No figure here is a claim about the fabric.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from benchmarks.clock import best_seconds

F32 = NDArray[np.float32]
PRECISIONS = ("fp32", "int8", "ternary")
SEED = 2026


@dataclass(frozen=True)
class Layer:
    """A one-node model, its input, multiply-accumulates, and the same in numpy where that is one call."""

    name: str
    model: onnx.ModelProto
    x: F32
    macs: int
    numpy: Callable[[F32], F32] | None = None


def matmul(m: int, n: int, k: int) -> Layer:
    """x (m×k) · w (k×n)."""
    rng = np.random.default_rng(SEED)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    model = _model(helper.make_node("MatMul", ["x", "w"], ["y"]), x, w, (m, n))
    return Layer(f"matmul {m}×{n}×{k}", model, x, m * n * k, lambda x: x @ w)


def conv(channels: int, size: int, filters: int, kernel: int) -> Layer:
    """A convolution of one image, padded so that its size stays."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((1, channels, size, size)).astype(np.float32)
    w = rng.standard_normal((filters, channels, kernel, kernel)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[kernel // 2] * 4)
    model = _model(node, x, w, (1, filters, size, size))
    name = f"conv {channels}→{filters}, {size}×{size}, {kernel}×{kernel}"
    return Layer(name, model, x, filters * size * size * channels * kernel * kernel)


def _model(node: onnx.NodeProto, x: F32, w: F32, out: tuple[int, ...]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    inputs, outputs = [value("x", TensorProto.FLOAT, x.shape)], [value("y", TensorProto.FLOAT, out)]
    graph = helper.make_graph([node], "layer", inputs, outputs, [numpy_helper.from_array(w, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


LAYERS: tuple[Callable[[], Layer], ...] = (
    lambda: matmul(64, 64, 64),
    lambda: matmul(512, 512, 512),
    lambda: matmul(1, 4096, 4096),
    lambda: conv(3, 112, 32, 3),
    lambda: conv(64, 56, 64, 3),
    lambda: conv(256, 14, 256, 3),
)


def rows(layer: Layer, repeats: int) -> Iterator[tuple[str, float]]:
    """Who computed the layer, and in how many seconds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(layer.model.SerializeToString(), options, ["CPUExecutionProvider"])
    yield "onnxruntime fp32", best_seconds(lambda: session.run(None, {"x": layer.x}), repeats)
    reference = layer.numpy
    if reference is not None:
        yield "numpy fp32", best_seconds(lambda: reference(layer.x), repeats)
    for precision in PRECISIONS:
        calibration = [{"x": layer.x}] if precision == "int8" else None
        context = tfmbs.compile(layer.model, precision=precision, calibration=calibration).context(threads=1)
        yield f"tfmbs {precision}", best_seconds(_runner(context, layer.x), repeats)


def _runner(context: tfmbs.Context, x: F32) -> Callable[[], object]:
    return lambda: context.run({"x": x})


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="runs of which the best counts (default: %(default)s)")
    repeats = parser.parse_args().repeats
    print(f"{'layer':<28} {'computed by':<18} {'ms':>9} {'GMAC/s':>8}")
    for make in LAYERS:
        layer = make()
        for name, seconds in rows(layer, repeats):
            print(f"{layer.name:<28} {name:<18} {seconds * 1e3:>9.3f} {layer.macs / seconds / 1e9:>8.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
