"""``python -m tests.kpu.networks``: whole networks on the simulated KPU, their bytes beside the emulator's.

Prints for each its cycles, movements, the wall time of a first run (with the expansion), and of the check for
conflicts. The exit code is 1 where bytes differ or accesses conflict.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import tfmbs
from tests.kpu.retarget import retargeted
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.tools.bench.checkout import example
from tfmbs.tools.bench.networks import quiet, reference

NETWORKS = {"resnet18": False, "mobilenet_v2": False, "bert": True}
"""Names of examples, and whether their activations are quantized by row."""

FFN = (1024, 768, 3072)  # tokens, width, hidden


@dataclass(frozen=True)
class Result:
    """What a network took on a machine."""

    name: str
    is_same: bool
    conflicts: int
    movements: int
    cycles: int
    run_seconds: float
    check_seconds: float

    def line(self) -> str:
        """For people."""
        what = "same bytes" if self.is_same else "DIFFERENT BYTES"
        return (
            f"{self.name:34} {what}, {self.conflicts} conflicts, {self.cycles:12,} cycles, {self.movements:9,} moves, "
            f"run {self.run_seconds:5.1f} s, check {self.check_seconds:4.1f} s"
        )


def ffn() -> tuple[Any, dict[str, np.ndarray]]:
    """The feed-forward block of GPT-2."""
    import torch

    tokens, width, hidden = FFN
    torch.manual_seed(0)
    layers = torch.nn.Linear(width, hidden), torch.nn.GELU(), torch.nn.Linear(hidden, width)
    module, x = torch.nn.Sequential(*layers).eval(), torch.randn(tokens, width)
    with quiet():
        model = example("models.onnx_path").export(module, (x,))
    return model, {model.graph.input[0].name: x.numpy()}


def compiled(name: str, precision: str, size: str = "FULL", target: str = "kpu-16x16") -> tuple[Any, Mapping[str, Any]]:
    """A network as a program, and its inputs."""
    if name == "gpt2-ffn":
        (model, inputs), dynamic = ffn(), True
    else:
        subject = reference(name, size, dynamic=NETWORKS[name])
        model, inputs, dynamic = subject.model, subject.inputs, subject.dynamic
    how: dict[str, Any] = {}
    if precision == "int8":
        how = {"quantization": {"activations": "dynamic"}} if dynamic else {"calibration": [inputs]}
    return tfmbs.compile(model, target=target, precision=precision, **how), inputs


def simulated(name: str, program: Any, inputs: Mapping[str, Any], target: str) -> Result:
    """Runs a program on the emulator and on a machine, and looks for conflicts."""
    expected = Emulator(program.image, "").context(2).run("main", inputs)
    image = program.image if program.image.target["name"] == target else retargeted(program.image, target)
    start = time.perf_counter()
    context = Kpu(image).context()
    found = context.run("main", inputs)
    ran = time.perf_counter()
    conflicts = len(context.conflicts())
    checked = time.perf_counter()
    is_same = all(found[key].tobytes() == expected[key].tobytes() for key in expected)
    timing = context.timing
    cycles = -(-timing.total_ps // timing.core_ps)
    return Result(name, is_same, conflicts, len(timing.start), cycles, ran - start, checked - ran)


def results(arguments: argparse.Namespace) -> Iterator[Result]:
    for name in arguments.networks:
        for precision in arguments.precision:
            program, inputs = compiled(name, precision)
            for target in arguments.target:
                yield simulated(f"{name} {precision} {target}", program, inputs, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=[*NETWORKS, "gpt2-ffn"], help="names; all by default")
    parser.add_argument("--precision", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--target", nargs="+", default=["kpu-16x16"])
    right = True
    for result in results(parser.parse_args()):
        right &= result.is_same and not result.conflicts
        sys.stdout.write(result.line() + "\n")
        sys.stdout.flush()
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
