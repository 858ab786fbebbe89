"""`--verify-each-numerically`: interprets the module after each pass and names the first pass that changes values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.driver import Observer
from tfmbs.compiler.jit import Reference, Slot
from tfmbs.compiler.plan import Step
from tfmbs.compiler.samples import Batch, cut
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]

NOT_INTERPRETED = ("torch.", "torch_c.", "onnx.", "ml_program.")
"""Prefixes of the ops of levels above the graph, which have no exact meaning to compare."""

TOLERANCES: Mapping[str, float] = {
    "tfmbs-quantize{precision=int8}": 0.5,
    "tfmbs-quantize{precision=ternary}": math.inf,
    "tfmbs-fold-requantize": 0.1,
}
"""Passes that change values on purpose: how far an output may move, relative to the largest element of that output."""


class NumericCheck(Observer):
    """Compares the outputs of the module before and after every pass, by bytes, on random inputs or the first sample.

    Samples matter after calibration: values beyond the ranges that it saw are clipped, on purpose.
    Where `TOLERANCES` names the pass, outputs may move that far, and what it gives is what later passes are held to.
    Modules that still hold torch ops are not interpreted: the comparison begins with the first graph.
    """

    def __init__(self, seed: int = 0, samples: Sequence[Batch] | None = None) -> None:
        self._seed = seed
        self._samples = samples
        self._inputs: list[Array] = []  # by position: names and layouts differ between levels
        self._outputs: list[tuple[Slot, Array]] | None = None
        self._started = False

    def before(self, step: Step, op: Any) -> None:
        if not self._started:
            self._started = True
            self._outputs = self._interpret(_module(op))

    def after(self, step: Step, op: Any) -> None:
        """Raises TfmbsError (`pass`) where an output changed."""
        outputs = self._interpret(_module(op))
        if self._outputs is not None:
            if outputs is None:
                raise TfmbsError("pass", str(step), "gives a module that cannot be interpreted any more")
            _compare(step, self._outputs, outputs)
        self._outputs = outputs

    def _interpret(self, module: Any) -> list[tuple[Slot, Array]] | None:
        """The outputs for the inputs of this check, in order; None for a module above the graph level."""
        if ops_where(module, lambda op: op.operation.name.startswith(NOT_INTERPRETED)):
            return None
        reference = Reference(module)
        self._inputs = self._inputs or self._chosen(reference.inputs)
        named = {slot.name: array for slot, array in zip(reference.inputs, self._inputs, strict=True)}
        outputs = reference.run(named)
        return [(slot, outputs[slot.name]) for slot in reference.outputs]

    def _chosen(self, slots: tuple[Slot, ...]) -> list[Array]:
        """The inputs of every comparison. Raises TfmbsError (`input.…`) for samples that do not fit."""
        if self._samples:
            sample = next(cut(self._samples[0], {slot.name: slot.shape for slot in slots}))
            return [sample[slot.name] for slot in slots]
        return list(random_inputs(slots, self._seed).values())


def random_inputs(slots: tuple[Slot, ...], seed: int) -> dict[str, Array]:
    """Normal floats, and integers 0 and 1 (valid as indices); only order, shape and dtype of the slots matter."""
    generator = np.random.default_rng(seed)
    inputs: dict[str, Array] = {}
    for slot in slots:
        if slot.dtype.kind == "f":
            inputs[slot.name] = generator.standard_normal(slot.shape).astype(slot.dtype)
        else:
            inputs[slot.name] = generator.integers(0, 2, slot.shape).astype(slot.dtype)
    return inputs


def _module(op: Any) -> Any:
    """The builtin.module around `op`, or `op` itself."""
    operation = op.operation
    while operation.parent is not None:
        operation = operation.parent.operation
    return operation


def _tolerance(step: Step) -> float:
    precision = getattr(step.ours, "precision", None)
    name = step.name if precision is None else f"{step.name}{{precision={precision}}}"
    return TOLERANCES.get(name, 0.0)


def _compare(step: Step, before: list[tuple[Slot, Array]], after: list[tuple[Slot, Array]]) -> None:
    shapes = [[(slot.shape, slot.dtype) for slot, _ in outputs] for outputs in (before, after)]
    if shapes[0] != shapes[1]:
        raise TfmbsError("pass", str(step), "changed the outputs' shapes or types", shapes[0], shapes[1])
    tolerance = _tolerance(step)
    for (slot, old), (_, new) in zip(before, after, strict=True):
        changed = _changed(old, new, tolerance)
        if changed.any():
            where = tuple(int(i) for i in np.argwhere(changed)[0])
            count = f"{int(changed.sum())} of {changed.size} elements"
            what = f"changed {count} of output '{slot.name}', the first at {where}"
            limit = f" within {tolerance} of the largest" if tolerance else ""
            raise TfmbsError("pass", str(step), what, f"{_spell(old[where])}{limit}", _spell(new[where]))


def _changed(old: Array, new: Array, tolerance: float) -> Array:
    """Which elements differ: in any bit, or by more than `tolerance` times the largest old one."""
    if tolerance == 0.0:
        bits = np.dtype(f"u{old.dtype.itemsize}")
        different: Array = old.view(bits) != new.view(bits)
        return different
    limit = tolerance * float(np.max(np.abs(old.astype(np.float64)), initial=0.0))
    beyond: Array = ~(np.abs(new.astype(np.float64) - old.astype(np.float64)) <= limit)
    return beyond


def _spell(value: Any) -> str:
    """A number with its bits, where it is a float."""
    if isinstance(value, np.floating):
        return f"{value!s} (0x{value.tobytes()[::-1].hex()})"
    return str(value)
