"""The pass ``tfmbs-separate-inits``: elementwise code reads its inputs only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir, linalg, tensor
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsSeparateInits(Pass):
    """Make the inits that elementwise code reads inputs of it, and its inits undefined.

    Upstream's fusion moves a producer into a consumer together with its inits. A consumer that visits an element more
    than once, such as a sum over a sliding window, would then apply the producer to its own results.

    Before:

        #id = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
          %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : tensor<8xf32>) outs(%y : tensor<8xf32>) {
          ^bb0(%a: f32, %b: f32):
            %1 = arith.mulf %a, %b : f32
            linalg.yield %1 : f32
          } -> tensor<8xf32>
          return %0 : tensor<8xf32>
        }

    After:

        #id = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
          %0 = tensor.empty() : tensor<8xf32>
          %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
              ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%0 : tensor<8xf32>) {
          ^bb0(%a: f32, %b: f32, %out: f32):
            %2 = arith.mulf %a, %b : f32
            linalg.yield %2 : f32
          } -> tensor<8xf32>
          return %1 : tensor<8xf32>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, _reads_inits):
            _separate(op)


def _reads_inits(op: Any) -> bool:
    """Whether an op is elementwise code on tensors that reads an init, and writes each element of its results once."""
    if not isinstance(op, linalg.GenericOp) or not len(op.operation.results):
        return False
    if any("parallel" not in str(kind) for kind in op.operation.attributes["iterator_types"]):
        return False
    outputs = len(op.operation.results)
    maps = [attribute.value for attribute in op.operation.attributes["indexing_maps"]]
    if not all(affine_map.is_permutation for affine_map in maps[-outputs:]):
        return False
    return any(len(list(argument.uses)) for argument in list(op.regions[0].blocks[0].arguments)[-outputs:])


def _separate(op: Any) -> None:
    block, outputs = op.regions[0].blocks[0], len(op.operation.results)
    operands, maps = list(op.operation.operands), list(op.operation.attributes["indexing_maps"])
    inputs, inits = operands[:-outputs], operands[-outputs:]
    old = list(block.arguments)[-outputs:]
    read = [i for i, argument in enumerate(old) if list(argument.uses)]
    with op.operation.location, ir.InsertionPoint(op):
        undefined = {i: tensor.EmptyOp(shape_of(inits[i].type), element_of(inits[i])).result for i in read}
        attributes = {name: op.operation.attributes[name] for name in op.operation.attributes}
        attributes["indexing_maps"] = ir.ArrayAttr.get(
            [*maps[:-outputs], *(maps[len(inputs) + i] for i in read), *maps[-outputs:]]
        )
        sizes = [len(inputs) + len(read), outputs]
        attributes["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get(sizes)
        built = ir.Operation.create(
            "linalg.generic",
            results=[result.type for result in op.operation.results],
            operands=[*inputs, *(inits[i] for i in read), *(undefined.get(i, init) for i, init in enumerate(inits))],
            attributes=attributes,
            regions=1,
        )
    block.append_to(built.regions[0])
    for argument in old:  # what was read stays in front, as an input
        block.add_argument(argument.type, op.operation.location)
    for i in reversed(range(outputs)):
        if i not in read:
            block.erase_argument(len(inputs) + i)
    for result, replacement in zip(op.operation.results, built.results, strict=True):
        result.replace_all_uses_with(replacement)
    op.operation.erase()
