"""The arrays that a caller gives, checked against what an entry point takes and gives: names, shapes, element types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import BF16_EXTENSION
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.extensions import plain
from tfmbs.runtime.foreign import as_array, writable
from tfmbs.runtime.signature import Argument, Entry, Shape


def chosen(entries: Sequence[Entry], inputs: Mapping[str, npt.ArrayLike]) -> Entry:
    """The first of `entries` that takes inputs of these names and shapes; the only one, whatever it takes.

    Raises TfmbsError `input.shape`, with what each of them takes, and `input.name` where there is none.
    """
    if not entries:
        raise TfmbsError("input.name", "entry", "no such entry point", "none in this program")
    if len(entries) == 1 or not isinstance(inputs, Mapping):
        return entries[0]
    shapes = {name: as_array(name, value)[0].shape for name, value in inputs.items()}
    for entry in entries:
        if set(shapes) == {argument.name for argument in entry.inputs} and entry.located(_in_order(entry, shapes)):
            return entry
    raise TfmbsError("input.shape", "inputs", "shapes of an entry point", _takes(entries), _shapes(shapes))


def named(entries: Sequence[Entry], name: str | None) -> Entry:
    """The entry point of that name, by default the first. Raises TfmbsError `input.name`."""
    for entry in entries:
        if name is None or entry.name == name:
            return entry
    known = "/".join(entry.name for entry in entries) or "none in this program"
    raise TfmbsError("input.name", "entry", "no such entry point", known, name)


def in_order(entries: Sequence[Entry], arrays: Sequence[npt.ArrayLike]) -> dict[str, npt.ArrayLike]:
    """The arrays by the names of the inputs of the first of `entries` that takes these shapes in this order.

    Raises TfmbsError `input.name` where none takes so many.
    """
    alike = [entry for entry in entries if len(entry.inputs) == len(arrays)]
    if not alike:
        names = " or ".join(f"{len(e.inputs)} ({', '.join(a.name for a in e.inputs)})" for e in entries)
        raise TfmbsError("input.name", "inputs", "number of arrays", names, len(arrays))
    shapes = [as_array(f"number {i}", array)[0].shape for i, array in enumerate(arrays)] if len(alike) > 1 else []
    fitting = (entry for entry in alike if entry.located(shapes))
    entry = next(fitting, alike[0])
    return {argument.name: array for argument, array in zip(entry.inputs, arrays, strict=True)}


def _in_order(entry: Entry, shapes: Mapping[str, Shape]) -> list[Shape]:
    return [shapes[argument.name] for argument in entry.inputs]


def _takes(entries: Sequence[Entry]) -> str:
    return " or ".join(f"{entry.name} ({', '.join(map(_taken, entry.inputs)) or 'no input'})" for entry in entries)


def _taken(argument: Argument) -> str:
    """What an input takes: `x 2×(1…128)×64`."""
    return f"{argument.name} {_range(argument)}"


def _range(argument: Argument) -> str:
    ends = zip(argument.least or argument.shape, argument.shape, strict=True)
    return "×".join(str(low) if low == high else f"({low}…{high})" for low, high in ends) or "scalar"


def _shapes(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {_shape(shape)}" for name, shape in shapes.items()) or "no input"


def checked(entry: Entry, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """The inputs as arrays, in the order of the entry point.

    Raises TfmbsError `input.name`, `input.dtype`, `input.shape`.
    """
    if not isinstance(inputs, Mapping):
        raise TfmbsError("input.name", "inputs", "arrays by name", "a mapping", type(inputs).__name__)
    names = [argument.name for argument in entry.inputs]
    for name in inputs:
        if name not in names:
            raise TfmbsError("input.name", name, "no such input", "/".join(names) or "no input", name)
    arrays = {argument.name: _checked(argument, inputs) for argument in entry.inputs}
    if not entry.located([array.shape for array in arrays.values()]):
        given = {name: array.shape for name, array in arrays.items()}
        sizes = ", ".join(f"{size.name} {size.low}…{size.high}" for size in entry.sizes)
        expected = f"{', '.join(map(_taken, entry.inputs))} with one value each of {sizes}"
        raise TfmbsError("input.shape", "inputs", "shapes", expected, _shapes(given))
    return arrays


def _checked(argument: Argument, inputs: Mapping[str, npt.ArrayLike]) -> Array:
    name = argument.name
    if name not in inputs:
        raise TfmbsError("input.name", name, "an input is missing", name, "/".join(inputs) or "no input")
    array, is_bf16 = as_array(name, inputs[name])
    if is_bf16 and argument.extension != BF16_EXTENSION:
        raise TfmbsError("input.dtype", name, "element type", argument.dtype, BF16_EXTENSION)
    if array.dtype.name == argument.extension:
        array = plain(array)
    if array.dtype != argument.dtype:
        raise TfmbsError("input.dtype", name, "element type", argument.dtype, array.dtype)
    ends = argument.least or argument.shape, argument.shape
    if len(array.shape) != len(argument.shape) or not all(
        low <= size <= high for low, size, high in zip(ends[0], array.shape, ends[1], strict=True)
    ):
        raise TfmbsError("input.shape", name, "shape", _range(argument), _shape(array.shape))
    if argument.bounds is not None and array.size:
        least, greatest = argument.bounds
        if array.min() < least or array.max() > greatest:
            expected, got = f"{least}…{greatest} ({argument.extension})", f"{array.min()}…{array.max()}"
            raise TfmbsError("input.dtype", name, "elements", expected, got)
    return array


def _shape(shape: Shape) -> str:
    return "×".join(map(str, shape)) if shape else "scalar"


def written_to(entry: Entry, out: Mapping[str, object], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays that outputs are to be written into, by name. Their shapes are known when the inputs' are.

    Raises TfmbsError `output` for another name or element type, for what cannot be written, and for memory that
    another of these arrays or an input has as well.
    """
    if not isinstance(out, Mapping):
        raise TfmbsError("output", "out", "arrays by name", "a mapping", type(out).__name__)
    known = {argument.name: argument for argument in entry.outputs}
    arrays: dict[str, Array] = {}
    for name, value in out.items():
        if name not in known:
            raise TfmbsError("output", name, "no such output", "/".join(known) or "no output", name)
        arrays[name] = _written_to(known[name], value)
    for name, array in arrays.items():
        others = {**inputs, **{other: one for other, one in arrays.items() if other != name}}
        for other, one in others.items():
            if np.may_share_memory(array, one):
                raise TfmbsError("output", name, f"its memory is that of {other} as well", "memory of its own")
    return arrays


def _written_to(argument: Argument, value: object) -> Array:
    array, is_bf16 = writable(argument.name, value)
    got = BF16_EXTENSION if is_bf16 else array.dtype.name
    if got == argument.extension and argument.bounds is None:  # narrow integers are not their bits
        array = array.view(argument.dtype)
    if (is_bf16 and argument.extension != BF16_EXTENSION) or array.dtype != argument.dtype:
        raise TfmbsError("output", argument.name, "element type", argument.dtype, got if is_bf16 else array.dtype)
    return array
