"""What a run and a launch cost beside their arithmetic: chains of products of 1×16 by 16×16, beside onnxruntime.

`python -m benchmarks.overhead` prints the time of a run of one product, and what each further product adds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import tfmbs

LENGTHS = (1, 201)
SIZE, RUNS = 16, 2000


def chain(length: int) -> onnx.ModelProto:
    """`length` products, each of the result of the one before."""
    rng = np.random.default_rng(0)
    weights = [np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0].astype(np.float32) for _ in range(length)]
    names = ["x", *(f"t{i}" for i in range(length - 1)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(length)]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, SIZE)) for name in ("x", "y")]
    graph = helper.make_graph(
        nodes, "chain", value[:1], value[1:], [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def best(run: Callable[[], object]) -> float:
    """Microseconds of the fastest run."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return min(times) / 1000


def main() -> int:
    """Prints a line for each runtime; exits 1 where results differ."""
    x = np.linspace(-1, 1, SIZE, dtype=np.float32).reshape(1, SIZE)
    found: dict[str, list[float]] = {"tfmbs": [], "onnxruntime": []}
    for length in LENGTHS:
        model = chain(length)
        context = tfmbs.compile(model).context(threads=1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        if not np.allclose(context.run({"x": x})["y"], session.run(None, {"x": x})[0], atol=1e-4):
            return 1
        found["tfmbs"].append(best(partial(context.run, {"x": x})))
        found["onnxruntime"].append(best(partial(session.run, None, {"x": x})))
    for name, (one, many) in found.items():
        each = (many - one) / (LENGTHS[1] - LENGTHS[0])
        sys.stdout.write(f"{name:12} a run {one:6.1f} us, each further product {each:6.2f} us\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
