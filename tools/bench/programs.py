"""Who runs a whole network: our programs, sessions of onnxruntime, modules of IREE."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tfmbs
from tfmbs.compiler.importers.messages import first_line
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.networks import FP32, Start, Step, Subject, quiet
from tfmbs.tools.bench.problem import Array
from tfmbs.tools.bench.sessions import session


@dataclass(frozen=True)
class Contender:
    """A compiled network. `weight_bytes` are those of the file, where they are known."""

    name: str
    start: Start
    ours: bool = False
    weight_bytes: int | None = None


def ours(subject: Subject, precision: str) -> Contender:
    """Compiled at a precision. Raises TfmbsError, what the compiler refuses."""
    if subject.stateful is not None:
        program, start = subject.stateful(precision)
        return Contender("tfmbs", start, ours=True, weight_bytes=len(program.image.weights))
    how: dict[str, Any] = {}
    if precision != FP32:
        how = {"quantization": {"activations": "dynamic"}} if subject.dynamic else {"calibration": [subject.inputs]}
    program = tfmbs.compile(subject.model, precision=precision, **how)

    def start_step(threads: int) -> Step:
        context = program.context(threads=threads)
        return Step(lambda: list(context.run(subject.inputs).values()), lambda: context.stats)

    return Contender("tfmbs", start_step, ours=True, weight_bytes=len(program.image.weights))


def onnxruntime(subject: Subject, precision: str) -> Iterator[Contender]:
    """Sessions of the model, quantized by its own tools where the precision is int8."""
    if subject.model is None:
        return
    if precision == FP32:
        yield Contender("onnxruntime", _sessions(subject.model.SerializeToString(), subject))
        return
    for name, model in _quantized(subject):
        yield Contender(f"onnxruntime {name}", _sessions(model, subject))


def _sessions(model: bytes, subject: Subject) -> Start:
    def start(threads: int) -> Step:
        opened = session(model, threads)
        return Step(lambda: list(opened.run(None, dict(subject.inputs))))

    return start


def _quantized(subject: Subject) -> Iterator[tuple[str, bytes]]:
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Once(CalibrationDataReader):  # type: ignore[misc] # it has no types
        """The inputs themselves."""

        def __init__(self) -> None:
            self.rest = iter([dict(subject.inputs)])

        def get_next(self) -> Any:
            return next(self.rest, None)

    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "model.onnx", Path(folder) / "quantized.onnx"
        onnx.save(subject.model, str(source))
        if subject.dynamic:
            quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8)
            yield "dynamic", target.read_bytes()
            return
        for name, form in (("QDQ", QuantFormat.QDQ), ("QOperator", QuantFormat.QOperator)):
            types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
            quantize_static(str(source), str(target), Once(), quant_format=form, per_channel=True, **types)
            yield name, target.read_bytes()


def iree(subject: Subject, precision: str) -> Iterator[Contender]:
    """Our portable linalg of the model, compiled for this processor. Raises TfmbsError `reference`, as its compiler."""
    from iree import runtime

    from tfmbs.compiler.compilation import Compilation, Options

    if subject.model is None or precision != FP32:
        return  # its numerics of integers are ours, written out as linalg: no peer's
    compilation = Compilation.of(subject.model, Options(numerics="portable"))
    compilation.lower("linalg")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.mlir", Path(folder) / "model.vmfb"
        source.write_text(str(compilation.module))
        command = [str(Path(sys.executable).parent / "iree-compile"), "--iree-hal-target-backends=llvm-cpu"]
        command += ["--iree-llvmcpu-target-cpu=host", str(source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TfmbsError(
                "reference", "IREE", "it does not compile the model", got=first_line(Exception(done.stderr))
            )
        binary = target.read_bytes()

    def start(threads: int) -> Step:
        runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        config = runtime.Config("local-sync" if threads == 1 else "local-task")
        context = runtime.SystemContext(config=config)
        context.add_vm_module(runtime.VmModule.copy_buffer(config.vm_instance, binary))
        main = context.modules.module["main"]
        arrays = [runtime.asdevicearray(config.device, array) for array in subject.inputs.values()]

        def run() -> list[Array]:
            given = main(*arrays)
            results = given if isinstance(given, (tuple, list)) else (given,)
            # A cache stays where it is.
            return [np.asarray(result.to_host()) for result in results[: len(subject.expected)]]

        return Step(run)

    yield Contender("IREE", start)


PEERS: dict[str, Callable[[Subject, str], Iterator[Contender]]] = {"onnxruntime": onnxruntime, "iree": iree}
"""Every peer by the name that `--peers` takes."""
