"""Constants computed at compile time: small results of operators that have one correct result.

Nothing here depends on a graph input's value. Evaluation is the ONNX reference evaluator's.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, TypeProto
from onnx.reference import ReferenceEvaluator

from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.onnx_rules import at_node
from tfmbs.compiler.importers.rewrite.scope import MAX_KNOWN, Scope
from tfmbs.compiler.importers.rewrite.types import static_shape, type_of_array
from tfmbs.runtime.abi.errors import TfmbsError

_MOVES = """Identity Concat Gather GatherElements GatherND Slice Squeeze Unsqueeze Reshape Flatten Transpose Expand Tile
Split Range ConstantOfShape Where Pad ScatterElements ScatterND EyeLike OneHot Trilu Cast CastLike"""
_ARITHMETIC = "Add Sub Mul Div Mod Neg Abs Sign Min Max Floor Ceil Round Sqrt Reciprocal"
_LOGIC = """Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Xor IsNaN IsInf BitShift BitwiseAnd BitwiseOr
BitwiseNot BitwiseXor"""
_REDUCTIONS = "ReduceMax ReduceMin ReduceSum ReduceProd CumSum"
# Their results have no static shape, but are no larger than their operands.
_BOUNDED = "NonZero Unique Compress"

FOLDED = frozenset(" ".join((_MOVES, _ARITHMETIC, _LOGIC, _REDUCTIONS, _BOUNDED)).split())
"""Operators with one correct result: moves, comparisons, integer arithmetic, correctly rounded arithmetic."""

_ORDERED = frozenset(_REDUCTIONS.split())
_INTEGERS = frozenset(
    {
        TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
        TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
    }
)  # fmt: skip
_NO_LARGER = "Identity Concat Slice Squeeze Unsqueeze Reshape Flatten Transpose Split Cast CastLike"
_SHAPES = frozenset({"Shape", "Size"})


def fold(node: NodeProto, types: dict[str, TypeProto], scope: Scope) -> list[np.ndarray] | None:
    """The results of a node that are known at compile time, in order; None where it has to stay.

    `types` are the inferred types of its outputs.

    Raises:
        TfmbsError: ``onnx.invalid``, where constants are no operands of the operator.
    """
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type in _SHAPES:
        return _of_shape(node, scope)
    if node.op_type not in FOLDED or any(name and name not in scope.known for name in node.input):
        return None
    operands = {name: scope.known[name] for name in node.input if name}
    is_float = any(array.dtype.kind not in "iub" for array in operands.values())
    depends = (node.op_type in _ORDERED and is_float) or _leaves_the_integers(node, operands, types)
    if depends or not _is_small(node, types) or (scope.sized and _may_grow(node, types)):
        return None
    return _evaluate(node, operands, types, scope)


def _leaves_the_integers(node: NodeProto, operands: dict[str, np.ndarray], types: dict[str, TypeProto]) -> bool:
    """Whether a cast to integers meets numbers that they do not have: the device's rule for these is not numpy's."""
    target = types[node.output[0]].tensor_type.elem_type
    if node.op_type not in ("Cast", "CastLike") or target not in _INTEGERS:
        return False
    given = operands[node.input[0]]
    bounds = np.iinfo(onnx.helper.tensor_dtype_to_np_dtype(target))
    inside = (given.astype(np.float64) >= float(bounds.min)) & (given.astype(np.float64) < float(bounds.max))
    return given.dtype.kind not in "iub" and not bool(np.all(inside))


def _of_shape(node: NodeProto, scope: Scope) -> list[np.ndarray] | None:
    shape = scope.shape(node.input[0])
    if shape is None:
        return None
    if node.op_type == "Size":
        return [np.array(prod(shape), np.int64)]
    bounds = {attribute.name: attribute.i for attribute in node.attribute}
    return [np.array(shape[slice(bounds.get("start", 0), bounds.get("end"))], np.int64)]


def _is_small(node: NodeProto, types: dict[str, TypeProto]) -> bool:
    if node.op_type in _BOUNDED.split():
        return True
    shapes = [static_shape(types.get(name)) for name in node.output if name]
    return all(shape is not None and prod(shape) <= MAX_KNOWN for shape in shapes)


def _may_grow(node: NodeProto, types: dict[str, TypeProto]) -> bool:
    """Whether results may be as large as what the model computes on, such as a mask: shapes and pads have one axis.

    What only moves elements makes nothing larger that was not made by another node.
    """
    shapes = [static_shape(types.get(name)) for name in node.output if name]
    return node.op_type not in _NO_LARGER.split() and any(shape is None or len(shape) > 1 for shape in shapes)


def _evaluate(
    node: NodeProto, operands: dict[str, np.ndarray], types: dict[str, TypeProto], scope: Scope
) -> list[np.ndarray]:
    results = [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [node], "constants",
        [onnx.helper.make_value_info(name, type_of_array(array)) for name, array in operands.items()],
        [onnx.helper.make_value_info(name, types[name]) for name in results],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", scope.opset)])
    try:
        with np.errstate(all="ignore"):
            values = ReferenceEvaluator(model).run(None, operands)
    except Exception as error:  # the evaluator's operators are plain numpy, which raises anything
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.invalid", at, "constant operands that it cannot take", got=first_line(error)) from error
    arrays = dict(zip(results, map(np.asarray, values), strict=True))
    for name, array in arrays.items():
        _check_element(node, array, types[name], scope)
    return [arrays[name] if name else np.zeros(0) for name in node.output]


def _check_element(node: NodeProto, array: np.ndarray, inferred: TypeProto, scope: Scope) -> None:
    expected, got = inferred.tensor_type.elem_type, type_of_array(array).tensor_type.elem_type
    if expected != got:
        name = TensorProto.DataType.Name
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.invalid", at, "element type of a constant", name(expected).lower(), name(got).lower())
