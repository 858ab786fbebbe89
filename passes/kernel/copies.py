"""Copies that bufferization leaves: of a buffer to itself, to an output at the end, of what was only just computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import element_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.kernel.aliases import root_of, terminator_of
from tfmbs.passes.kernel.runs import nested

_STILL = frozenset({"affine", "arith", "math"})


def drop_copies(function: Any) -> None:
    """Drops the copies of a function on memrefs that can be spared."""
    _drop_idle_copies(function)
    _write_results_directly(function)
    for block in _blocks(function.operation):
        while _fuse_one(block):
            pass


def _drop_idle_copies(function: Any) -> None:
    """Those of a buffer to itself, which `copy_back` makes of what upstream then updates in place."""
    for found in ops_where(function, lambda op: op.operation.name == "linalg.generic"):
        pair = _copied(found.operation)
        if pair is not None and pair[0] == pair[1]:
            found.operation.erase()


def _write_results_directly(function: Any) -> None:
    """Those of a buffer to an output at the end of its life: the buffer is the output then."""
    ops = [op.operation for op in function.entry_block.operations]  # no dict: the hash of an op changes with it
    outputs = set(function.entry_block.arguments)
    obsolete = []
    for op in ops:
        pair = _copied(op)
        if pair is None or pair[1] not in outputs or len(list(pair[1].uses)) != 1:
            continue
        source, target = pair
        if not _is_buffer(source) or source.type != target.type:
            continue
        if all(ops.index(_top(use.owner, function)) <= ops.index(op) for use in _uses(source)):
            source.replace_all_uses_with(target)
            obsolete.append(op)
    for op in obsolete:
        op.erase()


def _fuse_one(block: Any) -> bool:
    """Lets a structured op write the copy of its result as well, or instead, where that copy follows it in a block."""
    ops = [op.operation for op in block.operations]
    for index, op in enumerate(ops):
        pair = _copied(op)
        producer = None if pair is None else _producer(ops[:index], *pair)
        if pair is not None and producer is not None:
            _fuse(producer, op, *pair)
            return True
    return False


def _producer(before: Sequence[Any], source: Any, target: Any) -> Any:
    """The op without reductions that wrote all of `source`, does not touch `target`, and may as well run at the end."""
    later: list[Any] = []
    for op in reversed(before):
        if op.name in VIEWS or op.name.split(".", maxsplit=1)[0] in _STILL:
            continue
        if op.name not in ("linalg.generic", "memref.load"):
            return None
        if op.name == "memref.load" or source not in list(op.opview.outputs):
            later.append(op)
            continue
        if any("reduction" in str(kind) for kind in op.attributes["iterator_types"]):
            return None
        written = _map_of(op, source)
        apart = root_of(target) not in _touched(op) and all(_may_change_places(op, other) for other in later)
        return op if apart and written.is_permutation and written.n_dims == len(written.results) else None
    return None


def _may_change_places(op: Any, later: Any) -> bool:
    """Whether it is the same which of two ops comes first: neither writes what the other touches."""
    return not (_written(op) & _touched(later) or _written(later) & _touched(op))


def _touched(op: Any) -> set[Any]:
    """The buffers that an op reads or writes."""
    return {root_of(v) for inner in nested(op) for v in inner.operands if isinstance(v.type, ir.MemRefType)}


def _written(op: Any) -> set[Any]:
    """Those that it writes."""
    return set() if op.name == "memref.load" else {root_of(value) for value in op.opview.outputs}


def _map_of(op: Any, output: Any) -> Any:
    """The indexing map of an output of a structured op."""
    position = [*op.operands].index(output, len(op.operands) - len(op.opview.outputs))
    return op.attributes["indexing_maps"][position].value


def _fuse(producer: Any, copy: Any, source: Any, target: Any) -> None:
    """Puts an op that writes `target` too in place of the copy; one that writes nothing else where nothing reads it."""
    block = producer.regions[0].blocks[0]
    outputs = list(producer.opview.outputs)
    number = outputs.index(source)
    position = len(producer.operands) - len(outputs) + number
    maps, operands = list(producer.attributes["indexing_maps"]), list(producer.operands)
    yielded = terminator_of(block).operands[number]
    instead = not list(block.arguments[position].uses) and _is_forgotten(source, copy)
    if instead:
        operands[position] = target
    else:
        operands.append(target)
        maps.append(maps[position])
    attributes = {name: producer.attributes[name] for name in producer.attributes}
    attributes["indexing_maps"] = ir.ArrayAttr.get(maps)
    inputs = len(producer.operands) - len(outputs)
    attributes["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get([inputs, len(operands) - inputs])
    with producer.location, ir.InsertionPoint(copy):
        built = ir.Operation.create("linalg.generic", operands=operands, attributes=attributes, regions=1)
    block.append_to(built.regions[0])
    if not instead:
        block.add_argument(element_of(target), producer.location)
        terminator = terminator_of(block)
        with terminator.location, ir.InsertionPoint(terminator):
            ir.Operation.create("linalg.yield", operands=[*terminator.operands, yielded])
        terminator.erase()
    producer.erase()
    copy.erase()


def _is_forgotten(buffer: Any, copy: Any) -> bool:
    """Whether nobody reads a buffer as `copy` leaves it, neither in the rest of its block nor when that runs again."""
    if not _is_buffer(buffer):
        return False
    ops = [op.operation for op in copy.block.operations]
    places = [ops.index(use.owner) if use.owner in ops else len(ops) for use in buffer.uses]
    if max(places) > ops.index(copy) or any(ops[place].name != "linalg.generic" for place in places):
        return False
    return copy.parent.name == "func.func" or _overwrites(ops[min(places)], buffer)


def _overwrites(op: Any, buffer: Any) -> bool:
    """Whether a structured op writes all of a buffer and reads nothing of it."""
    if list(op.operands).count(buffer) != 1 or buffer not in list(op.opview.outputs):
        return False
    position, written = list(op.operands).index(buffer), _map_of(op, buffer)
    is_whole = written.is_permutation and written.n_dims == len(written.results)
    return is_whole and not list(op.regions[0].blocks[0].arguments[position].uses)


def _copied(op: Any) -> tuple[Any, Any] | None:
    """Source and target of a `linalg.generic` that only copies a whole memref."""
    if op.name != "linalg.generic" or len(op.operands) != 2:
        return None
    block = op.regions[0].blocks[0]
    maps = [attribute.value for attribute in op.attributes["indexing_maps"]]
    only_copies = len(block.operations) == 1 and block.operations[0].operation.operands[0] == block.arguments[0]
    if not only_copies or any(affine_map != ir.AffineMap.get_identity(affine_map.n_dims) for affine_map in maps):
        return None
    return op.operands[0], op.operands[1]


def _is_buffer(value: Any) -> bool:
    return not isinstance(value.owner, ir.Block) and bool(value.owner.name == "memref.alloc")


def _uses(value: Any) -> Sequence[Any]:
    """Uses of a buffer, through views and block arguments that are the same buffer too."""
    found = list(value.uses)
    for use in list(found):
        for result in use.owner.results:
            if isinstance(result.type, ir.MemRefType):
                found += _uses(result)
    return found


def _top(op: Any, function: Any) -> Any:
    """The op of the function's block that is or contains `op`."""
    operation = op.operation
    while operation.parent != function.operation:
        operation = operation.parent
    return operation


def _blocks(op: Any) -> Iterator[Any]:
    """The blocks of control flow in an op, and its own."""
    for region in op.regions:
        for block in region.blocks:
            yield block
            for inner in block.operations:
                if inner.operation.name != "linalg.generic":
                    yield from _blocks(inner.operation)
