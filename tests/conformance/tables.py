"""The tables of a small image by hand: tensors, programs, schedules, launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.records import GEOMETRY_OF_KIND, NONE, Dataflow, Kind, LoopOrder, ProgramKind, ZeroSkip
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.siw import encode
from tfmbs.runtime.abi.siw_verify import required_deps
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DTYPES, DType, Packing, Region, is_packed, packed_dtype, packed_rows, row_bytes

Array = np.ndarray[Any, np.dtype[Any]]
Fields = dict[str, int]
ALIGNMENT = 64

DTYPE_OF_NUMPY = {info.numpy: dtype for dtype, info in DTYPES.items() if info.numpy}
TARGET = "kpu-16x16"
"""Of images, where a test names no other one."""


class Tables:
    """Collects the tables of one entry point `main`; `image()` gives them. Every launch waits for the one before."""

    def __init__(self, target: str = TARGET, **changes: object) -> None:
        """With other values of some keys of the target."""
        self.shift = 0  # elements by which constants lie behind a multiple of `ALIGNMENT`
        self._image = Image(meta={"name": "conformance"}, target=load_target(target).to_dict() | changes)
        self._weights = bytearray()
        self._scratch = 0
        self._inputs: list[int] = []
        self._outputs: list[int] = []
        self._image.masks.append({"words": (1, 0, 0, 0)})

    def string(self, text: str) -> int:
        strings = self._image.strings
        if text not in strings:
            strings.append(text)
        return strings.index(text)

    # --- tensors ---

    def tensor(
        self,
        region: Region,
        dtype: DType,
        dims: Sequence[int],
        *,
        packing: Packing = Packing.DENSE,
        slot: int = 0,
        offset: int = 0,
        name: str = "t",
    ) -> int:
        dims = tuple(dims)
        rows, row = (dims[0], int(np.prod(dims[1:]))) if is_packed(dtype) else (1, int(np.prod(dims)))
        record = {
            "region": region,
            "dtype": dtype,
            "packing": packing,
            "rank": len(dims),
            "slot": slot,
            "offset": offset,
            "bytes": packed_rows(packing, rows) * row_bytes(dtype, packing, row),
            "dims": (*dims, *[0] * (8 - len(dims))),
            "name": self.string(name),
        }
        self._image.tensors.append(record)
        return len(self._image.tensors) - 1

    def view(self, tensor: int, dims: Sequence[int], dtype: DType | None = None, offset: int = 0) -> int:
        """Another shape, or another element type, on the same bytes, or those from `offset` on."""
        old = self._image.tensors[tensor]
        region, dtype = Region(old["region"]), dtype or DType(old["dtype"])
        return self.tensor(region, dtype, dims, slot=old["slot"], offset=old["offset"] + offset, name="view")

    def input(self, name: str, dims: Sequence[int], dtype: DType) -> int:
        slot = len(self._inputs)
        self._inputs.append(self.tensor(Region.INPUT, dtype, dims, slot=slot, name=name))
        return self._inputs[-1]

    def output(self, name: str, dims: Sequence[int], dtype: DType) -> int:
        slot = len(self._outputs)
        self._outputs.append(self.tensor(Region.OUTPUT, dtype, dims, slot=slot, name=name))
        return self._outputs[-1]

    def scratch(self, dims: Sequence[int], dtype: DType) -> int:
        tensor = self.tensor(Region.SCRATCH, dtype, dims, offset=self._scratch)
        size = int(self._image.tensors[tensor]["bytes"])
        self._scratch += -(-size // ALIGNMENT) * ALIGNMENT
        return tensor

    def state(self, name: str, dims: Sequence[int], dtype: DType) -> int:
        offset = max((row["offset"] + row["bytes"] for row in self._image.states), default=0)
        offset = -(-offset // ALIGNMENT) * ALIGNMENT
        tensor = self.tensor(Region.STATE, dtype, dims, offset=offset, name=name)
        size = self._image.tensors[tensor]["bytes"]
        self._image.states.append({"name": self.string(name), "offset": offset, "bytes": size})
        return tensor

    def constant(self, array: Array, packing: Packing = Packing.DENSE) -> int:
        """An array in WEIGHTS; with a packing, an array of trits or 4-bit integers."""
        if packing is Packing.DENSE:
            dtype, data = DTYPE_OF_NUMPY[array.dtype.name], np.ascontiguousarray(array).tobytes()
        else:
            dtype, data = packed_dtype(packing), pack_rows(array.reshape(array.shape[0], -1), packing).tobytes()
        element = 1 if is_packed(dtype) else array.dtype.itemsize
        self._weights += bytes(-len(self._weights) % ALIGNMENT + self.shift * element)
        offset = len(self._weights)
        self._weights += data
        return self.tensor(Region.WEIGHTS, dtype, array.shape, packing=packing, offset=offset)

    # --- programs and launches ---

    def program(self, words: Sequence[Fields], kind: ProgramKind, windows: int, max_steps: int = 1 << 20) -> int:
        encoded = [encode(word) for word in words]
        waits = required_deps(encoded)
        with_deps = [encode({**word, **wait._asdict()}) for word, wait in zip(words, waits, strict=True)]
        self._image.programs.append(
            {
                "kind": kind,
                "windows": windows,
                "first_word": len(self._image.words),
                "word_count": len(words),
                "name": self.string(f"program{len(self._image.programs)}"),
                "max_steps": max_steps,
            }
        )
        self._image.words += with_deps
        return len(self._image.programs) - 1

    def schedule(
        self,
        zero_skip: ZeroSkip = ZeroSkip.NONE,
        tiles: tuple[int, int, int] = (16, 16, 16),
        dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY,
        buffers: int = 2,
        order: LoopOrder = LoopOrder.ANY,
        block: tuple[int, int, int] = (0, 0, 0),
    ) -> int:
        row = {"dataflow": dataflow, "buffers": buffers, "zero_skip": zero_skip, "order": order}
        sizes = zip("mnk", tiles, block, strict=True)
        row |= {name: size for axis, t, b in sizes for name, size in ((f"tile_{axis}", t), (f"block_{axis}", b))}
        self._image.schedules.append(row)
        return len(self._image.schedules) - 1

    def launch(
        self,
        kind: Kind,
        *,
        lhs: int = NONE,
        rhs: int = NONE,
        out: int = NONE,
        geometry: Mapping[str, float] | None = None,
        program: int = NONE,
        args: Sequence[int] = (),
        schedule: int = NONE,
    ) -> int:
        image = self._image
        index = NONE
        if geometry is not None:
            layout = GEOMETRY_OF_KIND[kind]
            assert layout is not None
            table = getattr(image, KIND_OF_RECORD[layout.name].attribute)
            table.append({f.name: geometry.get(f.name, 0) for f in layout.fields})
            index = len(table) - 1
        number = len(image.descriptors)
        image.descriptors.append(
            {
                "kind": kind,
                "waits_count": 1 if number else 0,
                "lhs": lhs,
                "rhs": rhs,
                "out": out,
                "geometry": index,
                "schedule": schedule,
                "mask": 0,
                "program": program,
                "args_first": len(image.args),
                "args_count": len(args),
                "waits_first": len(image.waits),
                "signal": number,
                "telemetry": NONE,
                "name": self.string(f"launch{number}"),
            }
        )
        image.args += args
        image.waits += [number - 1] if number else []
        return number

    # --- the image ---

    def image(self) -> Image:
        image = self._image
        tensors = self._inputs + self._outputs
        image.io = [{"name": image.tensors[t]["name"], "tensor": t, "meaning": 0} for t in tensors]
        image.weights = bytes(self._weights)
        image.entries = [
            {
                "name": self.string("main"),
                "first_descriptor": 0,
                "descriptor_count": len(image.descriptors),
                "inputs_first": 0,
                "inputs_count": len(self._inputs),
                "outputs_first": len(self._inputs),
                "outputs_count": len(self._outputs),
                "scratch_bytes": self._scratch,
            }
        ]
        return Image.from_buffer(image.to_bytes())
