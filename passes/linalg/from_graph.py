"""The graph level as linalg on tensors of stored elements: i8 for quantized ones and, one per byte, for trits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.graph_windows import ConvolutionOp
from tfmbs.dialect.location import place as place_of
from tfmbs.dialect.mlir import arith, func, ir, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import is_quantized, is_ternary, packing_of, storage_shape, storage_type, zero_points_of
from tfmbs.passes.graph.kernels import PRODUCTS, channel_axis, left, ops_where, right, unpacked
from tfmbs.passes.linalg import pooling, portable, products
from tfmbs.passes.linalg.groups import Groups, group_gemm
from tfmbs.passes.linalg.places import Tensors
from tfmbs.passes.linalg.pooling import Pooling
from tfmbs.passes.linalg.products import Product
from tfmbs.passes.linalg.structured import elementwise, mapping
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import Packing

STORAGE_CAST = "quant.scast"


def _is_stored_otherwise(type_: Any) -> bool:
    """Whether linalg needs another type for a value: it has quantized or ternary elements."""
    if not isinstance(type_, ir.RankedTensorType):
        return False
    return is_quantized(type_.element_type) or is_ternary(type_.element_type)


def _stored_type(type_: Any) -> Any:
    """The type of a value's stored elements, trits one per byte; the type itself where nothing is stored otherwise."""
    if not _is_stored_otherwise(type_):
        return type_
    return tensor_type(shape_of(type_), storage_type(type_.element_type))


def _memory_type(type_: Any) -> Any:
    """The type of a value at the boundary of a function: as memory holds it, trits packed."""
    if not _is_stored_otherwise(type_):
        return type_
    element = type_.element_type
    return tensor_type(storage_shape(shape_of(type_), element), storage_type(element))


def _zero_point(value: Any) -> int:
    element = element_of(value)
    return zero_points_of(element)[0] if is_quantized(element) else 0


def _part(value: Any, first: int, size: int) -> Any:
    """Elements first…first + size − 1 of a tensor of rank 1."""
    none: list[Any] = []
    type_ = tensor_type((size,), element_of(value))
    return tensor.ExtractSliceOp(type_, value, none, none, none, [first], [size], [1]).result


class GraphLowering:
    """Rewrites a module; knows, for each value of quantized or ternary type, the value of its stored elements."""

    def __init__(self, numerics: str) -> None:
        self._products: Any = portable if numerics == "portable" else products
        self._pooling: Any = portable if numerics == "portable" else pooling
        self._stored: dict[Any, Any] = {}
        self._casts: list[Any] = []
        self._place = Tensors()

    def run(self, module: Any) -> None:
        """Replaces every graph-level op, and every quantized or ternary value, below `module`."""
        ops = ops_where(module, lambda op: op.operation != module.operation)
        obsolete = [op for op in ops if self._lower(op)]
        for op in (*reversed(obsolete), *self._casts):
            op.operation.erase()

    def _lower(self, op: Any) -> bool:
        """Lowers one op; whether it is obsolete then."""
        if isinstance(op, func.FuncOp):
            with op.location:
                self._lower_signature(op)
            return False
        results = list(op.operation.results)
        with op.operation.location, ir.InsertionPoint(op):
            if type(op) in LOWERINGS:
                values = LOWERINGS[type(op)](self, op)
            elif op.operation.name == STORAGE_CAST:
                values = [self.stored(op.operation.operands[0])]
            elif any(value in self._stored for value in op.operation.operands) or any(
                _is_stored_otherwise(value.type) for value in results
            ):
                values = self._copy(op)
            else:
                return False
        for old, new in zip(results, values, strict=True):
            if old.type == new.type:
                old.replace_all_uses_with(new)
            else:
                self._stored[old] = new
        return True

    def _copy(self, op: Any) -> list[Any]:
        """A copy of an op that only moves elements (a reshape, a return) on stored elements."""
        operation = op.operation
        if len(operation.regions):
            raise TfmbsError("unsupported", place_of(operation.location), f"{operation.name} of quantized elements")
        copy = ir.Operation.create(
            operation.name,
            results=[_stored_type(value.type) for value in operation.results],
            operands=[self.stored(value) for value in operation.operands],
            attributes={name: operation.attributes[name] for name in operation.attributes},
            loc=operation.location,
        )
        return list(copy.results)

    def _lower_signature(self, op: Any) -> None:
        inputs, results = list(op.type.inputs), list(op.type.results)
        for type_ in results:
            if _memory_type(type_) != _stored_type(type_):
                raise TfmbsError(
                    "unsupported", place_of(op.location), "result of packed trits", "one trit per byte", type_
                )
        stored_results = [_stored_type(type_) for type_ in results]
        stored_inputs = [_memory_type(type_) for type_ in inputs]
        op.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(stored_inputs, stored_results))
        if op.is_external:
            return
        for argument, type_ in zip(op.entry_block.arguments, inputs, strict=True):
            if _is_stored_otherwise(type_):
                self._lower_argument(op, argument, type_)

    def _lower_argument(self, function: Any, argument: Any, type_: Any) -> None:
        """Gives an argument its stored type; the cast keeps the old type visible to the ops that are lowered later."""
        with function.location, ir.InsertionPoint.at_block_begin(function.entry_block):
            cast = ir.Operation.create("builtin.unrealized_conversion_cast", results=[type_], operands=[argument])
        argument.replace_all_uses_except(cast.result, cast)
        argument.set_type(_memory_type(type_))
        with function.location, ir.InsertionPoint.after(cast):
            packing, shape = packing_of(type_.element_type), shape_of(type_)
            self._stored[cast.result] = products.unpack(self._place, argument, packing, shape)
        self._casts.append(cast)

    def stored(self, value: Any) -> Any:
        """The stored elements of a value, which is the value itself where its type says nothing else."""
        return self._stored.get(value, value)

    def product(self, op: Any) -> list[Any]:
        """matmul, gemv, batch_matmul, group_matmul, conv2d and conv3d."""
        lhs, rhs = self.stored(left(op)), self.stored(right(op))
        epilogue = {
            "block": op.epilogue_block if op.has_epilogue else None,
            "operands": [self.stored(value) for value in op.epilogue_operands],
            "roles": op.roles,
        }
        product = Product(
            lhs,
            self._transposed(rhs) if isinstance(op, graph.BatchMatmulOp) and op.rhs_layout == "kn" else rhs,
            shape_of(op.result.type),
            channel_axis(op),
            op.accumulator,
            storage_type(element_of(op.result)),
            _zero_point(left(op)),
            discardable=op.discardable(),
            **epilogue,
        )
        if isinstance(op, graph.GroupMatmulOp):
            groups = Groups(self.stored(op.scales), op.activations == "absmax")
            return [group_gemm(self._place, product, groups)]
        if isinstance(op, ConvolutionOp):
            return [self._products.convolution(self._place, product, op.window, op.groups)]
        return [self._products.gemm(self._place, product)]

    def _transposed(self, rhs: Any) -> Any:
        """B×N×K from B×K×N."""
        batch, k, n = shape_of(rhs.type)
        inputs = [(rhs, mapping(3, [0, 2, 1]))]
        return elementwise(inputs, (batch, n, k), element_of(rhs), lambda x: x)

    def fused_gemv(self, op: Any) -> list[Any]:
        """One gemv for each right operand, with its part of the operands that have one element per channel."""
        results, first = {}, 0
        for index in op.launch_order:
            rhs, shape = op.rhs[index], shape_of(op.products[index].type)
            product = Product(
                self.stored(op.lhs),
                self.stored(rhs),
                shape,
                1,
                op.accumulator,
                storage_type(element_of(op.products[index])),
                _zero_point(op.lhs),
                block=op.epilogue_block if op.has_epilogue else None,
                operands=[
                    _part(self.stored(operand), first, shape[1]) if role == "channel" else self.stored(operand)
                    for operand, role in zip(op.epilogue_operands, op.roles, strict=True)
                ],
                roles=op.roles,
                discardable=op.discardable(),
            )
            results[index] = self._products.gemm(self._place, product)
            first += shape[1]
        return [results[index] for index in range(len(results))]

    def pool(self, op: Any) -> list[Any]:
        """Maximum and average pooling."""
        mode = "avg_padded" if op.kind == "avg" and op.count_include_pad else op.kind
        shape = shape_of(op.result.type)
        pooling = Pooling(self.stored(op.input), op.window, mode, shape, discardable=op.discardable())
        return [self._pooling.pool(self._place, pooling)]

    def constant(self, op: Any) -> list[Any]:
        """The stored elements; packed trits are unpacked here."""
        is_dense = packing_of(element_of(op.result)) is Packing.DENSE
        value = op.value if is_dense else resource_attr(unpacked(op), "trits")
        return [arith.ConstantOp(value.type, value).result]

    def repacked(self, op: Any) -> list[Any]:
        """Stored trits are one per byte here, so packing them changes nothing."""
        return [self.stored(op.input)]


LOWERINGS: dict[type, Callable[[GraphLowering, Any], list[Any]]] = {
    **dict.fromkeys(PRODUCTS, GraphLowering.product),
    graph.FusedGemvOp: GraphLowering.fused_gemv,
    graph.PoolOp: GraphLowering.pool,
    graph.ConstantOp: GraphLowering.constant,
    graph.PackOp: GraphLowering.repacked,
    graph.UnpackOp: GraphLowering.repacked,
}
