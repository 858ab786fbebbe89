"""Tensor steps that move data: slices, insertions, padding, concatenation, reshapes, transpositions, fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.siw.body import constant_array, constant_text
from tests.siw.meaning import Doubt
from tests.siw.program import Step, Writer, join
from tests.siw.values import DTYPE_OF, Array, Type


@dataclass(frozen=True)
class Region:
    """Offsets, sizes and steps of a slice. An offset of -1 is the next scalar operand, of type index."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    def text(self, scalars: Sequence[str]) -> str:
        """As MLIR writes it."""
        left = list(scalars)
        offsets = [left.pop(0) if offset == -1 else offset for offset in self.offsets]
        return f"[{join(offsets)}] [{join(self.sizes)}] [{join(self.steps)}]"

    def slices(self, scalars: Sequence[Array]) -> tuple[slice, ...]:
        """As numpy writes it."""
        left = [int(value) for value in scalars]
        offsets = [left.pop(0) if offset == -1 else offset for offset in self.offsets]
        return tuple(
            slice(offset, offset + (size - 1) * step + 1, step)
            for offset, size, step in zip(offsets, self.sizes, self.steps, strict=True)
        )


@dataclass(frozen=True)
class Extract(Step):
    """tensor.extract_slice; the result may lack dimensions of size one."""

    region: Region

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        text = f"tensor.extract_slice {names[0]}{self.region.text(names[1:])} : {types[0]} to {self.results[0]}"
        return [out.assign(text)]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return [values[0][self.region.slices(values[1:])].reshape(self.results[0].sizes)]


@dataclass(frozen=True)
class Insert(Step):
    """tensor.insert_slice of the first operand into the second."""

    region: Region

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        region = self.region.text(names[2:])
        return [out.assign(f"tensor.insert_slice {names[0]} into {names[1]}{region} : {types[0]} into {types[1]}")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        result = values[1].copy()
        result[self.region.slices(values[2:])] = values[0].reshape(self.region.sizes)
        return [result]


@dataclass(frozen=True)
class Pad(Step):
    """tensor.pad with a constant."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    bits: int

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        element = types[0].element
        result = out.fresh()
        filler = out.assign(f"arith.constant {constant_text(element, self.bits)}")
        arguments = join(f"{out.fresh()}: index" for _ in self.low)
        out.line(f"{result} = tensor.pad {names[0]} low[{join(self.low)}] high[{join(self.high)}] {{")
        out.line(f"^bb0({arguments}):")
        out.line(f"  tensor.yield {filler} : {element}")
        out.line(f"}} : {types[0]} to {self.results[0]}")
        return [result]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        type_ = self.results[0]
        result = np.full(type_.sizes, constant_array(type_.element, self.bits), DTYPE_OF[type_.element])
        result[tuple(slice(low, low + size) for low, size in zip(self.low, values[0].shape, strict=True))] = values[0]
        return [result]


@dataclass(frozen=True)
class Concat(Step):
    """tensor.concat along an axis."""

    axis: int

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        text = f"tensor.concat dim({self.axis}) {join(names)} : ({join(types)}) -> {self.results[0]}"
        return [out.assign(text)]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return [np.concatenate(values, self.axis)]


@dataclass(frozen=True)
class Reshape(Step):
    """tensor.collapse_shape or expand_shape; `groups` are dimensions of the larger rank."""

    groups: tuple[tuple[int, ...], ...]

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        groups, result = f"[{join(f'[{join(group)}]' for group in self.groups)}]", self.results[0]
        expands = len(result.sizes) > len(types[0].sizes)
        sizes = f" output_shape [{join(result.sizes)}]" if expands else ""
        name = "expand_shape" if expands else "collapse_shape"
        return [out.assign(f"tensor.{name} {names[0]} {groups}{sizes} : {types[0]} into {result}")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return [values[0].reshape(self.results[0].sizes)]


@dataclass(frozen=True)
class Transpose(Step):
    """linalg.transpose."""

    permutation: tuple[int, ...]

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        result = self.results[0]
        empty = out.assign(f"tensor.empty() : {result}")
        name = out.fresh()
        permutation = f"permutation = [{join(self.permutation)}]"
        out.line(f"{name} = linalg.transpose ins({names[0]} : {types[0]}) outs({empty} : {result}) {permutation}")
        return [name]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return [values[0].transpose(self.permutation)]


@dataclass(frozen=True)
class Fill(Step):
    """linalg.fill of an empty tensor, with a constant or with the one operand; `bits` of None: left empty."""

    bits: int | None

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        type_ = self.results[0]
        empty = out.assign(f"tensor.empty() : {type_}")
        if self.bits is None and not names:
            return [empty]
        value = names[0] if names else out.assign(f"arith.constant {constant_text(type_.element, self.bits or 0)}")
        return [out.assign(f"linalg.fill ins({value} : {type_.element}) outs({empty} : {type_}) -> {type_}")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        type_ = self.results[0]
        value = values[0] if values else constant_array(type_.element, self.bits or 0)
        return [np.full(type_.sizes, value, DTYPE_OF[type_.element])]
