"""The byte reference: a module lowered by upstream passes and compiled by LLVM in this process.

No contraction, no fast-math: `math.fma` is one rounding, everything else is as written. What the program means is
decided by `tfmbs-to-linalg`: the pass runs with `numerics=exact` first, unless it has been run on the module.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.small_floats import hide_small_floats
from tfmbs.dialect.attributes import NAME, OUTPUT, as_elements
from tfmbs.dialect.elements import declared_element
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, bufferization, execution_engine, func, ir, memref_descriptors, passmanager
from tfmbs.dialect.resources import numpy_dtype_of, read_resource
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.graph.kernels import ops_of, ops_where
from tfmbs.passes.linalg.formats import is_small
from tfmbs.passes.linalg.portable import INPUT_NAMES, OUTPUT_NAMES
from tfmbs.passes.linalg.structured import PARALLEL, generic, identity
from tfmbs.passes.tfmbs_to_linalg import TfmbsToLinalg
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DTYPES

Array = npt.NDArray[Any]

TO_ONE_FUNCTION = "inline,symbol-dce"
TO_GENERIC = "func.func(linalg-generalize-named-ops),canonicalize,cse"
TO_BUFFERS = (
    "one-shot-bufferize{bufferize-function-boundaries allow-return-allocs-from-loops "
    "function-boundary-type-conversion=identity-layout-map},"
    "buffer-results-to-out-params{hoist-static-allocs modify-public-functions}"
)
TO_LLVM = (
    "buffer-deallocation-pipeline,func.func(convert-linalg-to-loops),expand-strided-metadata,lower-affine,"
    "canonicalize,cse,convert-scf-to-cf,arith-expand,convert-math-to-llvm,convert-math-to-libm,convert-arith-to-llvm,"
    "convert-index-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,convert-ub-to-llvm,"
    "reconcile-unrealized-casts"
)


_LOWERED = ("llvm", "builtin")

LARGE_BYTES = 1 << 16  # constants of this size are passed to the compiled function


@dataclass(frozen=True)
class Slot:
    """One argument or result of the entry: its name, shape and dtype."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]


class Reference:
    """A compiled module. The entry is its one public function, on tensors, or on memrefs (inputs, then outputs).

    Names come from `tfmbs.name` attributes of arguments and results; `arg0…` and `result0…` where there are none.
    The module itself is not changed.
    """

    def __init__(self, module: Any, *, optimization: int = 2) -> None:
        copy = copy_module(module)
        with copy.context, ir.Location.unknown():
            TfmbsToLinalg().run(copy)
            if len(copy.body.operations) > 1:
                _run(copy, TO_ONE_FUNCTION)
            entry = entry_of(copy)
            self.name: str = entry.name.value
            self.inputs, self.outputs = _slots(entry)
            self._results = len(entry.type.results)
            self._constants = _hoist_constants(entry)
            hide_small_floats(copy)
            _prepare(entry)
            _run(copy, TO_GENERIC)
            _separate_results(entry)
            _run(copy, TO_BUFFERS)
            _copies_to_loops(copy)
            _run(copy, TO_LLVM)
            _check_lowered(copy)
            self._engine = _compiled(copy, optimization)

    def run(self, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
        """The outputs by name, for one array per input.

        Raises TfmbsError (`input.name`, `input.shape`, `input.dtype`) where `inputs` do not fit the entry.
        """
        if unknown := sorted(set(inputs) - {slot.name for slot in self.inputs}):
            expected = ", ".join(slot.name for slot in self.inputs)
            raise TfmbsError("input.name", self.name, "input that the module does not have", expected, unknown[0])
        arrays = [self._checked(slot, inputs) for slot in self.inputs]
        outputs = [np.empty(slot.shape, slot.dtype) for slot in self.outputs]
        written = len(outputs) - self._results  # outputs that are arguments come before the constants, results behind
        arguments = (*arrays, *outputs[:written], *self._constants, *outputs[written:])
        self._engine.invoke(self.name, *(_descriptor(array) for array in arguments))
        return {slot.name: array for slot, array in zip(self.outputs, outputs, strict=True)}

    def _checked(self, slot: Slot, inputs: Mapping[str, npt.ArrayLike]) -> Array:
        if slot.name not in inputs:
            raise TfmbsError("input.name", self.name, "missing input", slot.name)
        array = np.asarray(inputs[slot.name])
        if array.dtype != slot.dtype:
            raise TfmbsError("input.dtype", slot.name, "element type", slot.dtype, array.dtype)
        if array.shape != slot.shape:
            raise TfmbsError("input.shape", slot.name, "shape", slot.shape, array.shape)
        return np.ascontiguousarray(array)


def copy_module(module: Any) -> Any:
    """A module of its own that equals `module`, a module or its operation."""
    original = module.operation
    with original.context, original.location:
        copy = ir.Module.create()
        for name in original.attributes:
            copy.operation.attributes[name] = original.attributes[name]
        for op in original.regions[0].blocks[0].operations:
            copy.body.append(op.operation.clone())
    return copy


def entry_of(module: Any) -> Any:
    """The one public function of a module. Raises TfmbsError where there is another number of them."""
    functions = [op for op in module.body.operations if isinstance(op, func.FuncOp) and not op.is_external]
    public = [op for op in functions if "sym_visibility" not in op.attributes]
    if len(public) != 1:
        raise TfmbsError("unsupported", "module", "number of public functions", 1, len(public))
    return public[0]


def _hoist_constants(entry: Any) -> list[Array]:
    """Turns resources into arguments behind all others: LLVM would take long over large ones. Returns their arrays."""
    arrays = []
    block = entry.entry_block
    for op in ops_of(entry, arith.ConstantOp):
        value = as_elements(op.attributes["value"])
        if not isinstance(value, ir.DenseResourceElementsAttr):
            continue
        array = read_resource(value)
        if array.nbytes >= LARGE_BYTES or is_small(value.type.element_type):
            op.result.replace_all_uses_with(block.add_argument(value.type, op.operation.location))
            op.operation.erase()
            arrays.append(array)
    types = ir.FunctionType.get([argument.type for argument in block.arguments], list(entry.type.results))
    entry.attributes["function_type"] = ir.TypeAttr.get(types)
    if "arg_attrs" in entry.attributes:
        groups = [*entry.attributes["arg_attrs"], *[ir.DictAttr.get({})] * len(arrays)]
        entry.attributes["arg_attrs"] = ir.ArrayAttr.get(groups)
    return arrays


def _prepare(entry: Any) -> None:
    """Makes the entry callable from C, and its inputs read-only: they are the caller's arrays."""
    entry.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    groups = entry.attributes["arg_attrs"] if "arg_attrs" in entry.attributes else [{}] * len(entry.type.inputs)
    attributes = []
    for group, type_ in zip(groups, entry.type.inputs, strict=True):
        named = {a.name: a.attr for a in group} if group else {}
        if isinstance(type_, ir.RankedTensorType):
            named["bufferization.writable"] = ir.BoolAttr.get(False)
        attributes.append(ir.DictAttr.get(named))
    if attributes:
        entry.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)


def _separate_results(entry: Any) -> None:
    """Copies a tensor that is returned again: upstream's pass to output arguments crashes on it."""
    terminator = entry.entry_block.operations[len(entry.entry_block.operations) - 1].operation
    seen: set[Any] = set()
    for index, value in enumerate(terminator.operands):
        if value in seen and isinstance(value.type, ir.RankedTensorType):
            with ir.InsertionPoint(terminator):
                terminator.operands[index] = bufferization.AllocTensorOp(value.type, [], copy=value).result
        seen.add(value)


def _slots(entry: Any) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """Inputs and outputs of the entry; on memrefs, the arguments from the first `tfmbs.output` on are outputs."""
    arguments = _named(list(entry.type.inputs), entry, "arg_attrs", INPUT_NAMES, "arg")
    outputs = _named(list(entry.type.results), entry, "res_attrs", OUTPUT_NAMES, "result")
    groups = _groups(entry, "arg_attrs", len(arguments))
    first_output = next((i for i, group in enumerate(groups) if OUTPUT in group), len(arguments))
    return arguments[:first_output], (*arguments[first_output:], *outputs)


def _groups(entry: Any, key: str, count: int) -> list[Any]:
    """The attributes of each argument or result."""
    return list(entry.attributes[key]) if key in entry.attributes else [{}] * count


def _named(types: list[Any], entry: Any, key: str, listed: str, prefix: str) -> tuple[Slot, ...]:
    groups = _groups(entry, key, len(types))
    names = [group[NAME].value if NAME in group else f"{prefix}{i}" for i, group in enumerate(groups)]
    if listed in entry.attributes:
        names = [attribute.value for attribute in entry.attributes[listed]]
    for type_, name in zip(types, names, strict=True):
        if not isinstance(type_, ir.ShapedType) or not type_.has_static_shape:
            raise TfmbsError("unsupported", name, "type of an argument or result", "a tensor of static shape", type_)
    return tuple(
        Slot(name, shape_of(type_), _dtype(type_, group))
        for type_, name, group in zip(types, names, groups, strict=True)
    )


def _dtype(type_: Any, attributes: Any) -> np.dtype[Any]:
    declared = declared_element(attributes)
    return numpy_dtype_of(type_.element_type) if declared is None else np.dtype(DTYPES[declared[0]].array)


def _run(module: Any, pipeline: str) -> None:
    try:
        passmanager.PassManager.parse(f"builtin.module({pipeline})").run(module.operation)
    except ir.MLIRError as error:
        named = re.search(r'see current operation: .*?"([a-z_]+\.[\w.]+)"', str(error))
        what = f"the module cannot be interpreted: {named[1] if named else 'an op'} is not lowered by upstream"
        raise TfmbsError("unsupported", "byte reference", what, details=str(error)) from error


def _check_lowered(module: Any) -> None:
    """Refuses by name what upstream's passes left alone."""
    left: list[tuple[str, Any]] = []

    def visit(operation: Any) -> Any:
        if operation.name.partition(".")[0] not in _LOWERED:
            left.append((operation.name, operation.location))
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    if left:
        what = f"the module cannot be interpreted: {left[0][0]} has no LLVM form"
        raise TfmbsError("unsupported", place(left[0][1]), what)


def _compiled(module: Any, optimization: int) -> Any:
    try:
        return execution_engine()(module, opt_level=optimization)
    except RuntimeError as error:
        what = "the module cannot be interpreted: an op has no LLVM form"
        raise TfmbsError("unsupported", "byte reference", what, details=str(error)) from error


def _copies_to_loops(module: Any) -> None:
    """Replaces `memref.copy`, which would call a C library that is not there, by an elementwise op."""
    for op in ops_where(module, lambda op: op.operation.name == "memref.copy"):
        source, target = op.operation.operands
        rank = len(shape_of(source.type))
        with op.operation.location, ir.InsertionPoint(op):
            mapped = identity(rank)
            generic([(source, mapped)], [(target, mapped)], [PARALLEL] * rank, lambda x, _: x)
        op.operation.erase()


def _descriptor(array: Array) -> Any:
    """What a compiled function takes for a memref argument: a pointer to the pointer to its descriptor."""
    return ctypes.pointer(ctypes.pointer(memref_descriptors().get_ranked_memref_descriptor(array)))
