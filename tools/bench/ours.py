"""Our kernels as users get them: compiled programs of products, run through a context."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tfmbs
from tfmbs.runtime.devices.emulator import ISA_VARIABLE
from tfmbs.tools.bench.kernel import FLOAT_TOLERANCE, Kernel, Run
from tfmbs.tools.bench.problem import GROUP, Problem

NAME = "tfmbs"
BITS = {"ternary": 1.6, "int8": 8.0, "int4": 4 + 32 / GROUP, "f32": 32.0, "bf16": 16.0}
PRECISIONS = {"bf16": "bf16"}


@dataclass(frozen=True)
class Compiled:
    """A program of products on an instruction set; see `Prepared`."""

    program: tfmbs.Program
    problem: Problem
    weight_bits: float

    def context(self, threads: int) -> tfmbs.Context:
        """A context for `run`."""
        return self.program.context(threads=threads)

    def start(self, threads: int) -> Run:
        """See `Prepared`."""
        from tfmbs.tools.bench.onnx_products import tokens

        context, inputs = self.context(threads), tokens(self.problem)
        return lambda: list(context.run(inputs).values())


def ours(isa: str, *, alone: bool) -> Kernel:
    """Our kernel of an instruction set, which its name has where it is not `alone`."""
    return Kernel(
        NAME if alone else f"{NAME} {isa}",
        BITS,
        _prepare_on(isa),
        ours=True,
        isa=isa,
        tolerance=FLOAT_TOLERANCE,
    )


def _prepare_on(isa: str) -> Callable[[Problem, int], Compiled]:
    def prepare(problem: Problem, copies: int) -> Compiled:
        from tfmbs.tools.bench.onnx_products import products

        precision = PRECISIONS.get(problem.kind.name, "fp32")
        program = tfmbs.compile(products(problem, copies), precision=precision)
        bits = 8 * len(program.image.weights) / (copies * problem.shape.weights)
        with _instruction_set(isa):
            program.context()  # a device is opened for the first context, and kept
        return Compiled(program, problem, bits)

    return prepare


@contextmanager
def _instruction_set(isa: str) -> Iterator[None]:
    before = os.environ.get(ISA_VARIABLE)
    os.environ[ISA_VARIABLE] = isa
    try:
        yield
    finally:
        if before is None:
            del os.environ[ISA_VARIABLE]
        else:
            os.environ[ISA_VARIABLE] = before
