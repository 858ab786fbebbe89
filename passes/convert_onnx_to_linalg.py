"""The pass ``convert-onnx-to-linalg``: ONNX ops that torch-mlir lacks, or gets wrong, leave the torch level here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.onnx.constants import keep_resources
from tfmbs.passes.onnx.dequantized import DEQUANTIZE, dequantized_literal
from tfmbs.passes.onnx.elements import Element, TensorType
from tfmbs.passes.onnx.node import OPERATOR, Node, builtin_type, from_builtin, is_op
from tfmbs.passes.onnx.table import LOWERINGS, NARROW, REFUSALS, moves_only
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class ConvertOnnxToLinalg(Pass):
    """Convert ONNX operators that torch-mlir lacks, or gets wrong, to linalg on builtin tensors.

    Works on what torch-mlir's ONNX importer writes, before torch-mlir converts the rest to the torch level. Each
    operator is a `torch.operator` named after ONNX's; `passes/onnx/table.py` says which are taken. Which op computes an
    integer follows from the sign in the value tensor's type, as builtin integers have none. Sizes are those of the
    types: an operand that is only known at run time and asks for another shape than the declared one is not checked.
    Products of integers, and of what DequantizeLinear gives, become tfmbs ops on tensors of quantized type.
    Operators that no fabric computes (training optimizers, strings, random numbers, image files) are refused. A large
    constant of floats stays a resource: torch-mlir would copy its elements.

    Before:

        func.func @f(%x: !torch.vtensor<[1,1,4,6],f32>) -> !torch.vtensor<[1,4,2,3],f32> {
          %0 = torch.operator "onnx.SpaceToDepth"(%x) {torch.onnx.blocksize = 2 : si64}
              : (!torch.vtensor<[1,1,4,6],f32>) -> !torch.vtensor<[1,4,2,3],f32>
          return %0 : !torch.vtensor<[1,4,2,3],f32>
        }

    After:

        #blocks = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d3, d4, d1, d5, d2)>
        #result = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>
        func.func @f(%x: !torch.vtensor<[1,1,4,6],f32>) -> !torch.vtensor<[1,4,2,3],f32> {
          %0 = torch_c.to_builtin_tensor %x : !torch.vtensor<[1,1,4,6],f32> -> tensor<1x1x4x6xf32>
          %1 = tensor.collapse_shape %0 [[0, 1, 2, 3]] : tensor<1x1x4x6xf32> into tensor<24xf32>
          %2 = tensor.expand_shape %1 [[0, 1, 2, 3, 4, 5]] output_shape [1, 1, 2, 2, 3, 2]
              : tensor<24xf32> into tensor<1x1x2x2x3x2xf32>
          %3 = tensor.empty() : tensor<1x2x2x1x2x3xf32>
          %4 = linalg.generic {indexing_maps = [#blocks, #result], iterator_types = ["parallel", "parallel",
              "parallel", "parallel", "parallel", "parallel"]}
              ins(%2 : tensor<1x1x2x2x3x2xf32>) outs(%3 : tensor<1x2x2x1x2x3xf32>) {
          ^bb0(%in: f32, %out: f32):
            linalg.yield %in : f32
          } -> tensor<1x2x2x1x2x3xf32>
          %5 = tensor.collapse_shape %4 [[0, 1, 2, 3, 4, 5]] : tensor<1x2x2x1x2x3xf32> into tensor<24xf32>
          %6 = tensor.expand_shape %5 [[0, 1, 2, 3]] output_shape [1, 4, 2, 3]
              : tensor<24xf32> into tensor<1x4x2x3xf32>
          %7 = torch_c.from_builtin_tensor %6 : tensor<1x4x2x3xf32> -> !torch.vtensor<[1,4,2,3],f32>
          return %7 : !torch.vtensor<[1,4,2,3],f32>
        }
    """

    def run(self, module: Any) -> None:
        found: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name == OPERATOR:
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        for op in sorted(found, key=_is_looked_through):
            _convert(op)
        keep_resources(module)


def _is_looked_through(operation: Any) -> bool:
    """Whether ops that read a result look at its producer, which is to be converted after them."""
    return is_op(operation, DEQUANTIZE) and bool(operation.parent.name == "func.func")


def _convert(operation: Any) -> None:
    node = Node(operation)
    if _is_looked_through(operation) and _is_settled(node):
        return
    if (reason := REFUSALS.get(node.op)) is not None:
        raise node.refuse(reason)
    lowering = LOWERINGS.get(node.op)
    if any(element.is_narrow for element in node.elements) and node.op not in NARROW:
        raise node.refuse("element type", "at least 8 bits, 16 of a float", _odd(node, "is_narrow"))
    if lowering is None or not node.is_static:
        _check_left_alone(node)
        return
    with operation.location, ir.InsertionPoint(operation):
        built = lowering(node)
        if built is None:
            _check_left_alone(node)
            return
        values = built if isinstance(built, Sequence) else [built]
        for number, (result, value) in enumerate(zip(operation.results, values, strict=True)):
            if value is not None:
                _check(node, number, value)
                result.replace_all_uses_with(from_builtin(value, result.type))
    _erase(operation)


def _is_settled(node: Node) -> bool:
    """Removes a DequantizeLinear that nobody needs any more, or replaces it by a literal; says whether it is gone."""
    operation = node.operation
    for user in [use.owner for use in operation.results[0].uses]:
        if is_op(user, "Transpose") and not any(True for _ in user.results[0].uses):
            user.erase()
    if any(True for _ in operation.results[0].uses):
        literal = dequantized_literal(node) if node.is_static else None
        if literal is None:
            return False
        operation.results[0].replace_all_uses_with(literal)
    _erase(operation)
    return True


def _erase(operation: Any) -> None:
    """Erases an op, and the constants that nobody else reads."""
    producers = dict.fromkeys(value.owner for value in operation.operands)
    operation.erase()
    for producer in producers:
        _erase_unused_constant(producer)


def _check_left_alone(node: Node) -> None:
    """torch-mlir takes unsigned integers for signed ones: it gets only ops that do not compute with them."""
    if any(element.is_unsigned for element in node.elements) and not moves_only(node):
        raise node.refuse("element type", "a float, a signed integer or bool", _odd(node, "is_unsigned"))


def _odd(node: Node, question: str) -> Element:
    return next(element for element in node.elements if getattr(element, question))


def _erase_unused_constant(producer: Any) -> None:
    """Removes what has become a builtin constant: torch-mlir would convert it a second time."""
    if isinstance(producer, ir.OpView | ir.Operation) and is_op(producer.operation, "Constant"):
        if any(True for _ in producer.operation.results[0].uses):
            return
        producer.operation.erase()


def _check(node: Node, number: int, value: Any) -> None:
    """What a lowering builds has the declared type, or the model declares another shape than its operands give."""
    declared = builtin_type(TensorType(node.result_shape(number), node.result_element(number)))
    if value.type != declared:
        raise node.refuse(f"declared type of result {number}", value.type, declared)
