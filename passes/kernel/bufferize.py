"""From tensors to buffers: walks one function, remembers where each tensor lives, and decides where results go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfmbs.dialect.attributes import OUTPUT, STATE
from tfmbs.dialect.kernel import dense_strides
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func, ir
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.kernel.buffers import Buffers, View, stored_memref
from tfmbs.passes.kernel.outline import boundary_type, outline
from tfmbs.passes.kernel.permutations import inverse, permutation, takes_strides
from tfmbs.passes.kernel.programs import place_code
from tfmbs.passes.kernel.runs import Run, runs
from tfmbs.passes.kernel.states import states_of
from tfmbs.passes.kernel.upstream import to_memrefs
from tfmbs.runtime.abi.errors import TfmbsError

Rule = Callable[["Bufferizer", Any], None]

RESHAPES = frozenset({"tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "quant.scast"})
MOVES_ALL_OPERANDS = RESHAPES | {"tensor.concat"}


def refused(op: Any, what: str, expected: object = None, got: object = None) -> TfmbsError:
    """The error for a graph op without a kernel-level form."""
    return TfmbsError("unsupported", place(op.operation.location), what, expected, got)


def static_type(op: Any, type_: Any, empty: bool = False) -> Any:
    """A tensor type of static shape, with elements unless `empty`. Raises TfmbsError for any other type."""
    if not isinstance(type_, ir.RankedTensorType):
        raise refused(op, f"{op.operation.name}: type", "a tensor", type_)
    if not type_.has_static_shape:
        raise refused(op, f"{op.operation.name}: shape", "static sizes", type_)
    if 0 in shape_of(type_) and not empty:
        raise refused(op, f"{op.operation.name}: shape", "sizes of at least 1", type_)
    return type_


class Bufferizer:
    """The kernel-level function in the making. Rules read `view`, ask for a `destination` and `place` results."""

    def __init__(self, function: Any, rules: Mapping[str, Rule]) -> None:
        self.buffers = Buffers()
        self.scalars: dict[Any, Any] = {}
        self._function = function
        self._rules = rules
        self._ops = [op.operation for op in function.entry_block.operations]
        self._index = {op: index for index, op in enumerate(self._ops)}
        self._runs = runs(self._ops[:-1], rules)
        self._in_runs = {op for run in self._runs.values() for op in run.ops}
        self._views: dict[Any, View] = {}
        self._tensors_of: dict[Any, list[Any]] = {}  # root memref -> tensors that live in it
        self._constants: dict[Any, Callable[[], View]] = {}
        self._hints: dict[Any, View] = {}
        self._writable: set[Any] = set()

    # --- what rules use ---

    def view(self, tensor: Any) -> View:
        """Where a tensor lives. Constants get their memory at first use."""
        if tensor not in self._views and tensor in self._constants:
            self.place(tensor, self._constants[tensor]())
        if tensor not in self._views:
            raise refused(tensor.owner, f"a value of type {tensor.type}", "a tensor in memory")
        return self._views[tensor]

    def dense(self, tensor: Any) -> Any:
        """The memref of a tensor, dense and row-major; strided ones are copied."""
        return self.buffers.value(self.buffers.dense(self.view(tensor)))

    def place(self, tensor: Any, view: View) -> None:
        """A tensor lives there."""
        self._views[tensor] = view
        self._tensors_of.setdefault(view.root, []).append(tensor)

    def place_constant(self, tensor: Any, make: Callable[[], View]) -> None:
        """A tensor lives where `make` puts it when it is first used."""
        self._constants[tensor] = make

    def destination(self, tensor: Any) -> View:
        """Uninitialised memory for a result: an output when it ends there, else a new buffer."""
        if tensor in self._hints:
            return self._hints[tensor]
        view = self.buffers.alloc(stored_memref(static_type(tensor.owner, boundary_type(tensor.type))))
        self._writable.add(view.root)
        return view

    def destination_beside(self, tensor: Any) -> View:
        """`destination`; where a concatenation is all that reads `tensor`, its place there, whatever its strides."""
        uses = list(tensor.uses)
        user = uses[0].owner.operation if len(uses) == 1 and tensor not in self._hints else None
        if user is None or user.name != "tensor.concat" or user not in self._index or user in self._in_runs:
            return self.destination(tensor)
        static_type(tensor.owner, boundary_type(tensor.type))  # nothing empty has a place
        whole = self.destination(user.results[0])
        self._hints[user.results[0]] = whole
        part: int = uses[0].operand_number
        return concatenated(user, whole)[part]

    def destination_in(self, tensor: Any, fits: Callable[[Shape, Sequence[int]], bool]) -> View:
        """`destination`; where a permutation is all that reads `tensor`, as that wants it, if shape and strides fit.

        The permutation is no copy then. Its own destination must hold nothing: what is computed there, though nobody
        reads it, may be written behind the tensor.
        """
        uses = list(tensor.uses)
        if len(uses) != 1 or tensor in self._hints:
            return self.destination(tensor)
        user = uses[0].owner.operation
        order = permutation(user) if user in self._index and user not in self._in_runs else None
        if order is None or not self.is_undefined(user.operands[1]):
            return self.destination(tensor)
        (result,), back = user.results, inverse(order)
        shape = shape_of(result.type)
        wanted = [tuple(each[dim] for dim in back) for each in (shape, dense_strides(shape))]
        return self.destination(result).permuted(back) if fits(*wanted) else self.destination(tensor)

    def permuted(self, op: Any) -> View | None:
        """Where the result of a permutation is without a copy; None for other ops, and where it takes one."""
        order = permutation(op)
        if order is None:
            return None
        (result,), source = op.results, self.view(op.operands[0])
        if source.shape != shape_of(op.operands[0].type):  # packed
            return None
        view = source.permuted(order)
        if result in self._hints:
            return view if view == self._hints[result] else None
        return view if view.is_dense or takes_strides(result) else None

    def updated(self, result: Any, init: Any, op: Any, others: tuple[Any, ...] = ()) -> View:
        """Memory for `result` that holds `init`: that of `init` itself where nothing else needs it, else a copy.

        `others` are further tensors that the update reads.
        """
        source = self.view(init)
        if self._is_dead_after(source, op) and not any(self._shares(other, source) for other in others):
            return source
        target = self.destination(result)
        self.buffers.copy(source, target)
        return target

    def is_undefined(self, tensor: Any) -> bool:
        """Whether a tensor's elements mean nothing: an empty one, and what only moves elements of such."""
        owner = tensor.owner
        if isinstance(owner, ir.Block):
            return False
        if owner.name in MOVES_ALL_OPERANDS:
            return all(self.is_undefined(operand) for operand in owner.operands)
        return owner.name == "tensor.empty" or (
            owner.name == "tensor.extract_slice" and self.is_undefined(owner.operands[0])
        )

    # --- the walk ---

    def run(self) -> None:
        """Builds the new function in front of the old one, and erases that."""
        with self._function.location:
            self._run()

    def _run(self) -> None:
        states = states_of(self._function)
        inputs = [stored_memref(static_type(self._function, t, empty=True)) for t in self._function.type.inputs]
        returned = [stored_memref(static_type(self._function, t, empty=True)) for t in self._function.type.results]
        outputs = [type_ for number, type_ in enumerate(returned) if number not in states]
        with ir.InsertionPoint(self._function):
            built = func.FuncOp(f"{self._function.name.value}.kernel", ([*inputs, *outputs], []))
        block = built.add_entry_block(arg_locs=[self._function.location] * (len(inputs) + len(outputs)))
        arguments = list(block.arguments)
        for tensor, root in zip(self._function.arguments, arguments, strict=False):
            self.place(tensor, self.buffers.whole(root))
        places = iter(arguments[len(inputs) :])
        roots = [arguments[states[n]] if n in states else next(places) for n in range(len(returned))]
        results = [self.buffers.whole(root) for root in roots]
        self._writable.update(arguments[number] for number in states.values())
        self._plan_destinations([None if n in states else view for n, view in enumerate(results)])
        for op in self._ops[:-1]:
            with ir.InsertionPoint(block), op.location:
                if op in self._runs:
                    self._convert_run(self._runs[op])
                elif op not in self._in_runs:
                    self._convert(op)
        with ir.InsertionPoint(block), self._ops[-1].location:
            self._finish(list(zip(self._ops[-1].operands, results, strict=True)), states)
            func.ReturnOp([])
        for constant in [op.operation for op in block.operations if op.operation.name == "arith.constant"]:
            if not list(constant.results[0].uses):
                constant.erase()
        _carry_attributes(self._function, built)
        name = self._function.attributes["sym_name"]
        self._function.erase()
        built.attributes["sym_name"] = name

    def _convert(self, op: Any) -> None:
        if len(op.results) == 1 and self.is_undefined(op.results[0]):
            self.place_constant(op.results[0], lambda: self.destination(op.results[0]))
            return
        rule = self._rules.get(op.name)
        if rule is None:
            raise refused(op, f"{op.name} has no kernel-level form")
        rule(self, op)

    def _convert_run(self, run: Run) -> None:
        """Upstream's code for a run; it updates in place what nothing else needs. Strided tensors enter as copies."""
        views = [self._plain(tensor) for tensor in run.inputs]
        writable = [
            tensor for tensor, view in zip(run.inputs, views, strict=True) if self._may_change(view, run, views)
        ]
        outlined = to_memrefs(lambda: outline(run, writable))
        places = [
            views[outlined.kept[number]] if number in outlined.kept else self._apart(tensor, views)
            for number, tensor in enumerate(run.outputs)
        ]
        outputs = [view for number, view in enumerate(places) if number not in outlined.kept]
        place_code(outlined, [self.buffers.value(view) for view in (*views, *outputs)], self.buffers)
        for tensor, view in zip(run.outputs, places, strict=True):
            self.place(tensor, view)

    def _apart(self, tensor: Any, views: Sequence[View]) -> View:
        """Memory for a result that is no part of the inputs': an output may hold one of these up to now."""
        target = self.destination(tensor)
        if all(view.root != target.root for view in views):
            return target
        fresh = self.buffers.alloc(stored_memref(static_type(tensor.owner, boundary_type(tensor.type))))
        self._writable.add(fresh.root)
        return fresh

    def _may_change(self, view: View, run: Run, views: Sequence[View]) -> bool:
        """Whether a run may write an input: nothing else is in its buffer that is needed then or later."""
        if view.root not in self._tensors_of:
            return True  # a copy
        alone = sum(other.root == view.root for other in views) == 1
        return alone and self._is_dead_after(view, run.ops[-1])

    def _plain(self, tensor: Any) -> View:
        """A tensor's elements without offset and strides, which upstream's code expects; copied where they have any."""
        view = self.view(tensor)
        if view.offset or not view.is_dense:
            copy = self.buffers.alloc(ir.MemRefType.get(list(view.shape), view.element))
            self.buffers.copy(view, copy)
            return copy
        return view.reshaped(view.shape)  # whatever the strides of sizes of 1 were

    def _finish(self, ends: Sequence[tuple[Any, View]], states: Mapping[int, int]) -> None:
        """Copies what is returned to where it is to be: outputs first, as long as states are what they were."""
        moves = [(n, self.view(tensor), target) for n, (tensor, target) in enumerate(ends) if 0 not in target.shape]
        for number, source, target in moves:
            if number not in states and source.root != target.root:
                self.buffers.copy(source, target)
        new_states = [(source, target) for number, source, target in moves if number in states]
        roots = {target.root for _, target in new_states}
        staged = [(self._staged(source, target, roots), target) for source, target in new_states]
        for source, target in staged:
            self.buffers.copy(source, target)

    def _staged(self, source: View, target: View, states: set[Any]) -> View:
        """A copy of a new state that is a part of another one, or of itself, which may be overwritten before."""
        if source == target or source.root not in states:
            return source
        copy = self.buffers.alloc(ir.MemRefType.get(list(source.shape), source.element))
        self.buffers.copy(source, copy)
        return copy

    def _plan_destinations(self, results: Sequence[View | None]) -> None:
        """Which tensors are made in an output: those returned, and those that only become one of these.

        None of `results` is a state, which must stay what it was while anything still reads it.
        """
        for tensor, target in zip(self._ops[-1].operands, results, strict=True):
            if target is not None and tensor not in self._hints:
                self._hints[tensor] = target
                self._writable.add(target.root)
        for op in reversed(self._ops[:-1]):
            for tensor, source in _becomes(op):
                if tensor in self._hints and source not in self._hints and len(list(source.uses)) == 1:
                    self._hints[source] = self._hints[tensor].reshaped(stored_memref_shape(source))

    def _is_dead_after(self, view: View, op: Any) -> bool:
        now = self._index[op.operation]
        users = (use.owner for tensor in self._tensors_of[view.root] for use in tensor.uses)
        last = max((self._position(user) for user in users), default=now)
        return view.root in self._writable and last <= now

    def _position(self, user: Any) -> int:
        """Where in the function an op is, or the op that it is a part of."""
        operation = user.operation
        while operation not in self._index:
            operation = operation.parent.operation
        return self._index[operation]

    def _shares(self, tensor: Any, view: View) -> bool:
        return tensor in self._views and self._views[tensor].root == view.root


def concatenated(op: Any, target: View) -> list[View]:
    """Where the operands of a concatenation are in its result."""
    axis, start, parts = op.attributes["dim"].value, 0, []
    for operand in op.operands:
        shape = stored_memref_shape(operand)
        offsets = [start if d == axis else 0 for d in range(len(shape))]
        parts.append(target.sliced(offsets, shape, [1] * len(shape)))
        start += shape[axis]
    return parts


def stored_memref_shape(tensor: Any) -> tuple[int, ...]:
    """Shape of the stored elements of a tensor."""
    return shape_of(stored_memref(tensor.type))


def _becomes(op: Any) -> list[tuple[Any, Any]]:
    """(result, operand) pairs of an op where the result takes over the operand's memory."""
    if op.name in RESHAPES:
        return [(op.results[0], op.operands[0])]
    if op.name in ("linalg.generic", "linalg.fill") and len(op.results):
        return list(zip(op.results, list(op.operands)[-len(op.results) :], strict=True))
    if op.name in ("tensor.insert", "tensor.insert_slice"):
        return [(op.results[0], op.operands[1])]
    if op.name == "scf.for":
        pairs = zip(op.results, list(op.operands)[3:], strict=True)
        return [(result, init) for result, init in pairs if isinstance(result.type, ir.RankedTensorType)]
    return []


def _carry_attributes(old: Any, new: Any) -> None:
    """Argument attributes, those of results on the appended arguments; discardable ones of the function."""
    empty = ir.DictAttr.get({})
    inputs = list(old.arg_attrs) if "arg_attrs" in old.attributes else [empty] * len(old.type.inputs)
    outputs = list(old.attributes["res_attrs"]) if "res_attrs" in old.attributes else [empty] * len(old.type.results)
    marked = [
        ir.DictAttr.get({**{a.name: a.attr for a in attrs}, OUTPUT: ir.UnitAttr.get()})
        for attrs in outputs
        if STATE not in attrs
    ]
    new.attributes["arg_attrs"] = ir.ArrayAttr.get([*inputs, *marked])
    for name in old.attributes:
        if name not in ("sym_name", "function_type", "arg_attrs", "res_attrs"):
            new.attributes[name] = old.attributes[name]
