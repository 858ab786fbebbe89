"""Compile time and peak memory of whole models, beside iree-compile and torch-mlir's own way to linalg, in one run.

`python -m benchmarks.compile_time [resnet50 bert gpt2]`; needs the `bench` extra. The models are the light ResNet-50 of
the onnx wheel and the reference models of `examples/models`, exported by `torch.onnx.export`. Each row is the best of
several processes, which start, import, compile and write a file: seconds on the clock, seconds of all processors, and
the most memory of one process, also as a multiple of the weights in our binary. IREE compiles for the processor
(llvm-cpu); what its importer takes is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import onnx

from tfmbs.runtime.abi.image import Image

OPSET = 17
PIPELINE = "builtin.module(torch-onnx-to-torch-backend-pipeline,torch-backend-to-linalg-on-tensors-backend-pipeline)"
TO_LINALG = f"""
import sys
import onnx
from torch_mlir import ir, passmanager
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras import onnx_importer

context = ir.Context()
torch_dialect.register_dialect(context)
info = onnx_importer.ModelInfo(onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1])))
module = info.create_module(context=context).operation
onnx_importer.NodeImporter.define_function(info.main_graph, module).import_all()
passmanager.PassManager.parse({PIPELINE!r}, context).run(module)
module.write_bytecode(open(sys.argv[2], "wb"))
"""


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds, seconds of processors, bytes of memory at most."""

    seconds: float
    processor: float
    peak: int


def cost(command: Sequence[str], repeats: int) -> Cost:
    """The least of several runs of a command, each figure by itself. Raises SystemExit where it fails."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)[:200]}: exit code {process.returncode}\n{said[-2000:]}")
        found.append(Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))
    return Cost(min(c.seconds for c in found), min(c.processor for c in found), min(c.peak for c in found))


def resnet50(path: Path) -> None:
    """The light ResNet-50 of the onnx wheel, at the opset of the others."""
    source = files("onnx") / "backend" / "test" / "data" / "light" / "light_resnet50.onnx"
    model = onnx.load_model_from_string(source.read_bytes())
    onnx.save(onnx.version_converter.convert_version(model, OPSET), path)


def reference(name: str) -> Callable[[Path], None]:
    """The export of a reference model at full size."""

    def write(path: Path) -> None:
        import torch

        from examples.models.catalogue import MODELS

        module, inputs = MODELS[name].build(MODELS[name].FULL)
        names = [f"input{number}" for number in range(len(inputs))]
        torch.onnx.export(module.eval(), tuple(inputs), path, dynamo=False, opset_version=OPSET, input_names=names)

    return write


MODELS: dict[str, Callable[[Path], None]] = {
    "resnet50": resnet50,
    "bert": reference("bert"),
    "gpt2": reference("gpt2"),
}


def rows(model: Path, binary: Path, repeats: int) -> dict[str, Cost]:
    """Who compiles the model (we to `binary`), and what it costs."""
    python, folder = sys.executable, model.parent
    imported = folder / f"{model.stem}.mlir"
    tools = Path(python).parent
    subprocess.run([tools / "iree-import-onnx", model, "-o", imported], check=True, capture_output=True)
    iree = [str(tools / "iree-compile"), "--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host"]
    ours = [python, "-m", "tfmbs.tools.compile", str(model), "-o", str(binary)]
    return {
        "tfmbs-compile": cost(ours, repeats),
        "torch-mlir to linalg": cost([python, "-c", TO_LINALG, str(model), str(folder / "out.mlirbc")], repeats),
        "iree-compile": cost([*iree, str(imported), "-o", str(folder / "out.vmfb")], repeats),
    }


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of {', '.join(MODELS)} (default: all)")
    parser.add_argument("--write", type=Path, metavar="FILE.onnx", help="write the one model and compile nothing")
    parser.add_argument("--repeats", type=int, default=3, help="processes of which the best counts")
    options = parser.parse_args()
    if options.write:
        MODELS[options.models[0]](options.write)
        return 0
    print(
        f"{'model':<10} {'weights':>8} {'compiler':<22} {'s':>7} {'processor s':>12} {'peak MB':>8} {'/ weights':>10}"
    )
    for name in options.models or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            # A process that is started counts what this one has in memory: it must stay small.
            subprocess.run([sys.executable, "-m", "benchmarks.compile_time", name, "--write", path], check=True)
            costs = rows(path, path.with_suffix(".tfb"), options.repeats)
            size = len(Image.load(path.with_suffix(".tfb"), verify="lazy").weights)
            for who, found in costs.items():
                print(
                    f"{name:<10} {size / 1e6:>5.0f} MB {who:<22} {found.seconds:>7.1f} {found.processor:>12.1f} "
                    f"{found.peak / 1e6:>8.0f} {found.peak / size:>9.2f}x",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
