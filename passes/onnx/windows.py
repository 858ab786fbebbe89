"""Windows that slide over spatial axes: their geometry, and the ops that gather what windows hold or spread it.

Each result is computed where it lies: it looks for the windows that it belongs to, none is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, math, tensor
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, filled, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import Arithmetic, accumulator, cast
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.slices import clamped

Value = Any


@dataclass(frozen=True)
class Geometry:
    """Strides, dilations and padding at the start of each spatial axis; kernel sizes where they are constants."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]


def geometry(node: Node, kernel: Sequence[int], small: Sequence[int], large: Sequence[int]) -> Geometry:
    """The geometry by a node's attributes, `small` windows over `large` sizes of the side that is padded.

    With `auto_pad` SAME the padding makes up what the windows need beyond the sizes, half of it, rounded down, in front
    (SAME_UPPER) or behind (SAME_LOWER).
    """
    ones = (1,) * len(kernel)
    strides, dilations = node.integers("strides") or ones, node.integers("dilations") or ones
    mode = node.string("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        pads = node.integers("pads") if mode == "NOTSET" else None
        return Geometry(strides, dilations, (pads or (0,) * 2 * len(kernel))[: len(kernel)])
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.refuse("auto_pad", "NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode)
    before = []
    for k, stride, dilation, count, size in zip(kernel, strides, dilations, small, large, strict=True):
        total = max(0, (count - 1) * stride + (k - 1) * dilation + 1 - size)
        before.append(total // 2 if mode == "SAME_UPPER" else total - total // 2)
    return Geometry(strides, dilations, tuple(before))


def padding_after(window: Geometry, kernel: Sequence[int], places: Sequence[int], image: Sequence[int]) -> list[int]:
    """What the last of `places` windows reaches over beyond each axis of the image."""
    axes = zip(window.strides, window.dilations, window.before, kernel, places, image, strict=True)
    return [
        max(0, (count - 1) * stride + (k - 1) * dilation + 1 - size - before)
        for stride, dilation, before, k, count, size in axes
    ]


def _window(place: Value, tap: Value, stride: int, dilation: int, before: int, count: Value) -> tuple[Value, Value]:
    """The window that has an element as its tap, and whether one has: (place + before − tap · dilation) / stride."""
    moved = arith.AddIOp(place, build.index(before)).result
    moved = arith.SubIOp(moved, arith.MulIOp(tap, build.index(dilation)).result).result
    number = arith.DivSIOp(moved, build.index(stride)).result
    whole = compare("eq", arith.RemSIOp(moved, build.index(stride)).result, build.index(0))
    not_before = compare("sle", build.index(0), moved)
    exists = arith.AndIOp(arith.AndIOp(whole, not_before).result, compare("slt", number, count)).result
    return number, exists


def _all(conditions: Sequence[Value]) -> Value:
    result = conditions[0]
    for condition in conditions[1:]:
        result = arith.AndIOp(result, condition).result
    return result


def col2im(node: Node) -> Results:
    """Col2Im: N×(C·taps)×windows → N×C×image, the sum of the windows' elements that lie on each other."""
    element, sizes = node.element(0), node.result_shape()
    batch, _, windows = node.shape(0)
    channels, image = sizes[1], sizes[2:]
    taps = node.shape(0)[1] // channels
    wide = accumulator(element) if element.is_float else element
    a, rank, spatial = Arithmetic(wide), len(sizes), len(image)
    ones = (1,) * spatial
    plan = geometry(node, ones, ones, ones)
    kernel = [_size(node, 2, axis) for axis in range(spatial)]
    pads = node.integers("pads") or (0,) * 2 * spatial
    counts = []
    for axis in range(spatial):
        reach = arith.MulIOp(
            arith.SubIOp(kernel[axis], build.index(1)).result, build.index(plan.dilations[axis])
        ).result
        room = arith.SubIOp(build.index(image[axis] + pads[axis] + pads[axis + spatial] - 1), reach).result
        counts.append(arith.AddIOp(arith.DivSIOp(room, build.index(plan.strides[axis])).result, build.index(1)).result)
    value = build.reshape(node.tensor(0), (batch, channels, taps, windows))

    def add(_: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(rank + 1)]
        rest, window, exist = at[rank], build.index(0), []
        numbers: list[Value] = []
        for axis in reversed(range(spatial)):
            tap, rest = arith.RemUIOp(rest, kernel[axis]).result, arith.DivUIOp(rest, kernel[axis]).result
            geometry_ = (plan.strides[axis], plan.dilations[axis], plan.before[axis], counts[axis])
            number, exists = _window(at[2 + axis], tap, *geometry_)
            numbers.insert(0, number)
            exist.append(exists)
        for number, count in zip(numbers, counts, strict=True):
            window = arith.AddIOp(arith.MulIOp(window, count).result, number).result
        x = build.extract(value, [at[0], at[1], at[rank], clamped(window, windows)])
        return select(_all(exist), a.add(total, cast(x, element, wide)), total)

    return _reduced(add, sizes, (taps,), wide, element)


def _size(node: Node, operand: int, axis: int) -> Value:
    """An element of a vector of sizes as index, at least 1."""
    given = node.constant(operand)
    if given is not None:
        return build.index(int(given[axis]))
    read = build.as_index(build.extract(node.tensor(operand), [build.index(axis)]))
    return arith.MaxSIOp(read, build.index(1)).result


def _reduced(add: Callable[..., Value], sizes: Sequence[int], inner: Sequence[int], wide: Any, element: Any) -> Value:
    """A reduction over loops of extents `inner` for each element of `sizes`, from 0, in the type `wide`."""
    rank, loops = len(sizes), len(sizes) + len(inner)
    # The inner loops belong to no operand: an undefined tensor of their sizes gives them their extents.
    extents = (filled(tuple(inner), wide.mlir, 0), mapping(loops, list(range(rank, loops))))
    out = (filled(tuple(sizes), wide.mlir, 0), mapping(loops, list(range(rank))))
    result = generic([extents], [out], [PARALLEL] * rank + [REDUCTION] * len(inner), add).results[0]
    return build.cast_all(result, wide, element)


def conv_transpose(node: Node) -> Results | None:
    """ConvTranspose with groups, `auto_pad` or a given shape, fused and in ascending channel and tap.

    What is left stays with torch-mlir, which makes a convolution of it.
    """
    groups, mode = node.integer("group", 1), node.string("auto_pad", "NOTSET")
    if groups == 1 and mode == "NOTSET" and node.integers("output_shape") is None:
        return None
    shape, weights, sizes = node.shape(0), node.shape(1), node.result_shape()
    kernel, spatial = weights[2:], len(shape) - 2
    plan = _transposed_geometry(node, kernel, shape[2:], sizes[2:])
    element = node.element(0)
    wide = accumulator(element)
    share, outs = shape[1] // groups, weights[1]

    def add(_: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(2 * spatial + 3)]
        group = arith.DivUIOp(at[1], build.index(outs)).result
        channel = arith.AddIOp(arith.MulIOp(group, build.index(share)).result, at[spatial + 2]).result
        taps, places, exist = at[spatial + 3 :], [], []
        for axis in range(spatial):
            numbers = (plan.strides[axis], plan.dilations[axis], plan.before[axis], build.index(shape[2 + axis]))
            number, exists = _window(at[2 + axis], taps[axis], *numbers)
            places.append(clamped(number, shape[2 + axis]))
            exist.append(exists)
        x = cast(build.extract(node.tensor(0), [at[0], channel, *places]), element, wide)
        own = arith.RemUIOp(at[1], build.index(outs)).result
        w = cast(build.extract(node.tensor(1), [channel, own, *taps]), element, wide)
        return select(_all(exist), math.FmaOp(x, w, total).result, total)

    result = _reduced(add, sizes, (share, *kernel), wide, wide)
    if node.has(2):
        bias = build.reshape(node.tensor(2), (sizes[1], *(1,) * spatial))
        a = Arithmetic(wide)
        result = build.broadcasting([result, bias], sizes, wide.mlir, lambda x, b: a.add(x, cast(b, element, wide)))
    return build.cast_all(result, wide, element)


def _transposed_geometry(node: Node, kernel: Sequence[int], small: Sequence[int], large: Sequence[int]) -> Geometry:
    """The geometry of the convolution that is transposed; a given output shape, too, is met by padding.

    ONNX puts the smaller half in front for SAME_UPPER only.
    """
    if node.string("auto_pad", "NOTSET") in ("NOTSET", "VALID") and node.integers("output_shape") is None:
        return geometry(node, kernel, small, large)
    ones = (1,) * len(kernel)
    strides, dilations = node.integers("strides") or ones, node.integers("dilations") or ones
    extra = node.integers("output_padding") or (0,) * len(kernel)
    before = []
    for k, stride, dilation, more, count, size in zip(kernel, strides, dilations, extra, small, large, strict=True):
        total = (count - 1) * stride + more + (k - 1) * dilation + 1 - size
        before.append(total // 2 if node.string("auto_pad") == "SAME_UPPER" else total - total // 2)
    return Geometry(strides, dilations, tuple(before))


def lp_pool(node: Node) -> Results:
    """LpPool: the p-th root of Σ |x|ᵖ over each window; padding counts as zeros."""
    shape, sizes, element = node.shape(0), node.result_shape(), node.element(0)
    kernel = node.integers("kernel_shape")
    if kernel is None:
        raise node.refuse("kernel_shape", "one", "none")
    spatial, power = len(kernel), node.integer("p", 2)
    plan = geometry(node, kernel, sizes[2:], shape[2:])
    wide = accumulator(element)
    a = Arithmetic(wide)

    def add(_: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(2 * spatial + 2)]
        places, inside = [], []
        for axis, (stride, dilation, before) in enumerate(zip(plan.strides, plan.dilations, plan.before, strict=True)):
            start = arith.MulIOp(at[2 + axis], build.index(stride)).result
            place = arith.AddIOp(start, arith.MulIOp(at[2 + spatial + axis], build.index(dilation)).result).result
            place = arith.SubIOp(place, build.index(before)).result
            inside.append(compare("ult", place, build.index(shape[2 + axis])))
            places.append(clamped(place, shape[2 + axis]))
        x = cast(build.extract(node.tensor(0), [at[0], at[1], *places]), element, wide)
        return select(_all(inside), a.add(total, _power(a, x, power)), total)

    sums = _reduced(add, sizes, kernel, wide, wide)

    def root(x: Value) -> Value:
        if power == 1:
            return x
        return math.SqrtOp(x).result if power == 2 else math.PowFOp(x, a.constant(1 / power)).result

    return build.broadcasting([sums], sizes, element.mlir, lambda x: cast(root(x), wide, element))


def _power(a: Arithmetic, x: Value, power: int) -> Value:
    if power == 1:
        return a.absolute(x)
    return a.multiply(x, x) if power == 2 else math.PowFOp(a.absolute(x), a.constant(power)).result


def max_unpool(node: Node) -> Results:
    """MaxUnpool: each element at its place, by flat index, in zeros of the size before pooling; more zeros at the end.

    Of two elements with one place the later one stays. A place outside of the tensor is moved to its nearest end.
    """
    shape, sizes, spatial = node.shape(0), node.result_shape(), len(node.shape(0)) - 2
    kernel = node.integers("kernel_shape") or ()
    ones, none = (1,) * spatial, (0,) * 2 * spatial
    strides, pads = node.integers("strides") or ones, node.integers("pads") or none
    before = [(shape[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + spatial] for i in range(spatial)]
    inner = (*shape[:2], *before)
    count, total = prod(shape), prod(inner)
    values, places = build.reshape(node.tensor(0), (count,)), build.reshape(node.tensor(1), (count,))
    element = node.element(0)

    def put(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        place = clamped(build.as_index(build.extract(places, [number])), total)
        return [tensor.InsertOp(build.extract(values, [number]), carried[0], [place]).result]

    flat = build.count_loop(count, [filled((total,), element.mlir, 0)], put)[0]
    if inner == sizes:
        return build.reshape(flat, sizes)
    spread = build.reshape(flat, inner)

    def placed(at: Sequence[Value]) -> Value:
        found = build.extract(spread, [clamped(index, size) for index, size in zip(at, inner, strict=True)])
        inside = [compare("ult", index, build.index(size)) for index, size in zip(at, inner, strict=True)]
        return select(_all(inside), found, node.scalar(0, element))

    return build.at_places(sizes, element.mlir, placed)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "Col2Im": col2im,
    "ConvTranspose": conv_transpose,
    "LpPool": lp_pool,
    "MaxUnpool": max_unpool,
}
