"""Every integer convolution of ResNet-18 and MobileNetV2 beside onnxruntime's QLinearConv in the same run.

`python -m benchmarks.convolutions [--threads N] [--rounds N]`. Ours is the same QLinearConv compiled from ONNX, on i8
activations; onnxruntime's takes u8, which it is much faster on, with inputs and zero points 128 higher, so that results
are to be 128 higher, too, and are checked before anything is timed. Rounds alternate; times are medians in µs: `run`
a whole run of the program from Python, `launch` what the emulator counts for its launches. onnxruntime's time is its
whole run, which begins and ends with planes of channels as ours does.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import tfmbs

SEED = 2026
RESNET18 = (
    (3, 64, 224, 7, 2), (64, 64, 56, 3, 1), (64, 128, 56, 3, 2), (64, 128, 56, 1, 2), (128, 128, 28, 3, 1),
    (128, 256, 28, 3, 2), (128, 256, 28, 1, 2), (256, 256, 14, 3, 1), (256, 512, 14, 3, 2), (256, 512, 14, 1, 2),
    (512, 512, 7, 3, 1),
)  # fmt: skip
BOTTLENECKS = (
    (32, 32, 16, 112, 1), (16, 96, 24, 112, 2), (24, 144, 24, 56, 1), (24, 144, 32, 56, 2), (32, 192, 32, 28, 1),
    (32, 192, 64, 28, 2), (64, 384, 64, 14, 1), (64, 384, 96, 14, 1), (96, 576, 96, 14, 1), (96, 576, 160, 14, 2),
    (160, 960, 160, 7, 1), (160, 960, 320, 7, 1),
)  # fmt: skip
"""Of MobileNetV2: channels before, within and behind, size, stride."""


@dataclass(frozen=True)
class Layer:
    """A convolution of one image, padded so that a stride of 1 keeps its size."""

    channels: int
    filters: int
    size: int
    kernel: int
    stride: int
    groups: int = 1

    @property
    def name(self) -> str:
        depthwise = " depthwise" if self.groups > 1 else ""
        shape = f"{self.channels}→{self.filters}, {self.size}×{self.size}, {self.kernel}×{self.kernel}"
        return f"{shape}{f'/{self.stride}' if self.stride > 1 else ''}{depthwise}"

    @property
    def out(self) -> int:
        return (self.size - 1) // self.stride + 1

    @property
    def macs(self) -> int:
        return self.filters * self.out**2 * self.channels // self.groups * self.kernel**2

    def model(self, *, signed: bool) -> onnx.ModelProto:
        """QLinearConv with a bias and a scale by channel; zero points are 128 higher where it is unsigned."""
        rng = np.random.default_rng(SEED)
        dtype, shift = (np.int8, 0) if signed else (np.uint8, 128)
        shape = (self.filters, self.channels // self.groups, self.kernel, self.kernel)
        reach = float(np.sqrt(np.prod(shape[1:])))
        constants = {
            "xs": np.float32(0.02), "xz": dtype(3 + shift), "w": rng.integers(-127, 128, shape).astype(np.int8),
            "ws": rng.uniform(0.5, 1.5, self.filters).astype(np.float32) / np.float32(100 * reach),
            "wz": np.zeros(self.filters, np.int8), "ys": np.float32(0.02), "yz": dtype(shift - 5),
            "b": rng.integers(-1000, 1000, self.filters).astype(np.int32),
        }  # fmt: skip
        node = helper.make_node(
            "QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], group=self.groups,
            kernel_shape=[self.kernel] * 2, strides=[self.stride] * 2, pads=[self.kernel // 2] * 4,
        )  # fmt: skip
        kind = TensorProto.INT8 if signed else TensorProto.UINT8
        graph = helper.make_graph(
            [node], "layer",
            [helper.make_tensor_value_info("x", kind, (1, self.channels, self.size, self.size))],
            [helper.make_tensor_value_info("y", kind, (1, self.filters, self.out, self.out))],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def layers() -> list[Layer]:
    """Of both networks, each shape once."""
    found = [Layer(*shape) for shape in RESNET18]
    found.append(Layer(3, 32, 224, 3, 2))
    for before, within, behind, size, stride in BOTTLENECKS:
        if within != before:
            found.append(Layer(before, within, size, 1, 1))
        found.append(Layer(within, within, size, 3, stride, within))
        found.append(Layer(within, behind, size // stride, 1, 1))
    found.append(Layer(320, 1280, 7, 1, 1))
    return list(dict.fromkeys(found))


def measure(layer: Layer, threads: int, rounds: int) -> tuple[float, float, float]:
    """Seconds: our run, our launches, onnxruntime's run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = layer.model(signed=False).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    context = tfmbs.compile(layer.model(signed=True)).context(threads=threads)
    shape = (1, layer.channels, layer.size, layer.size)
    x: NDArray[np.int8] = np.random.default_rng(SEED).integers(-128, 128, shape).astype(np.int8)
    unsigned = (x.astype(np.int16) + 128).astype(np.uint8)
    expected = session.run(None, {"x": unsigned})[0].astype(np.int16) - 128
    if not np.array_equal(context.run({"x": x})["y"], expected):
        raise SystemExit(f"{layer.name}: not the integers of onnxruntime")
    times: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        start = time.perf_counter()
        session.run(None, {"x": unsigned})
        middle = time.perf_counter()
        context.run({"x": x})
        end = time.perf_counter()
        times.append((end - middle, sum(launch.wall_ns for launch in context.stats.launches) * 1e-9, middle - start))
    ours, launches, theirs = (median(column) for column in zip(*times[1:], strict=True))
    return ours, launches, theirs


def main() -> int:
    """Prints a row per layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=31, help="runs of each, the first of which does not count")
    options = parser.parse_args()
    print(f"{'layer':40}{'run µs':>9}{'launch µs':>11}{'onnxruntime':>13}{'GMAC/s':>9}{'times as fast':>15}")
    for layer in layers():
        ours, launches, theirs = measure(layer, options.threads, options.rounds)
        figures = f"{ours * 1e6:9.0f}{launches * 1e6:11.0f}{theirs * 1e6:13.0f}{layer.macs / launches * 1e-9:9.0f}"
        print(f"{layer.name:40}{figures}{theirs / ours:15.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
