"""Tensors that control flow chooses or passes on, given one buffer each, so that no memref is chosen at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.mlir import ir, scf, tensor
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.kernel.aliases import terminator_of
from tfmbs.passes.linalg.structured import PARALLEL, generic, identity

_CHOICES = frozenset({"scf.if", "scf.index_switch"})


def branch_on_selects(root: Any) -> None:
    """Turns each `arith.select` of whole tensors by one condition into an `scf.if`."""
    for found in ops_where(root, lambda op: op.operation.name == "arith.select"):
        op = found.operation
        condition, yes, no = op.operands
        if not isinstance(op.results[0].type, ir.RankedTensorType) or isinstance(condition.type, ir.ShapedType):
            continue
        with op.location, ir.InsertionPoint(op):
            choice = scf.IfOp(condition, [op.results[0].type], has_else=True)
            for block, value in ((choice.then_block, yes), (choice.else_block, no)):
                with ir.InsertionPoint(block):
                    scf.YieldOp([value])
        op.results[0].replace_all_uses_with(choice.results[0])
        op.erase()


def join_choices(root: Any) -> None:
    """Lets all branches of `scf.if` and `scf.index_switch` copy what they yield into one tensor made before."""
    for found in ops_where(root, lambda op: op.operation.name in _CHOICES):
        op = found.operation
        targets = {i: _undefined(op, result) for i, result in enumerate(op.results) if _is_static_tensor(result)}
        for region in op.regions:
            terminator = terminator_of(region.blocks[0])
            for index, target in targets.items():
                terminator.operands[index] = _copy(terminator, terminator.operands[index], target)


def copy_back(root: Any) -> None:
    """Lets loops copy the tensors that they hand to the next iteration into the ones that it replaces."""
    _copy_back(root, aside=False)


def copy_back_by_way_of_others(root: Any) -> None:
    """As `copy_back`, but all are copied to new places first: one may be what another is made from."""
    _copy_back(root, aside=True)


def _copy_back(root: Any, *, aside: bool) -> None:
    for found in ops_where(root, lambda op: op.operation.name == "scf.for"):
        body = found.operation.regions[0].blocks[0]
        _replace(body, list(body.arguments)[1:], aside=aside)
    for found in ops_where(root, lambda op: op.operation.name == "scf.while"):
        loop = _forwarding_all(found.operation)
        before, after = (region.blocks[0] for region in loop.regions)
        forwarded = list(terminator_of(before).operands)[1:]
        places = [after.arguments[forwarded.index(v)] if v in forwarded else None for v in before.arguments]
        _replace(after, places, aside=aside)


def _replace(body: Any, places: Sequence[Any], *, aside: bool) -> None:
    """Lets the end of a loop's body copy the tensors among what it yields to `places`; first `aside` if asked to."""
    terminator = terminator_of(body)
    moved = {
        index: _copy(terminator, value, _undefined(terminator, value)) if aside else value
        for index, value in enumerate(terminator.operands)
        if _is_static_tensor(value) and value != places[index]
    }
    for index, value in moved.items():
        terminator.operands[index] = _copy(terminator, value, places[index])


def _forwarding_all(op: Any) -> Any:
    """An `scf.while` in place of `op` whose condition hands on all that enters an iteration, in that order, first."""
    before, after = (region.blocks[0] for region in op.regions)
    condition = terminator_of(before)
    known, entered = list(condition.operands)[1:], list(before.arguments)
    if known[: len(entered)] == entered:
        return op
    forwarded = [*entered, *(value for value in known if value not in entered)]
    places = [forwarded.index(value) for value in known]
    with op.location, ir.InsertionPoint(op):
        types = [value.type for value in forwarded]
        loop = ir.Operation.create("scf.while", results=types, operands=list(op.operands), regions=2)
    with condition.location, ir.InsertionPoint(condition):
        ir.Operation.create("scf.condition", operands=[condition.operands[0], *forwarded])
    condition.erase()
    arguments = [after.add_argument(type_, op.location) for type_ in types]
    for old, place in zip(list(after.arguments), places, strict=False):
        old.replace_all_uses_with(arguments[place])
    for old, place in zip(op.results, places, strict=True):
        old.replace_all_uses_with(loop.results[place])
    for _ in places:
        after.erase_argument(0)
    for block, region in zip((before, after), loop.regions, strict=True):
        block.append_to(region)
    op.erase()
    return loop


def _is_static_tensor(value: Any) -> bool:
    return isinstance(value.type, ir.RankedTensorType) and value.type.has_static_shape


def _undefined(before: Any, like: Any) -> Any:
    with before.location, ir.InsertionPoint(before):
        return tensor.EmptyOp(list(shape_of(like.type)), element_of(like)).result


def _copy(before: Any, source: Any, target: Any) -> Any:
    maps = identity(len(shape_of(source.type)))
    with before.location, ir.InsertionPoint(before):
        return generic([(source, maps)], [(target, maps)], [PARALLEL] * maps.n_dims, lambda new, _: new).results[0]
