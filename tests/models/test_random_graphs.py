"""Random graphs of views, copies, updates and kernels: what shares memory must not change what is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.graphs import add, assert_same_bytes, elementwise, graph, mul, normal, weights
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.passes.linalg import structured
from tfmbs.passes.linalg.scalar import f32

SHAPE = (4, 6)


def tensor_type(*shape: int) -> Any:
    return ir.RankedTensorType.get(list(shape), ir.F32Type.get())


def part(x: Any, offsets: list[int], sizes: list[int], steps: list[int]) -> Any:
    return tensor.ExtractSliceOp(tensor_type(*sizes), x, [], [], [], offsets, sizes, steps).result


def together(axis: int, *parts: Any) -> Any:
    return tensor.ConcatOp(tensor_type(*SHAPE), axis, parts).result


def reshaped_and_turned(a: Any, b: Any) -> Any:
    flat = tensor.CollapseShapeOp(tensor_type(24), a, [[0, 1]]).result
    tall = tensor.ExpandShapeOp(tensor_type(6, 4), flat, [[0, 1]], [], [6, 4]).result
    return structured.elementwise([(tall, structured.mapping(2, [1, 0]))], SHAPE, ir.F32Type.get(), lambda s: s)


def updated(a: Any, b: Any) -> Any:
    """A loop that reads the tensor it writes."""
    identity = structured.identity(2)

    def body(x: Any, old: Any) -> Any:
        return arith.SubFOp(mul(old, f32(0.5)), x).result

    return structured.generic([(a, identity)], [(b, identity)], ["parallel"] * 2, body).results[0]


def minus_row_maximum(a: Any, b: Any) -> Any:
    init = structured.filled((4,), ir.F32Type.get(), float("-inf"))
    rows = structured.mapping(2, [0])
    peaks = structured.generic(
        [(a, structured.identity(2))],
        [(init, rows)],
        ["parallel", "reduction"],
        lambda x, m: arith.MaximumFOp(x, m).result,
    )
    return elementwise(lambda x, m: arith.SubFOp(x, m).result, SHAPE, (0, 1), (0,))(a, peaks.results[0])


def inserted(a: Any, b: Any) -> Any:
    source = part(a, [0, 1], [2, 3], [2, 1])
    return tensor.InsertSliceOp(source, b, [], [], [], [1, 0], [2, 3], [2, 2]).result


def inserted_into_itself(a: Any, b: Any) -> Any:
    return tensor.InsertSliceOp(part(a, [0, 0], [3, 6], [1, 1]), a, [], [], [], [1, 0], [3, 6], [1, 1]).result


def padded(a: Any, b: Any) -> Any:
    pad = tensor.PadOp(tensor_type(*SHAPE), part(a, [1, 1], [3, 4], [1, 1]), [], [], [1, 0], [0, 2])
    index = ir.IndexType.get()
    block = pad.regions[0].blocks.append(index, index, arg_locs=[ir.Location.current] * 2)
    with ir.InsertionPoint(block):
        tensor.YieldOp(f32(0.25))
    return pad.result


STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "add": elementwise(add, SHAPE, (0, 1), (0, 1)),
    "columns": lambda a, b: together(1, part(a, [0, 0], [4, 3], [1, 2]), part(b, [0, 3], [4, 3], [1, 1])),
    "inserted": inserted,
    "inserted_into_itself": inserted_into_itself,
    "matmul": lambda a, b: ops.matmul(a, weights(normal(6, 6))).result,
    "minus_row_maximum": minus_row_maximum,
    "padded": padded,
    "reshaped_and_turned": reshaped_and_turned,
    "rows": lambda a, b: together(0, part(a, [2, 0], [1, 6], [1, 1]), part(b, [1, 0], [3, 6], [1, 1])),
    "softmax": lambda a, b: ops.softmax(a, 1).result,
    "updated": updated,
}

PLANS = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), max_size=7)
RESULTS = st.lists(st.integers(0, 9), min_size=1, max_size=3)


@settings(max_examples=15, deadline=None)
@given(PLANS, RESULTS, st.booleans())
def test_any_graph(plan: list[tuple[str, int, int]], results: list[int], optimise: bool) -> None:
    def build(x: Any, y: Any) -> list[Any]:
        values = [x, y]
        for step, a, b in plan:  # the newest values are the likeliest operands
            values.append(STEPS[step](values[-1 - a % len(values)], values[-1 - b % len(values)]))
        return [values[-1 - result % len(values)] for result in results]

    assert_same_bytes(graph({"x": (SHAPE, "f32"), "y": (SHAPE, "f32")}, build), optimise=optimise)
