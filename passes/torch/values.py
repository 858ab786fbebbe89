"""Reading the torch level: constant operands, literals, and casts between torch's value tensors and builtin tensors."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import read_elements, resource_attr

_VTENSOR = re.compile(r"!torch\.vtensor<\[([0-9,]*)\],(\w+)>")


BYTES = {"f64": 8, "si64": 8, "f32": 4, "si32": 4, "f16": 2, "bf16": 2, "si16": 2, "si8": 1, "ui8": 1, "i1": 1}
"""Bytes of an element, by what torch-mlir calls its type."""


class NotConvertedError(Exception):
    """An op that no tfmbs op can say, and why; it stays as it is."""


class NotConstantError(NotConvertedError):
    """An operand that must be known at compile time is not."""


def shape(value: Any) -> tuple[int, ...]:
    """Static shape of a torch value tensor. Raises NotConstantError where a size is unknown."""
    return _parts(value)[0]


def is_f32(value: Any) -> bool:
    """Whether a torch value is a statically shaped tensor of f32."""
    match = _VTENSOR.fullmatch(str(value.type))
    return match is not None and match[2] == "f32"


def element(value: Any) -> str:
    """How a torch value's type calls its elements."""
    match = re.search(r"([\w<>]+)>$", str(value.type))
    return match[1] if match else str(value.type)


def bytes_of(value: Any) -> int:
    """Bytes of the elements of a torch value tensor. Raises KeyError for elements without a size of their own."""
    return math.prod(shape(value)) * BYTES[element(value)]


def is_narrow(value: Any) -> bool:
    """Whether a torch value is a statically shaped tensor of f16 or bf16."""
    return _VTENSOR.fullmatch(str(value.type)) is not None and element(value) in ("f16", "bf16")


def with_element(value: Any, name: str) -> Any:
    """The type of a torch value tensor, with another element type."""
    return ir.Type.parse(f"!torch.vtensor<[{','.join(map(str, shape(value)))}],{name}>")


def _parts(value: Any) -> tuple[tuple[int, ...], str]:
    match = _VTENSOR.fullmatch(str(value.type))
    if match is None:
        raise NotConstantError(f"type {value.type}")
    return tuple(int(size) for size in match[1].split(",") if size), match[2]


def is_none(value: Any) -> bool:
    """Whether an optional operand is absent."""
    return bool(str(value.type) == "!torch.none")


def integer(value: Any) -> int:
    """Value of a `torch.constant.int`."""
    return int(_constant(value, "torch.constant.int"))


def number(value: Any) -> float:
    """Value of a `torch.constant.float` or `torch.constant.int`."""
    return float(_constant(value, "torch.constant.float", "torch.constant.int"))


def boolean(value: Any) -> bool:
    """Value of a `torch.constant.bool`."""
    return bool(_constant(value, "torch.constant.bool"))


def string(value: Any) -> str:
    """Value of a `torch.constant.str`."""
    return str(_constant(value, "torch.constant.str"))


def integers(value: Any) -> tuple[int, ...]:
    """Value of a list of constant integers."""
    op = _defining(value, "torch.prim.ListConstruct")
    return tuple(integer(item) for item in op.operands)


def each(value: Any, count: int) -> tuple[int, ...]:
    """Value of a list of `count` constant integers. Raises NotConstantError for a list of another length."""
    items = integers(value)
    if len(items) != count:
        raise NotConstantError(f"{len(items)} integers, expected {count}")
    return items


def defining_op(value: Any, name: str) -> Any:
    """The op called `name` that defines `value`, or None."""
    owner = value.owner
    return owner if isinstance(owner, (ir.Operation, ir.OpView)) and owner.operation.name == name else None


def literal(value: Any) -> np.ndarray | None:
    """Elements of a `torch.vtensor.literal`, or None for any other value."""
    op = defining_op(value, "torch.vtensor.literal")
    return None if op is None else read_elements(op.attributes["value"])


def _defining(value: Any, *names: str) -> Any:
    for name in names:
        if (op := defining_op(value, name)) is not None:
            return op
    raise NotConstantError(f"expected {' or '.join(names)}")


def _constant(value: Any, *names: str) -> Any:
    return _defining(value, *names).attributes["value"].value


def label(value: Any) -> str:
    """The name of a literal, from its location."""
    location = value.owner.location
    return str(location.name_str) if isinstance(location, ir.NameLoc) else "weight"


def to_builtin(value: Any) -> Any:
    """A torch value tensor as a builtin tensor; an f32 literal as a constant: torch-mlir would inline a resource."""
    array = literal(value)
    if array is not None and array.dtype == np.float32:
        return constant(array, label(value))
    sizes, element = _parts(value)
    element = re.sub(r"^[su]i", "i", element)
    target = ir.RankedTensorType.get(sizes, ir.Type.parse(element))
    return ir.Operation.create("torch_c.to_builtin_tensor", results=[target], operands=[value]).results[0]


def literal_of(array: np.ndarray, name: str, like: Any) -> Any:
    """A `torch.vtensor.literal` of f32 elements, of the torch type `like`."""
    with ir.Location.name(name):
        value = {"value": resource_attr(array.astype(np.float32), name)}
        return ir.Operation.create("torch.vtensor.literal", results=[like], attributes=value).results[0]


def from_builtin(value: Any, like: Any) -> Any:
    """A builtin tensor as a torch value tensor of the type of `like`."""
    return as_torch(value, like.type)


def as_torch(value: Any, type_: Any) -> Any:
    """A builtin tensor as a torch value tensor."""
    return ir.Operation.create("torch_c.from_builtin_tensor", results=[type_], operands=[value]).results[0]


def constant(array: np.ndarray, name: str) -> Any:
    """An `arith.constant` of f32 elements; anything but a small one is a resource."""
    return arith.ConstantOp(ir.RankedTensorType.get(array.shape, ir.F32Type.get()), resource_attr(array, name)).result
