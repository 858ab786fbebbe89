"""ONNX types of values: the shape and element type of a tensor, and what a model declares beside what is inferred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, TypeProto, helper, numpy_helper

Shape = tuple[int, ...]


def tensor_type(element: int, shape: Sequence[int]) -> TypeProto:
    """The type of a tensor of `element` (a `TensorProto.DataType`) and static `shape`."""
    return helper.make_tensor_type_proto(element, list(shape))


def type_of_tensor(tensor: TensorProto) -> TypeProto:
    """The type of a constant."""
    return tensor_type(tensor.data_type, tensor.dims)


def type_of_array(array: np.ndarray) -> TypeProto:
    """The type of a value that is known."""
    return type_of_tensor(numpy_helper.from_array(array))


def static_shape(type_: TypeProto | None) -> Shape | None:
    """The shape of a tensor all of whose sizes are known; None for any other type."""
    if type_ is None or not type_.HasField("tensor_type") or not type_.tensor_type.HasField("shape"):
        return None
    dims = type_.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def filled(inferred: TypeProto, declared: TypeProto | None) -> TypeProto:
    """The inferred type with sizes that only the model's own declaration knows.

    Raises:
        ValueError: the two contradict each other in rank, a size or the element type.
    """
    if declared is None or not (inferred.HasField("tensor_type") and declared.HasField("tensor_type")):
        return inferred
    ours, theirs = inferred.tensor_type, declared.tensor_type
    if theirs.elem_type not in (TensorProto.UNDEFINED, ours.elem_type):
        raise ValueError(f"element type {_name(ours.elem_type)}, but {_name(theirs.elem_type)} is declared")
    if not theirs.HasField("shape"):
        return inferred
    result = TypeProto()
    result.CopyFrom(inferred)
    if not ours.HasField("shape"):
        result.tensor_type.shape.CopyFrom(theirs.shape)
        return result
    if len(ours.shape.dim) != len(theirs.shape.dim):
        raise ValueError(f"rank {len(ours.shape.dim)}, but {len(theirs.shape.dim)} is declared")
    for axis, (dim, other) in enumerate(zip(result.tensor_type.shape.dim, theirs.shape.dim, strict=True)):
        if not other.HasField("dim_value"):
            continue
        if dim.HasField("dim_value") and dim.dim_value != other.dim_value:
            raise ValueError(f"size {dim.dim_value} of axis {axis}, but {other.dim_value} is declared")
        dim.dim_value = other.dim_value
    return result


def _name(element: int) -> str:
    return str(TensorProto.DataType.Name(element)).lower()
