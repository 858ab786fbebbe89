"""`--verify-each-numerically`: interprets the module after each pass and names the first pass that changes values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.driver import Driver, Observer
from tfmbs.compiler.jit import Reference, Slot, copy_module
from tfmbs.compiler.pipeline_text import MODULE
from tfmbs.compiler.pipelines import TORCH_TO_LINALG
from tfmbs.compiler.plan import Step
from tfmbs.compiler.samples import Batch, cut
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]

TORCH = ("torch.", "torch_c.", "ml_program.")
"""Prefixes of the ops of the torch level, whose meaning is torch-mlir's lowering to linalg: not our arithmetic."""

TORCH_TOLERANCE = 1e-4
"""How far an output may move at the torch level, relative to its largest element: there sums have no written order."""

_DECOMPOSED = "func.func(torch-decompose-complex-ops)"
"""Importers keep some ops whole for passes of ours; torch-mlir's lowering does not know them."""

_COMPLETION = f"{MODULE}({','.join((_DECOMPOSED, *TORCH_TO_LINALG, 'tfmbs-expand-tm-tensor'))})"

TOLERANCES: Mapping[str, float] = {
    "tfmbs-gptq{precision=int4}": math.inf,
    "tfmbs-gptq{precision=mixed}": math.inf,
    "tfmbs-quantize{precision=mixed}": math.inf,
    "tfmbs-gptq{precision=ternary}": math.inf,
    "tfmbs-quantize{precision=fp32}": 1e-4,  # of weights on a grid: scaled behind the sums
    "tfmbs-quantize{precision=bf16}": 0.1,
    "tfmbs-quantize{precision=int8}": 0.5,
    "tfmbs-quantize{precision=int4}": math.inf,
    "tfmbs-quantize{precision=ternary}": math.inf,
    "tfmbs-fold-requantize": 0.1,
}
"""Passes that change values on purpose: how far an output may move, relative to the largest element of that output."""


@dataclass(frozen=True)
class _Seen:
    """The outputs of a module in order; `exact` says whether each bit of them has a meaning."""

    outputs: list[tuple[Slot, Array]]
    exact: bool


class NumericCheck(Observer):
    """Compares the outputs of the module before and after every pass, by bytes, on random inputs or the first sample.

    Samples matter after calibration: values beyond the ranges that it saw are clipped, on purpose.
    Where `TOLERANCES` names the pass, outputs may move that far, and what it gives is what later passes are held to.

    A module that holds torch ops is interpreted by way of torch-mlir's own lowering of it, and compared with
    `TORCH_TOLERANCE`: that shows what our passes change, not what that lowering does. `known` outputs of another
    implementation, for the inputs that are the first sample, show that too: the first module is held to them.
    """

    def __init__(
        self, seed: int = 0, samples: Sequence[Batch] | None = None, known: Mapping[str, Array] | None = None
    ) -> None:
        self._seed = seed
        self._samples = samples
        self._known = known
        self._inputs: list[Array] = []  # by position: names and layouts differ between levels
        self._seen: _Seen | None = None

    def before(self, step: Step, op: Any) -> None:
        """Raises TfmbsError (`pass`) where the first module does not give the known outputs."""
        if self._seen is None:
            self._seen = self._interpret(_module(op))
            if self._known is not None:
                known = [(slot, self._known[slot.name]) for slot, _ in self._seen.outputs]
                _compare("import", known, self._seen.outputs, TORCH_TOLERANCE)

    def after(self, step: Step, op: Any) -> None:
        """Raises TfmbsError (`pass`) where an output changed, or the module has no meaning any more."""
        try:
            seen = self._interpret(_module(op))
        except TfmbsError as error:
            what = "gives a module that cannot be interpreted any more"
            raise TfmbsError("pass", str(step), what, details=f"{error}\n{error.details}".strip()) from error
        if self._seen is not None:
            exact = self._seen.exact and seen.exact
            _compare(str(step), self._seen.outputs, seen.outputs, _tolerance(step) if exact else TORCH_TOLERANCE)
        self._seen = seen

    def _interpret(self, module: Any) -> _Seen:
        """The outputs for the inputs of this check. Raises TfmbsError for a module that has no meaning."""
        exact = not ops_where(module, lambda op: op.operation.name.startswith(TORCH))
        if not exact:
            module = copy_module(module)
            Driver().run_text(module, _COMPLETION)
        reference = Reference(module)
        self._inputs = self._inputs or self._chosen(reference.inputs)
        named = {slot.name: array for slot, array in zip(reference.inputs, self._inputs, strict=True)}
        outputs = reference.run(named)
        return _Seen([(slot, outputs[slot.name]) for slot in reference.outputs], exact)

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


def _compare(step: str, before: list[tuple[Slot, Array]], after: list[tuple[Slot, Array]], tolerance: float) -> None:
    """Raises TfmbsError (`pass`), naming `step`, where outputs differ by more than `tolerance` of the largest."""
    shapes = [[(slot.shape, slot.dtype) for slot, _ in outputs] for outputs in (before, after)]
    if shapes[0] != shapes[1]:
        raise TfmbsError("pass", step, "changed the outputs' shapes or types", shapes[0], shapes[1])
    for (slot, old), (_, new) in zip(before, after, strict=True):
        changed = _changed(old, new, tolerance)
        if changed.any():
            where = tuple(int(i) for i in np.argwhere(changed)[0])
            count = f"{int(changed.sum())} of {changed.size} elements"
            what = f"changed {count} of output '{slot.name}', the first at {where}"
            limit = f" within {tolerance} of the largest" if tolerance else ""
            raise TfmbsError("pass", step, what, f"{_spell(old[where])}{limit}", _spell(new[where]))


def _changed(old: Array, new: Array, tolerance: float) -> Array:
    """Which elements differ: in any bit, or by more than `tolerance` times the largest old one."""
    if tolerance == 0.0:
        bits = np.dtype(f"u{old.dtype.itemsize}")
        different: Array = old.view(bits) != new.view(bits)
        return different
    wide_old, wide_new = old.astype(np.float64), new.astype(np.float64)
    limit = tolerance * float(np.max(np.abs(wide_old[np.isfinite(wide_old)]), initial=0.0))
    with np.errstate(invalid="ignore"):
        same = (wide_old == wide_new) | (np.isnan(wide_old) & np.isnan(wide_new))
        beyond: Array = ~(same | (np.abs(wide_new - wide_old) <= limit))
    return beyond


def _spell(value: Any) -> str:
    """A number with its bits, where it is a float."""
    if isinstance(value, np.floating):
        return f"{value!s} (0x{value.tobytes()[::-1].hex()})"
    return str(value)
