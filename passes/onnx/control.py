"""If, Loop and Scan with sizes that do not change: `scf` on builtin tensors, around the ops of their graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir, scf, tensor
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.passes.linalg.scalar import bits_constant
from tfmbs.passes.linalg.structured import empty
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.elements import tensor_type_of
from tfmbs.passes.onnx.node import Node, Results, builtin_type, from_builtin, to_builtin

Value = Any


def if_(node: Node) -> Results:
    """If: the branch that a scalar condition chooses. The importer writes its graphs in the order of their names."""
    otherwise, then = (region.blocks[0] for region in node.operation.regions)
    results = [type_ for type_ in map(tensor_type_of, node.operation.results) if type_]
    types = [builtin_type(type_) for type_ in results]
    chosen = scf.IfOp(_scalar(node.tensor(0)), types, has_else=True)
    for block, target in ((then, chosen.then_block), (otherwise, chosen.else_block)):
        with ir.InsertionPoint(target):
            scf.YieldOp(_moved(node, block, [], types))
    return list(chosen.results)


def loop(node: Node) -> Results:
    """Loop: `scf.for` where only the trip count ends it, else `scf.while`.

    A value that is collected has as many parts as the result's type says; the loop runs no longer than that.
    """
    body = node.operation.regions[0].blocks[0]
    carried = [node.tensor(index) for index in range(2, len(node))]
    collected = _buffers(node, len(carried))
    parts = [tensor_type(shape_of(buffer.type)[1:], element_of(buffer)) for buffer in collected]
    types = [_condition_type(), *(value.type for value in carried), *parts]

    def iterate(counter: Value, going: Value, values: Sequence[Value]) -> list[Value]:
        """The next condition, carried values and buffers."""
        number = arith.IndexCastOp(ir.IntegerType.get_signless(64), counter).result
        operands = [_tensor(number), _tensor(going), *values[: len(carried)]]
        still, *results = _moved(node, body, operands, types)
        new, buffers = results[: len(carried)], values[len(carried) :]
        pairs = zip(results[len(carried) :], buffers, strict=True)
        return [_scalar(still), *new, *(_insert(part, buffer, counter, 0) for part, buffer in pairs)]

    start, count = [*carried, *collected], _count(node, collected)
    if node.has(1):
        return _while(count, _scalar(node.tensor(1)), start, iterate)
    if count is None:
        raise node.refuse("end", "a trip count or a condition", "neither")
    true = _true()
    return build.count_loop(count, start, lambda counter, values: iterate(counter, true, values)[1:])


def scan(node: Node) -> Results:
    """Scan: `scf.for` over the parts of its sequences."""
    body, count = node.operation.regions[0].blocks[0], node.integer("num_scan_inputs")
    carried = [node.tensor(index) for index in range(len(node) - count)]
    given = [node.tensor(index) for index in range(len(node) - count, len(node))]
    collected = _buffers(node, len(carried))
    inputs, outputs = _walks(node, "input", given), _walks(node, "output", collected)
    steps = shape_of(given[0].type)[inputs[0][0]]
    last = build.index(steps - 1)
    types = [value.type for value in carried]
    types += [_part_type(buffer, axis) for buffer, (axis, _) in zip(collected, outputs, strict=True)]

    def iterate(counter: Value, values: Sequence[Value]) -> list[Value]:
        backwards = arith.SubIOp(last, counter).result
        parts = [_part(x, backwards if back else counter, axis) for x, (axis, back) in zip(given, inputs, strict=True)]
        results = _moved(node, body, [*values[: len(carried)], *parts], types)
        made = zip(results[len(carried) :], values[len(carried) :], outputs, strict=True)
        ends = [_insert(part, buffer, backwards if back else counter, axis) for part, buffer, (axis, back) in made]
        return [*results[: len(carried)], *ends]

    return build.count_loop(steps, [*carried, *collected], iterate)


def _moved(node: Node, block: Any, operands: Sequence[Value], types: Sequence[Any]) -> list[Value]:
    """Moves the ops of a graph to the insertion point; returns its results, which must have these types."""
    for argument, value in zip(block.arguments, operands, strict=True):
        argument.replace_all_uses_with(from_builtin(value, argument.type))
    target = ir.InsertionPoint.current.block
    *operations, terminator = list(block.operations)
    for operation in operations:
        target.append(operation)
    results = []
    for number, (value, expected) in enumerate(zip(terminator.operands, types, strict=True)):
        type_ = tensor_type_of(value)
        if type_ is None or builtin_type(type_) != expected:
            raise node.refuse(f"type of result {number} of its graph", expected, value.type)
        results.append(to_builtin(value))
    return results


def _while(
    count: Value | None, going: Value, start: Sequence[Value], iterate: Callable[[Value, Value, Sequence[Value]], Any]
) -> list[Value]:
    """Runs while the condition holds and, if there is a count, fewer iterations are done."""
    inits = [build.index(0), going, *start]
    types = [value.type for value in inits]
    op = scf.WhileOp(types, inits)
    places = [ir.Location.current] * len(types)
    before, after = op.before.blocks.append(*types, arg_locs=places), op.after.blocks.append(*types, arg_locs=places)
    with ir.InsertionPoint(before):
        counter, still, *_ = before.arguments
        if count is not None:
            still = arith.AndIOp(arith.CmpIOp(arith.CmpIPredicate.slt, counter, count).result, still).result
        scf.ConditionOp(still, list(before.arguments))
    with ir.InsertionPoint(after):
        counter, still, *values = after.arguments
        results = iterate(counter, still, values)
        scf.YieldOp([arith.AddIOp(counter, build.index(1)).result, *results])
    return list(op.results)[2:]


def _count(node: Node, collected: Sequence[Value]) -> Value | None:
    """The most iterations as index, None where there is no limit."""
    limits = [build.index(shape_of(collected[0].type)[0])] if collected else []
    if node.has(0):
        limits.append(build.as_index(_scalar(node.tensor(0))))
    return arith.MinSIOp(*limits).result if len(limits) == 2 else next(iter(limits), None)


def _buffers(node: Node, carried: int) -> list[Value]:
    """Empty tensors for the values that are collected."""
    return [empty(node.result_shape(i), node.result_element(i).mlir) for i in range(carried, node.results)]


def _walks(node: Node, kind: str, values: Sequence[Value]) -> list[tuple[int, bool]]:
    """Axis, and whether it is walked backwards, of each sequence of a Scan."""
    axes = node.integers(f"scan_{kind}_axes") or [0] * len(values)
    directions = node.integers(f"scan_{kind}_directions") or [0] * len(values)
    ranks = [len(shape_of(value.type)) for value in values]
    return [(axis % rank, bool(back)) for axis, rank, back in zip(axes, ranks, directions, strict=True)]


def _part_type(value: Value, axis: int) -> Any:
    sizes = list(shape_of(value.type))
    del sizes[axis]
    return tensor_type(tuple(sizes), element_of(value))


def _part(value: Value, at: Value, axis: int) -> Value:
    """The part of a tensor at an index of an axis, without the axis."""
    return build.reshape(build.slice_at(value, at, axis), shape_of(_part_type(value, axis)))


def _insert(part: Value, into: Value, at: Value, axis: int) -> Value:
    sizes = list(shape_of(into.type))
    sizes[axis] = 1
    return build.insert_at(build.reshape(part, tuple(sizes)), into, at, axis)


def _scalar(value: Value) -> Value:
    """The element of a tensor of one."""
    return build.extract(value, [build.index(0)] * len(shape_of(value.type)))


def _tensor(value: Value) -> Value:
    """A scalar as a tensor without dimensions."""
    return tensor.FromElementsOp(tensor_type((), value.type), [value]).result


def _condition_type() -> Any:
    return tensor_type((), ir.IntegerType.get_signless(1))


def _true() -> Value:
    return bits_constant(ir.IntegerType.get_signless(1), 1)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"If": if_, "Loop": loop, "Scan": scan}
