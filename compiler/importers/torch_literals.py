"""Tensors of a program as constants of the torch level: resources that refer to the tensors' own memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.runtime.abi.errors import At, TfmbsError

_FLOATS = {torch.float16: "f16", torch.float32: "f32", torch.float64: "f64", torch.bfloat16: "bf16"}
_INTEGERS = {
    torch.uint8: "ui8", torch.int8: "si8", torch.int16: "si16", torch.int32: "si32", torch.int64: "si64",
}  # fmt: skip


class Literals:
    """Hooks of torch-mlir's importer: each tensor becomes one resource, however often it is used."""

    def __init__(self, names: dict[int, str]) -> None:
        self._names = names
        self._attributes: dict[tuple[Any, ...], Any] = {}
        self._alive: list[torch.Tensor] = []

    def rename(self, names: dict[int, str]) -> None:
        """Sets the names of tensors, by their identity, for the next graph; resources are those of all graphs."""
        self._names = names

    def prepare_module(self, module: Any) -> None:
        """Nothing is to be done."""

    def resolve_literal(self, importer: Any, literal: Any, info: Any) -> Any:
        """The literal op of a tensor; None leaves anything else to the importer."""
        del importer, info
        if not isinstance(literal, torch.Tensor):
            return None
        name = self._names.get(id(literal), "constant")
        attribute = self._attribute(literal, name)
        sizes, element = ",".join(map(str, literal.shape)), str(attribute.type.element_type)
        result = ir.Type.parse(f"!torch.vtensor<[{sizes}],{element}>")
        with ir.Location.name(name):
            return ir.Operation.create(
                "torch.vtensor.literal", results=[result], attributes={"value": attribute}
            ).result

    def resolve_input(self, importer: Any, value: Any, info: Any) -> Any:
        """Everything is a literal or a placeholder."""
        del importer, value, info

    def _attribute(self, tensor: torch.Tensor, name: str) -> Any:
        # A sparse tensor or one of another device has no such key; `stored` refuses it by name.
        dense = tensor.layout is torch.strided
        place = (tensor.data_ptr(), tensor.stride()) if dense else (id(tensor),)
        key = (*place, tuple(tensor.shape), tensor.dtype, tensor.is_conj(), tensor.is_neg())
        if key not in self._attributes:
            at = At(name, "tensor", name)
            self._attributes[key] = resource_attr(stored(tensor, at), name, _element(tensor, at))
            self._alive.append(tensor)  # so that no other tensor gets its address
        return self._attributes[key]


def stored(tensor: torch.Tensor, where: object) -> np.ndarray:
    """The elements of a tensor in its own memory, read only; bf16 as its bits. What is not dense is copied.

    Raises:
        TfmbsError: ``torch.unsupported``, for a tensor that is not on the CPU, sparse or of a foreign element type.
    """
    if tensor.device.type != "cpu" or tensor.layout is not torch.strided:
        got = f"{tensor.layout} on {tensor.device}"
        raise TfmbsError("torch.unsupported", where, "kind of tensor", "a dense one on the CPU", got)
    dense = tensor.detach().resolve_conj().resolve_neg().contiguous()
    array = (dense.view(torch.uint16) if dense.dtype is torch.bfloat16 else dense).numpy()
    array.setflags(write=False)
    return array


def _element(tensor: torch.Tensor, where: object) -> Any:
    if tensor.dtype is torch.bool:
        return ir.IntegerType.get_signless(1)
    name = _FLOATS.get(tensor.dtype) or _INTEGERS.get(tensor.dtype)
    if name is None:
        raise TfmbsError("torch.unsupported", where, "element type of a tensor", "a real one", str(tensor.dtype))
    return ir.Type.parse(name)
