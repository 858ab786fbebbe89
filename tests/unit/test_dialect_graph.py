"""Builders and accessors of the graph ops: inferred types, plain values, epilogues, contexts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import SCHEDULE, Dataflow, Schedule, schedule_of
from tfmbs.dialect.base import VerifyError
from tfmbs.dialect.mlir import arith, context, func, ir, passmanager
from tfmbs.dialect.shapes import Window, shape_of
from tfmbs.dialect.types import quantized, quantized_per_axis, ternary


@pytest.fixture
def module() -> Iterator[Any]:
    with context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            yield module


def value(*shape: int, element: Any = None) -> Any:
    """An opaque value of a tensor type: the argument of a function."""
    type_ = ir.RankedTensorType.get(shape, ir.F32Type.get() if element is None else element)
    function = func.FuncOp("f", ([type_], []), visibility="private")
    return function.add_entry_block().arguments[0]


def function(*types: Any) -> Any:
    """The entry block of a function with these argument types; the caller ends it."""
    return func.FuncOp("main", (list(types), [])).add_entry_block()


def f32(*shape: int) -> Any:
    return ir.RankedTensorType.get(shape, ir.F32Type.get())


def result_type(op: Any) -> str:
    return str(op.operation.results[0].type)


def test_products_infer_their_result(module: Any) -> None:
    activations, weights = quantized(0.5, 3), quantized_per_axis([1.0] * 4)
    assert result_type(graph.matmul(value(2, 3), value(4, 3))) == "tensor<2x4xf32>"
    assert result_type(graph.gemv(value(1, 3), value(4, 3, element=ternary("pt5")))) == "tensor<1x4xf32>"
    op = graph.matmul(value(2, 3, element=activations), value(4, 3, element=weights))
    assert result_type(op) == "tensor<2x4xi32>"
    assert result_type(graph.batch_matmul(value(7, 2, 3), value(7, 4, 3))) == "tensor<7x2x4xf32>"
    assert result_type(graph.batch_matmul(value(7, 2, 3), value(7, 3, 4), "kn")) == "tensor<7x2x4xf32>"
    fused = graph.fused_gemv(value(1, 3), [value(4, 3), value(5, 3)], [1, 0])
    assert [str(product.type) for product in fused.products] == ["tensor<1x4xf32>", "tensor<1x5xf32>"]
    assert fused.orders == (1, 0)
    op = graph.matmul(value(2, 3), value(4, 3), element=activations)
    assert result_type(op) == f"tensor<2x4x{activations}>"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "before", "after", "expected"),
    [(5, 3, 1, 1, 0, 0, 3), (5, 3, 2, 1, 1, 1, 3), (6, 3, 2, 1, 1, 1, 3), (7, 3, 1, 3, 0, 0, 1), (4, 1, 3, 1, 0, 0, 2)],
)
def test_window_output_counts_the_positions_that_fit(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int, expected: int
) -> None:
    padded = before + size + after
    positions = [
        start for start in range(0, padded, stride) if start + dilation * (kernel - 1) < padded
    ]  # written another way than the formula
    window = Window((kernel, 1), (stride, 1), (dilation, 1), (before, 0, after, 0))
    assert window.output((size, 8)) == (expected, 8)
    assert len(positions) == expected


def test_windows_infer_their_result(module: Any) -> None:
    conv = graph.conv2d(value(1, 4, 9, 8), value(6, 2, 3, 2), (2, 1), (2, 1), (1, 0, 1, 0), groups=2)
    assert result_type(conv) == "tensor<1x6x4x7xf32>"
    assert (conv.strides, conv.dilations, conv.pads, conv.groups) == ((2, 1), (2, 1), (1, 0, 1, 0), 2)
    assert conv.window == Window((3, 2), (2, 1), (2, 1), (1, 0, 1, 0))
    assert shape_of(conv.input.type) == (1, 4, 9, 8)
    assert shape_of(conv.rhs_value.type) == shape_of(conv.filter.type) == (6, 2, 3, 2)
    pool = graph.pool(value(1, 2, 5, 5), "avg", (2, 2), (2, 2), count_include_pad=True)
    assert result_type(pool) == "tensor<1x2x2x2xf32>"
    assert (pool.kind, pool.count_include_pad) == ("avg", True)


def test_quantization_builders_take_defaults_from_types(module: Any) -> None:
    q = quantized(0.5, 3, low=-127)
    requantize = graph.requantize(value(2, 3, element=ir.IntegerType.get_signless(32)), value(3), q, axis=1)
    assert (requantize.axis, requantize.low) == (1, -127)
    per_axis = graph.dequantize(value(2, 3, element=quantized_per_axis([1.0] * 3, axis=1)))
    assert (per_axis.axis, per_axis.scale) == (1, None)
    accumulators = graph.dequantize(value(2, 3, element=ir.IntegerType.get_signless(32)), value(3), 1)
    assert shape_of(accumulators.scale.type) == (3,)
    norm = graph.layer_norm(value(2, 3), value(3), value(3), 1, 1e-5)
    assert norm.epsilon == pytest.approx(1e-5)
    assert graph.softmax(value(2, 3), 1).axis == 1
    assert graph.transfer(value(2, 3), "l1").to == "l1"
    assert result_type(graph.quantize(value(2, 3), q)) == f"tensor<2x3x{q}>"
    packed = graph.pack(value(2, 7, element=ternary("i8")), ternary("pt5"))
    assert result_type(graph.unpack(packed.result, ternary("i8"))) == result_type(packed).replace("pt5", "i8")


def test_an_epilogue_is_opened_with_stored_types(module: Any) -> None:
    q = quantized(0.5, 3)
    block = function(f32(2, 3), f32(4, 3), f32(4), ir.RankedTensorType.get([2, 4], q))
    with ir.InsertionPoint(block):
        lhs, rhs, bias, skip = block.arguments
        op = graph.matmul(lhs, rhs, operands=[bias, skip], roles=["channel", "element"])
        assert not op.has_epilogue
        body = op.begin_epilogue()
        assert [str(argument.type) for argument in body.arguments] == ["f32", "f32", "i8"]
        with ir.InsertionPoint(body):
            graph.yield_(arith.addf(body.arguments[0], body.arguments[1]))
        func.ReturnOp([])
    assert op.has_epilogue
    assert op.epilogue_block == body
    assert op.roles == ("channel", "element")
    assert list(op.epilogue_operands) == [bias, skip]
    assert module.operation.verify()


def test_attributes_are_set_as_plain_values(module: Any) -> None:
    pool = graph.pool(value(1, 2, 5, 5), "avg", (2, 2))
    pool.strides, pool.kind, pool.count_include_pad = (3, 3), "max", True
    assert (pool.strides, pool.kind, pool.count_include_pad) == ((3, 3), "max", True)
    assert str(pool.attributes["strides"]) == "array<i64: 3, 3>"


def test_unknown_attributes_are_not_built(module: Any) -> None:
    with pytest.raises(TypeError, match=r"tfmbs.softmax has no attribute axes"):
        graph.SoftmaxOp.build([value(2, 3)], [f32(2, 3)], axis=0, axes=1)


def test_discardable_attributes_are_copied(module: Any) -> None:
    telemetry = ir.DictAttr.get({"layer": ir.StringAttr.get("fc")})
    schedule = Schedule(Dataflow.WEIGHT_STATIONARY, (16, 8, 64), 2, (1 << 255) | 1)
    first = graph.matmul(value(2, 3), value(4, 3), discardable={"telemetry": telemetry})
    first.attributes[SCHEDULE] = schedule.to_attribute()
    second = graph.gemv(value(1, 3), value(4, 3), discardable=first.discardable())
    assert second.attributes["telemetry"] == telemetry
    assert schedule_of(second) == schedule
    assert set(second.discardable()) == {"telemetry", SCHEDULE}
    assert schedule_of(graph.gemv(value(1, 3), value(4, 3))) is None


def test_element_types_without_a_product_are_named(module: Any) -> None:
    with pytest.raises(VerifyError, match="lhs element type: expected f32 or a quantized type, got f64"):
        graph.matmul(value(2, 3, element=ir.F64Type.get()), value(4, 3))


TEXT = """
func.func @f(%a: tensor<1x3xf32>, %w: tensor<4x3x!tfmbs.ternary<"pt5">>) -> tensor<1x4xf32> {
  %0 = "tfmbs.gemv"(%a, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
    : (tensor<1x3xf32>, tensor<4x3x!tfmbs.ternary<"pt5">>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}
"""


def _gemv(module: Any) -> Any:
    return module.body.operations[0].entry_block.operations[0]


def test_modules_of_several_contexts_live_side_by_side() -> None:
    modules = []
    for _ in range(3):
        with context():
            modules.append(ir.Module.parse(TEXT))
    for module in modules:
        op = _gemv(module)
        assert isinstance(op, graph.GemvOp)
        assert op.rhs.type.element_type.packing == "pt5"
        assert module.operation.verify()
        with module.context:
            passmanager.PassManager.parse("builtin.module(canonicalize,cse)").run(module.operation)
        assert str(module) == str(modules[0])
        with module.context:
            op.roles = ["scalar"]
            with pytest.raises(ir.MLIRError, match="number of roles: expected 0, got 1"):
                module.operation.verify()
            op.roles = []


def test_one_text_is_one_module_in_every_context() -> None:
    with context():
        first = str(ir.Module.parse(TEXT))
    with context():
        assert str(ir.Module.parse(first)) == first
