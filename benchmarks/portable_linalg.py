"""The portable linalg of the reference models in other toolchains, beside torch; `make portable`.

Each model becomes linalg (`numerics=portable`) and is run twice: by upstream's `mlir-opt --verify-each` and
`mlir-runner` (MLIR_BIN names their folder, default /usr/lib/llvm-22/bin), by plain loops on one thread; and by IREE's
compiler and runtime (the `bench` extra). Needs no file of ours at run time: the weights lie in the text.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.models.catalogue import MODELS
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_of

Array = np.ndarray[Any, np.dtype[Any]]

MLIR_BIN = Path(os.environ.get("MLIR_BIN", "/usr/lib/llvm-22/bin"))
TOLERANCE = 1e-4
MAIN, WRITER = "main", "write_outputs"
TO_LLVM = (
    "one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map}",
    "canonicalize",
    "convert-bufferization-to-memref",
    "func.func(convert-linalg-to-loops)",
    "expand-strided-metadata",
    "lower-affine",
    "convert-scf-to-cf",
    "convert-math-to-llvm",
    "convert-math-to-libm",
    "expand-strided-metadata",
    "lower-affine",
    "finalize-memref-to-llvm",
    "convert-arith-to-llvm",
    "convert-index-to-llvm",
    "convert-func-to-llvm",
    "convert-cf-to-llvm",
    "reconcile-unrealized-casts",
)


@dataclass(frozen=True)
class Sample:
    """A model as portable linalg, sample inputs by position, and what torch computes from them."""

    module: Any
    inputs: list[Array]
    expected: list[Array]

    @property
    def text(self) -> str:
        return str(self.module)


@dataclass(frozen=True)
class Row:
    """What a toolchain made of a model: seconds to compile and to run, the largest difference to max|torch|."""

    name: str
    toolchain: str
    compile_seconds: float
    run_seconds: float
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.name:13} {self.toolchain:12} {self.compile_seconds:8.1f} s {self.run_seconds:8.2f} s "
            f"{self.difference:9.1e}"
        )


def sample_of(name: str, size: str) -> Sample:
    """The model of `examples.models` at size ``FULL`` or ``SMALL``."""
    module, inputs = MODELS[name].build(getattr(MODELS[name], size))
    with torch.no_grad():
        expected = module(*inputs)
    tensors = expected if isinstance(expected, tuple) else (expected,)
    options = Options(numerics="portable", example_inputs=tuple(inputs))
    compilation = Compilation.of(module, options)
    compilation.lower("linalg")
    return Sample(compilation.module, [t.numpy() for t in inputs], [t.numpy() for t in tensors])


def difference(outputs: Sequence[Array], expected: Sequence[Array]) -> float:
    """max|ours - torch| / max|torch|, the largest of all outputs."""
    pairs = zip(outputs, expected, strict=True)
    return max(float(np.abs(got.reshape(want.shape) - want).max() / np.abs(want).max()) for got, want in pairs)


def upstream(name: str, sample: Sample, folder: Path) -> Row:
    """By Debian's MLIR: every pass verified, then compiled and run in one process, which writes the outputs."""
    add_writer(sample)
    source, lowered, raw = folder / "model.mlir", folder / "llvm.mlir", folder / "outputs"
    source.write_text(sample.text)
    start = time.perf_counter()
    pipeline = f"builtin.module({','.join(TO_LLVM)})"
    _call([MLIR_BIN / "mlir-opt", "--verify-each", f"--pass-pipeline={pipeline}", source, "-o", lowered])
    lowering = time.perf_counter() - start
    start = time.perf_counter()
    with raw.open("wb") as stdout:
        runner = [MLIR_BIN / "mlir-runner", "-O2", "-e", WRITER, "--entry-point-result=void"]
        _call([*runner, f"--shared-libs={_runner_library()}", lowered], stdout)
    data, outputs, at = raw.read_bytes(), [], 0
    for want in sample.expected:
        outputs.append(np.frombuffer(data[at : at + want.nbytes], want.dtype))
        at += want.nbytes
    return Row(name, "MLIR 22", lowering, time.perf_counter() - start, difference(outputs, sample.expected))


def _runner_library() -> Path:
    """What lowered code calls for copies; Debian's package has it under its full version only."""
    return next((MLIR_BIN.parent / "lib").glob("libmlir_c_runner_utils.so*"))


def add_writer(sample: Sample) -> None:
    """Adds a function without arguments that calls the model on the sample and writes its outputs to descriptor 1."""
    [main] = [f for f in ops_of(sample.module, func.FuncOp) if f.name.value == MAIN]
    signature = main.type
    lines = ["func.func private @write(i64, index, index) -> index", f"func.func @{WRITER}() {{"]
    for i, (array, type_) in enumerate(zip(sample.inputs, signature.inputs, strict=True)):
        lines.append(f'%x{i} = arith.constant dense<"0x{array.tobytes().hex()}"> : {type_}')
    results = ", ".join(f"%y{i}" for i in range(len(signature.results)))
    arguments = ", ".join(f"%x{i}" for i in range(len(sample.inputs)))
    lines.append(f"{results} = func.call @{MAIN}({arguments}) : {signature}")
    lines.append("%stdout = arith.constant 1 : i64")
    for i, (array, type_) in enumerate(zip(sample.expected, signature.results, strict=True)):
        memref = str(type_).replace("tensor", "memref")
        lines += [
            f"%m{i} = bufferization.to_buffer %y{i} : {type_} to {memref}",
            f"%p{i} = memref.extract_aligned_pointer_as_index %m{i} : {memref} -> index",
            f"%n{i} = arith.constant {array.nbytes} : index",
            f"%w{i} = func.call @write(%stdout, %p{i}, %n{i}) : (i64, index, index) -> index",
        ]
    lines += ["return", "}"]
    with sample.module.context, ir.Location.unknown():
        declared = func.FuncOp("write", ir.Type.parse("(i64, index, index) -> index"), visibility="private")
        sample.module.body.append(declared)
        # The calls need the functions that they name: the text is read with them and its last function taken.
        own = ir.Module.parse("\n".join([f"func.func private @{MAIN}{signature!s}", *lines]), sample.module.context)
        sample.module.body.append(list(own.body)[-1].detach_from_parent())


def iree(name: str, sample: Sample, folder: Path) -> Row:
    """By IREE for the processor, one thread."""
    from iree.runtime import Config, SystemContext, VmModule

    source, binary = folder / "model.mlir", folder / "model.vmfb"
    source.write_text(sample.text)
    compiler = Path(sys.executable).parent / "iree-compile"
    start = time.perf_counter()
    target = ["--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host"]
    _call([compiler, *target, source, "-o", binary])
    compiled = time.perf_counter() - start
    config = Config("local-sync")
    context = SystemContext(config=config)
    context.add_vm_module(VmModule.mmap(config.vm_instance, str(binary)))
    start = time.perf_counter()
    given = context.modules.module[MAIN](*sample.inputs)
    results = given if isinstance(given, (tuple, list)) else (given,)
    outputs = [np.asarray(result.to_host()) for result in results]
    return Row(name, "IREE", compiled, time.perf_counter() - start, difference(outputs, sample.expected))


TOOLCHAINS: dict[str, Callable[[str, Sample, Path], Row]] = {"mlir": upstream, "iree": iree}


def measure(name: str, size: str, toolchain: str) -> Row:
    """Compiles and runs one model. Raises CalledProcessError where the toolchain refuses it."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return TOOLCHAINS[toolchain](name, sample_of(name, size), Path(folder))


def _call(command: Sequence[str | Path], stdout: Any = None) -> None:
    done = subprocess.run([str(part) for part in command], stdout=stdout, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace")[:2000]
        raise SystemExit(f"{' '.join(map(str, command))[:300]}: exit code {done.returncode}\n{said}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table. Exit code 1 if a result is further from torch than the tolerance."""
    parser = argparse.ArgumentParser("python -m benchmarks.portable_linalg", description=__doc__)
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="default: all")
    parser.add_argument("--size", default="FULL", choices=("FULL", "SMALL"))
    parser.add_argument("--toolchain", choices=list(TOOLCHAINS), action="append", help="default: all")
    given = parser.parse_args(arguments)
    print(f"{'model':13} {'toolchain':12} {'compile':>10} {'run':>10} {'max diff':>9}", flush=True)
    good = True
    for name in given.models or list(MODELS):
        for toolchain in given.toolchain or TOOLCHAINS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                row = pool.submit(measure, name, given.size, toolchain).result()
            print(row, flush=True)
            good &= row.difference <= TOLERANCE
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    print(f"\npeak memory of a process: {peak:.0f} MB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
