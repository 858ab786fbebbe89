"""Calibration: the ranges of values that products see on sample inputs, by running the f32 graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.calibration.histogram import Histogram
from tfmbs.compiler.calibration.observers import OBSERVERS, range_of
from tfmbs.compiler.jit import copy_module, entry_of
from tfmbs.compiler.trial import Start, trial
from tfmbs.dialect.attributes import INPUT_CHANNELS, INPUT_RANGE, NAME
from tfmbs.dialect.mlir import func, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.passes.graph.grids import F32, F64
from tfmbs.passes.graph.kernels import left, ops_where, refusal
from tfmbs.passes.graph.moments import second_moment, set_mean, set_moment, vectors, vectors_of
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]

MATRIX = 2


@dataclass
class _Seen:
    """Smallest and largest value seen so far, and the sums of second moments by `vectors_of` the products.

    `channels` are smallest and largest values along the last axis, 2×K, where the value is a matrix. A histogram is
    filled where there is one.
    """

    low: float = np.inf
    high: float = -np.inf
    channels: F32 | None = None
    moments: dict[object, F64] = field(default_factory=dict)
    histogram: Histogram | None = None
    sums: dict[object, tuple[F64, int]] = field(default_factory=dict)
    """Of the vectors that products multiply, and how many there were, by `vectors_of` the products."""

    def widen(self, values: Array) -> None:
        """Takes in further values; a NaN stays."""
        self.low = float(np.minimum(self.low, values.min()))
        self.high = float(np.maximum(self.high, values.max()))
        if self.histogram is not None:
            self.histogram.add(values)
        if values.ndim == MATRIX:
            found = np.stack([values.min(axis=0), values.max(axis=0)])
            known = found if self.channels is None else self.channels
            self.channels = np.stack([np.minimum(known[0], found[0]), np.maximum(known[1], found[1])])


@dataclass(frozen=True)
class Observation:
    """How samples are observed.

    Attributes:
        moments: whether products get second moments, from which `tfmbs-gptq` rounds weights.
        held_out: every so manieth batch does not count in moments, none where it is 0: choices are measured on those.
        mask: name of an input that is not zero where a row counts, of products whose input has as many rows (tokens
            that are no padding); where it is None all count.
        channels: whether linear layers get the range of each channel, by which `tfmbs-migrate-outliers` scales them.
        observer: what range is made of the values, one of `OBSERVERS`.
        symmetric: whether zero points are 0.
        means: whether products get the mean of their vectors, by which `tfmbs-correct-bias` changes their bias.
        start: loads the binary by which the graph runs; without it, the byte reference does, which takes long.
    """

    moments: bool = False
    held_out: int = 0
    mask: str | None = None
    start: Start | None = None
    channels: bool = False
    observer: str = "minmax"
    symmetric: bool = False
    means: bool = False

    def __post_init__(self) -> None:
        if self.observer not in OBSERVERS:
            raise TfmbsError("usage", "calibration", "observer", f"one of {', '.join(OBSERVERS)}", repr(self.observer))

    def seen(self) -> _Seen:
        """Nothing seen yet."""
        return _Seen(histogram=Histogram() if self.observer != "minmax" or self.symmetric else None)

    def rows(self, batch: Mapping[str, Array], values: Array) -> Array:
        """The rows of a product's input that count."""
        if self.mask is None:
            return values
        if self.mask not in batch:
            names = ", ".join(batch)
            raise TfmbsError("usage", "calibration mask", "input of the model", names, self.mask)
        counted = np.asarray(batch[self.mask]).reshape(-1) != 0
        is_rows = values.ndim == MATRIX and len(values) == counted.size and counted.any()
        return values[counted] if is_rows else values


def calibrate(
    module: Any,
    batches: Iterable[Mapping[str, Array]],
    observation: Observation = Observation(),  # frozen
) -> None:
    """Sets `tfmbs.input_range = [low, high]` (f32) on every product that `tfmbs-quantize` takes, as the observer says.

    Where the observation asks for moments, products get `tfmbs.second_moment`, too: the sum over the batches.

    Args:
        module: the graph level in f32, before quantization.
        batches: inputs by name, each of the shape the entry takes; at least one.

    Raises:
        TfmbsError: `quantize` without batches or where a product's input is not finite; `input.…` where a batch does
            not fit the entry; `usage` for a mask that is no input.
    """
    products = ops_where(module, lambda op: constant_weights(op) is not None)
    if not products:
        return
    observed = _observe(module, batches, products, observation)
    with module.context, ir.Location.unknown():
        for op, seen in zip(products, observed, strict=True):
            if not np.isfinite([seen.low, seen.high]).all():
                raise refusal(op, "quantize", "input on the samples", "finite values", f"{seen.low}…{seen.high}")
            low, high = seen.low, seen.high
            if seen.histogram is not None:
                low, high = range_of(seen.histogram, observation.observer, observation.symmetric)
            op.attributes[INPUT_RANGE] = ir.DenseF32ArrayAttr.get([low, high])
            if observation.channels and seen.channels is not None:
                op.attributes[INPUT_CHANNELS] = resource_attr(seen.channels, "input_channels")
            if observation.means:
                total, number = seen.sums[vectors_of(op)]
                set_mean(op, total / number)
            if observation.moments:
                set_moment(op, seen.moments[vectors_of(op)])


def _observe(module: Any, batches: Iterable[Mapping[str, Array]], products: list[Any], how: Observation) -> list[_Seen]:
    """What the products of `module` see, in their order."""
    copy = copy_module(module)
    with copy.context, ir.Location.unknown():
        names = expose_inputs(entry_of(copy))
    run, count = trial(copy, how.start), 0
    ranges = {name: how.seen() for name in names}
    kinds = {(name, vectors_of(op)): op for name, op in zip(names, products, strict=True)}
    for batch in batches:
        outputs, count = run(batch), count + 1
        for name, seen in ranges.items():
            seen.widen(how.rows(batch, outputs[name]))
        if how.means:
            for (name, kind), op in kinds.items():
                rows = vectors(op, how.rows(batch, outputs[name]))
                total, number = ranges[name].sums.get(kind, (np.zeros(1), 0))
                ranges[name].sums[kind] = total + rows.sum(axis=1), number + rows.shape[1]
        if not how.moments or (how.held_out and count % how.held_out == 0):
            continue
        for (name, kind), op in kinds.items():
            moments = ranges[name].moments
            moments[kind] = moments.get(kind, 0) + second_moment(op, how.rows(batch, outputs[name]))
    if not count:
        raise TfmbsError("quantize", "calibration", "number of sample batches", "at least 1", 0)
    return [ranges[name] for name in names]


def expose_inputs(entry: Any) -> list[str]:
    """Makes the left operand of every product a further result of `entry`; their names, one per product."""
    lefts = [left(op) for op in ops_where(entry, lambda op: constant_weights(op) is not None)]
    values: list[Any] = []
    for value in lefts:
        if value not in values:
            values.append(value)
    # A name that no model has: a result of the model is never looked up here.
    exposed = {value: f"calibration input {number}" for number, value in enumerate(values)}
    block = entry.regions[0].blocks[0]
    terminator = list(block.operations)[-1]
    results = [*terminator.operands, *values]
    with ir.InsertionPoint(terminator):
        func.ReturnOp(results)
    terminator.operation.erase()
    known = (
        list(entry.attributes["res_attrs"])
        if "res_attrs" in entry.attributes
        else [ir.DictAttr.get({})] * (len(results) - len(values))
    )
    named = [ir.DictAttr.get({NAME: ir.StringAttr.get(name)}) for name in exposed.values()]
    entry.attributes["res_attrs"] = ir.ArrayAttr.get([*known, *named])
    type_ = ir.FunctionType.get(entry.type.inputs, [value.type for value in results])
    entry.attributes["function_type"] = ir.TypeAttr.get(type_)
    return [exposed[value] for value in lefts]
