"""The pass ``tfmbs-expand-lstm``: a long short-term memory as products and elementwise work, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.graph_lstm import GATES, LstmOp, by_role
from tfmbs.dialect.mlir import arith, func, ir, math, scf, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.scalars import function
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.passes.graph.kernels import constant_elements, ops_of
from tfmbs.passes.graph.reshapes import reshaped
from tfmbs.passes.linalg.siw_machine import index
from tfmbs.passes.linalg.structured import elementwise, empty, filled, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.target import Feature
from tfmbs.runtime.abi.target_file import load_target

WRITTEN_OUT_STEPS = 32
"""The longest sequence that is written out: each product is a kernel there, but each step is code, too."""

UNQUANTIZED = "fp32"
"""The precision that leaves weights as they are."""


@dataclass(frozen=True)
class TfmbsExpandLstm(Pass):
    """Write `tfmbs.lstm` as products and elementwise ops, step by step, with the same numbers.

    With a `target`, only where it has no kernel for it, and in structured code, which launches nothing. With a
    `precision`, only where that quantizes weights: products take quantized ones, the kernel does not. What inputs
    contribute is one product for all steps. Sequences of more than 32 steps become a loop, in which there are no
    products to quantize, so that a `precision` leaves them alone.

    Before:

        func.func @f(%x: tensor<1x2x3xf32>, %w: tensor<1x4x3xf32>, %r: tensor<1x4x1xf32>) -> tensor<1x1x2x1xf32> {
          %0 = "tfmbs.lstm"(%x, %w, %r) {
            operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc",
            roles = [], keep_cell = false
          } : (tensor<1x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x1xf32>) -> tensor<1x1x2x1xf32>
          return %0 : tensor<1x1x2x1xf32>
        }

    After:

        #map = affine_map<(d0, d1) -> (d0, d1)>
        func.func @f(%arg0: tensor<1x2x3xf32>, %arg1: tensor<1x4x3xf32>, %arg2: tensor<1x4x1xf32>) ->
            tensor<1x1x2x1xf32> {
          %0 = tensor.empty() : tensor<1x1x2x1xf32>
          %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2]] : tensor<1x2x3xf32> into tensor<2x3xf32>
          %extracted_slice = tensor.extract_slice %arg1[0, 0, 0] [1, 4, 3] [1, 1, 1] : tensor<1x4x3xf32> to
              tensor<4x3xf32>
          %1 = "tfmbs.matmul"(%collapsed, %extracted_slice) ({
          }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>,
              tensor<4x3xf32>) -> tensor<2x4xf32>
          %extracted_slice_0 = tensor.extract_slice %arg2[0, 0, 0] [1, 4, 1] [1, 1, 1] : tensor<1x4x1xf32> to
              tensor<4x1xf32>
          %cst = arith.constant 0.000000e+00 : f32
          %2 = tensor.empty() : tensor<2x1xf32>
          %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<2x1xf32>) -> tensor<2x1xf32>
          %cst_1 = arith.constant 0.000000e+00 : f32
          %4 = tensor.empty() : tensor<2x1xf32>
          %5 = linalg.fill ins(%cst_1 : f32) outs(%4 : tensor<2x1xf32>) -> tensor<2x1xf32>
          %expanded = tensor.expand_shape %1 [[0, 1], [2]] output_shape [1, 2, 4] : tensor<2x4xf32> into
              tensor<1x2x4xf32>
          %extracted_slice_2 = tensor.extract_slice %expanded[0, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<1x2x4xf32>
              to tensor<2x4xf32>
          %6 = "tfmbs.matmul"(%3, %extracted_slice_0) ({
          }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x1xf32>,
              tensor<4x1xf32>) -> tensor<2x4xf32>
          %7 = tensor.empty() : tensor<2x4xf32>
          %8 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%6, %extracted_slice_2 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%7 : tensor<2x4xf32>) {
          ^bb0(%in: f32, %in_7: f32, %out: f32):
            %21 = arith.addf %in, %in_7 : f32
            linalg.yield %21 : f32
          } -> tensor<2x4xf32>
          %extracted_slice_3 = tensor.extract_slice %8[0, 0] [2, 1] [1, 1] : tensor<2x4xf32> to tensor<2x1xf32>
          %9 = tensor.empty() : tensor<2x1xf32>
          %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%extracted_slice_3 : tensor<2x1xf32>) outs(%9 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %out: f32):
            %21 = "tfmbs.sigmoid"(%in) : (f32) -> f32
            linalg.yield %21 : f32
          } -> tensor<2x1xf32>
          %extracted_slice_4 = tensor.extract_slice %8[0, 1] [2, 1] [1, 1] : tensor<2x4xf32> to tensor<2x1xf32>
          %11 = tensor.empty() : tensor<2x1xf32>
          %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%extracted_slice_4 : tensor<2x1xf32>) outs(%11 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %out: f32):
            %21 = "tfmbs.sigmoid"(%in) : (f32) -> f32
            linalg.yield %21 : f32
          } -> tensor<2x1xf32>
          %extracted_slice_5 = tensor.extract_slice %8[0, 2] [2, 1] [1, 1] : tensor<2x4xf32> to tensor<2x1xf32>
          %13 = tensor.empty() : tensor<2x1xf32>
          %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%extracted_slice_5 : tensor<2x1xf32>) outs(%13 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %out: f32):
            %21 = "tfmbs.sigmoid"(%in) : (f32) -> f32
            linalg.yield %21 : f32
          } -> tensor<2x1xf32>
          %extracted_slice_6 = tensor.extract_slice %8[0, 3] [2, 1] [1, 1] : tensor<2x4xf32> to tensor<2x1xf32>
          %15 = tensor.empty() : tensor<2x1xf32>
          %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%extracted_slice_6 : tensor<2x1xf32>) outs(%15 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %out: f32):
            %21 = math.tanh %in : f32
            linalg.yield %21 : f32
          } -> tensor<2x1xf32>
          %17 = tensor.empty() : tensor<2x1xf32>
          %18 = linalg.generic {indexing_maps = [#map, #map, #map, #map, #map], iterator_types = ["parallel",
              "parallel"]} ins(%10, %14, %16, %5 : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>,
              tensor<2x1xf32>) outs(%17 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %in_7: f32, %in_8: f32, %in_9: f32, %out: f32):
            %21 = arith.mulf %in_7, %in_9 : f32
            %22 = arith.mulf %in, %in_8 : f32
            %23 = arith.addf %21, %22 : f32
            linalg.yield %23 : f32
          } -> tensor<2x1xf32>
          %19 = tensor.empty() : tensor<2x1xf32>
          %20 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]}
              ins(%12, %18 : tensor<2x1xf32>, tensor<2x1xf32>) outs(%19 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %in_7: f32, %out: f32):
            %21 = math.tanh %in_7 : f32
            %22 = arith.mulf %in, %21 : f32
            linalg.yield %22 : f32
          } -> tensor<2x1xf32>
          %inserted_slice = tensor.insert_slice %20 into %0[0, 0, 0, 0] [1, 1, 2, 1] [1, 1, 1, 1] :
              tensor<2x1xf32> into tensor<1x1x2x1xf32>
          return %inserted_slice : tensor<1x1x2x1xf32>
        }
    """

    target: str = ""
    precision: str = ""

    def run(self, module: Any) -> None:
        if self.precision == UNQUANTIZED:
            return
        has_kernel = bool(self.target) and load_target(self.target).has(Feature.LSTM)
        for op in ops_of(module, LstmOp):
            if has_kernel and isinstance(op.operation.parent.opview, func.FuncOp):
                continue
            if self.precision and not _is_written_out(op):
                continue
            with op.location, ir.InsertionPoint(op):
                op.result.replace_all_uses_with(_Expansion(op).result())
            op.operation.erase()


def _is_written_out(op: Any) -> bool:
    return shape_of(op.input.type)[0] <= WRITTEN_OUT_STEPS


class _Expansion:
    """One op on its way. States are B×H, gates B×4·H."""

    def __init__(self, op: Any) -> None:
        self.op, self.further, self.discardable = op, by_role(op), op.discardable()
        self.steps, self.batch, self.width = shape_of(op.input.type)
        self.ways, _, self.hidden = shape_of(op.recurrent.type)
        self.state, self.rows = (self.batch, self.hidden), GATES * self.hidden

    def result(self) -> Any:
        """What stands for the op's result."""
        out = empty(shape_of(self.op.result.type), ir.F32Type.get())
        for way in range(self.ways):
            backwards = self.op.direction == "reverse" or way == 1
            walk = self._written_out if _is_written_out(self.op) else self._looped
            out = walk(out, way, backwards)
        return out

    def _written_out(self, out: Any, way: int, backwards: bool) -> Any:
        step, given, hidden, cell = self._begin(way)
        for t in reversed(range(self.steps)) if backwards else range(self.steps):
            hidden, cell = step(_slice(given, [t], (self.batch, self.rows)), hidden, cell)
            out = _put(hidden, out, [t, way])
        return self._keep(cell, out, way)

    def _looped(self, out: Any, way: int, backwards: bool) -> Any:
        step, given, hidden, cell = self._begin(way)
        loop = scf.ForOp(index(0), index(self.steps), index(1), [out, hidden, cell])
        with ir.InsertionPoint(loop.body):
            out, hidden, cell = loop.inner_iter_args
            t = loop.induction_variable
            place = arith.SubIOp(index(self.steps - 1), t).result if backwards else t
            hidden, cell = step(_slice(given, [place], (self.batch, self.rows)), hidden, cell)
            scf.YieldOp([_put(hidden, out, [place, way]), hidden, cell])
        out, _, cell = loop.results
        return self._keep(cell, out, way)

    def _keep(self, cell: Any, out: Any, way: int) -> Any:
        return _put(cell, out, [self.steps, way]) if self.op.keep_cell else out

    def _begin(self, way: int) -> tuple[Callable[..., tuple[Any, Any]], Any, Any, Any]:
        """What computes a step, what inputs contribute to the gates (T×B×4·H), and the first states of a direction."""
        sequence = reshaped(self.op.input, (self.steps * self.batch, self.width))
        given = self._product(sequence, self.op.weights, way, "bias")
        recurrent = _part(self.op.recurrent, way)

        def step(of_input: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
            return self._step(of_input, self._product(hidden, recurrent, way, "recurrent_bias"), cell)

        first = [self._first(name, way) for name in ("hidden", "cell")]
        return step, reshaped(given, (self.steps, self.batch, self.rows)), *first

    def _product(self, rows: Any, weights: Any, way: int, bias: str) -> Any:
        """rows M×K · (weights 4·H×K)ᵀ, with a bias for each column if there is one."""
        weights = _part(weights, way) if len(shape_of(weights.type)) > 2 else weights
        product = graph.matmul(rows, weights, discardable=self.discardable).result
        if bias not in self.further:
            return product
        inputs = [(product, identity(2)), (_part(self.further[bias], way), mapping(2, [1]))]
        return elementwise(inputs, shape_of(product.type), ir.F32Type.get(), _add)

    def _first(self, name: str, way: int) -> Any:
        if name in self.further:
            return _slice(self.further[name], [way], self.state)
        return filled(self.state, ir.F32Type.get(), 0)

    def _step(self, of_input: Any, of_state: Any, cell: Any) -> tuple[Any, Any]:
        full, f32 = identity(2), ir.F32Type.get()
        sums = elementwise([(of_state, full), (of_input, full)], (self.batch, self.rows), f32, _add)
        gates = {}
        for number, gate in enumerate(self.op.gates):
            part = _slice(sums, [], self.state, [0, number * self.hidden])
            gates[gate] = elementwise([(part, full)], self.state, f32, _tanh if gate == "c" else _sigmoid)

        def new_cell(i: Any, f: Any, c: Any, before: Any) -> Any:
            return _add(_multiply(f, before), _multiply(i, c))

        inputs = [(value, full) for value in (gates["i"], gates["f"], gates["c"], cell)]
        cell = elementwise(inputs, self.state, f32, new_cell)
        output = [(gates["o"], full), (cell, full)]
        return elementwise(output, self.state, f32, lambda o, c: _multiply(o, _tanh(c))), cell


def _add(x: Any, y: Any) -> Any:
    return arith.AddFOp(x, y).result


def _multiply(x: Any, y: Any) -> Any:
    return arith.MulFOp(x, y).result


def _tanh(x: Any) -> Any:
    return math.TanhOp(x).result


def _sigmoid(x: Any) -> Any:
    return function("sigmoid", x)


def _part(value: Any, way: int) -> Any:
    """What a direction has of weights or biases; of constants it is one, too."""
    elements, shape = constant_elements(value), shape_of(value.type)
    if elements is None:
        return _slice(value, [way], shape[1:])
    attribute = resource_attr(elements.reshape(shape)[way], "lstm")
    return arith.ConstantOp(attribute.type, attribute).result


def _slice(value: Any, at: list[Any], shape: Shape, offsets: list[int] | None = None) -> Any:
    """The part of a tensor at these indices of its first axes, which vanish; `offsets` are those of the others."""
    moving = [position for position in at if not isinstance(position, int)]
    type_ = tensor_type(shape, element_of(value))
    where, sizes = _window(at, shape, offsets)
    return tensor.ExtractSliceOp(type_, value, moving, [], [], where, sizes, [1] * len(sizes)).result


def _put(value: Any, target: Any, at: list[Any]) -> Any:
    """`target` with `value` at these indices of its first axes."""
    moving = [position for position in at if not isinstance(position, int)]
    where, sizes = _window(at, shape_of(value.type))
    return tensor.InsertSliceOp(value, target, moving, [], [], where, sizes, [1] * len(sizes)).result


def _window(at: list[Any], shape: Shape, offsets: list[int] | None = None) -> tuple[list[int], list[int]]:
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    fixed = [position if isinstance(position, int) else dynamic for position in at]
    return [*fixed, *(offsets or [0] * len(shape))], [1] * len(at) + list(shape)
