"""The peers from PyPI. One that is not installed, or does not work here, is named with the reason."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfmbs.compiler.importers.messages import first_line
from tfmbs.tools.bench.kernel import FLOAT_TOLERANCE, Calls, Kernel, Prepared, Run
from tfmbs.tools.bench.onnx_products import products, tokens
from tfmbs.tools.bench.problem import GROUP, Array, Problem
from tfmbs.tools.bench.sessions import session

BF16_TOLERANCE = 4e-3
"""Of Σ |x · w|: a result in bf16, as torch gives it."""

MOST_TOKENS = 64
"""Of litespark's kernel at a time, as its own runtime calls it."""

TABLE_TOLERANCE = 1e-6
"""Of the largest integer: one that has passed a scale found at run time, in f32."""


@dataclass(frozen=True)
class _Sessions:
    model: bytes
    inputs: dict[str, Array]
    weight_bits: float

    def start(self, threads: int) -> Run:
        opened, inputs = session(self.model, threads), self.inputs
        return lambda: list(opened.run(None, inputs))


def onnxruntime_kernels() -> list[Kernel]:
    """MatMulInteger, MatMul of f32, MatMulNBits."""
    import onnxruntime  # noqa: F401 - whether it is there

    def prepare(problem: Problem, copies: int) -> Prepared:
        unsigned = problem.kind.exact  # what its kernels for this processor take
        model = products(problem, copies, unsigned=unsigned).SerializeToString()
        return _Sessions(model, tokens(problem, unsigned=unsigned), BITS[problem.kind.name])

    bits_ = {"MatMulInteger": ("ternary", "int8"), "MatMul": ("f32",), "MatMulNBits": ("int4",)}
    kernel = Kernel("onnxruntime", {}, prepare, tolerance=FLOAT_TOLERANCE)
    named = {op: {name: BITS[name] for name in names} for op, names in bits_.items()}
    return [replace(kernel, name=f"onnxruntime {op}", bits=bits) for op, bits in named.items()]


BITS = {"ternary": 8.0, "int8": 8.0, "int4": 4 + 32 / GROUP, "f32": 32.0, "bf16": 16.0}


def torch_kernels() -> list[Kernel]:
    """Linear layers: quantized when they run, by oneDNN; f32; bf16."""
    import torch

    torch.backends.quantized.engine = "onednn"
    dtypes = {"f32": torch.float32, "bf16": torch.bfloat16}

    def quantized(problem: Problem, copies: int) -> Prepared:
        x = torch.from_numpy(problem.tokens.astype(np.float32))
        packed = []
        for number in range(copies):
            stored = torch.from_numpy(problem.copy(number)[0])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*quantized tensor creation", category=UserWarning)
                weights = torch._make_per_tensor_quantized_tensor(stored, 1.0, 0)
            packed.append(torch.ops.quantized.linear_prepack(weights, None))

        def multiply(weights: Any) -> Any:
            return torch.ops.quantized.linear_dynamic(x, weights, False).numpy()

        return Calls(packed, multiply, 8.0, torch.set_num_threads)

    def linear(problem: Problem, copies: int) -> Prepared:
        dtype = dtypes[problem.kind.name]
        x = torch.from_numpy(problem.tokens).to(dtype)
        weights = [torch.from_numpy(problem.copy(number)[0]).to(dtype) for number in range(copies)]

        def multiply(weights: Any) -> Any:
            with torch.no_grad():
                return torch.nn.functional.linear(x, weights)

        def results(weights: Any) -> Any:
            return multiply(weights).float().numpy() if dtype is torch.bfloat16 else multiply(weights).numpy()

        return Calls(weights, results, BITS[problem.kind.name], torch.set_num_threads)

    return [
        Kernel("torch quantized linear", {"ternary": 8.0, "int8": 8.0}, quantized, tolerance=TABLE_TOLERANCE),
        Kernel("torch linear", {"f32": 32.0}, linear, tolerance=FLOAT_TOLERANCE),
        Kernel("torch linear bf16", {"bf16": 16.0}, linear, tolerance=BF16_TOLERANCE),
    ]


def numpy_kernels() -> list[Kernel]:
    """matmul of f32, by the BLAS that numpy comes with."""
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()

    def prepare(problem: Problem, copies: int) -> Prepared:
        weights = [problem.copy(number)[0] for number in range(copies)]
        return Calls(weights, lambda w: problem.tokens @ w.T, 32.0, lambda n: _limit(controller, n))

    return [Kernel("numpy", {"f32": 32.0}, prepare, tolerance=FLOAT_TOLERANCE)]


def litespark_kernels() -> list[Kernel]:
    """Trits of two bits; the results are f32."""
    from litespark_inference.torchless import kernel, pack
    from threadpoolctl import ThreadpoolController

    kernel.has_omp()  # loads the native part, which may be missing
    controller = ThreadpoolController()

    def prepare(problem: Problem, copies: int) -> Prepared:
        packed = [pack.pack_ternary_4_per_byte(problem.copy(number)[0]) for number in range(copies)]
        x, ones = np.ascontiguousarray(problem.tokens), np.ones(len(problem.tokens), np.float32)

        def multiply(weights: Any) -> Any:
            if len(x) == 1:
                return kernel.matmul_packed_m1(x[0], weights, 1.0, 1.0)[None]
            out = np.empty((len(x), len(weights)), np.float32)
            for first in range(0, len(x), MOST_TOKENS):  # it does nothing for more of them
                part = slice(first, first + MOST_TOKENS)
                kernel.matmul_packed_mT(x[part], ones[part], weights, 1.0, out[part])
            return out

        return Calls(packed, multiply, 2.0, lambda n: _limit(controller, n))

    def refuses(problem: Problem) -> str | None:
        if problem.shape.columns % 4:
            return "K is no multiple of 4"
        if len(problem.tokens) > 1 and not kernel.has_batched_matmul():
            return "no kernel for several tokens on this processor"
        return None

    return [Kernel("litespark", {"ternary": 2.0}, prepare, refuses=refuses)]


def _limit(controller: Any, threads: int) -> None:
    """So many threads from now on, of BLAS and of OpenMP."""
    controller.limit(limits=threads)


PEERS: dict[str, Callable[[], list[Kernel]]] = {
    "onnxruntime": onnxruntime_kernels,
    "torch": torch_kernels,
    "numpy": numpy_kernels,
    "litespark": litespark_kernels,
}
"""Every peer by the name that `--peers` takes."""


def present(names: Sequence[str]) -> tuple[list[Kernel], dict[str, str]]:
    """The kernels of the peers that are here, and why the others are not."""
    kernels: list[Kernel] = []
    missing: dict[str, str] = {}
    for name in names:
        found = _opened(name)
        if isinstance(found, str):
            missing[name] = found
        else:
            kernels += found
    return kernels, missing


def _opened(name: str) -> list[Kernel] | str:
    """The kernels of a peer, or why there are none."""
    try:
        return PEERS[name]()
    except ModuleNotFoundError as error:
        return f"not installed ({error.name}): pip install 'tfmbs[bench]'"
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # a native part that does not load
        return f"does not work here: {first_line(error)}"
