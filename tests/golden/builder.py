"""Builds images of the golden corpus by hand, record by record."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.patches import Patch, at_of, patch_tables
from tfmbs.runtime.abi.records import NONE, RECORDS, Dataflow, Kind, Patched, ProgramKind, ZeroSkip
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType, Packing, Region, is_packed, packed_rows, row_bytes


def row(record: str, **values: Any) -> dict[str, Any]:
    fields = RECORDS[record].fields
    defaults = {f.name: NONE if f.optional else (0,) * f.count if f.count > 1 else 0 for f in fields}
    unknown = set(values) - set(defaults)
    assert not unknown, unknown
    return {**defaults, **values}


@functools.cache
def target_table(name: str) -> dict[str, Any]:
    return load_target(name).to_dict()


class Builder:
    """Collects the rows of an image; tensors, programs and descriptors are numbered as they come."""

    def __init__(self, name: str, target: str = "kpu-minimal") -> None:
        self.image = Image(meta={"model": name, "producer": "golden corpus"}, target=target_table(target))
        self.image.masks.append(row("mask", words=(1, 0, 0, 0)))
        self.weights = bytearray()
        self.patches: list[Patch] = []

    def string(self, text: str) -> int:
        if text not in self.image.strings:
            self.image.strings.append(text)
        return self.image.strings.index(text)

    def tensor(
        self,
        name: str,
        region: Region,
        dtype: DType,
        dims: Sequence[int],
        *,
        slot: int = 0,
        offset: int = 0,
        packing: Packing = Packing.DENSE,
    ) -> int:
        rows = dims[0] if dtype is DType.TRIT else 1
        size = packed_rows(packing, rows) * row_bytes(dtype, packing, int(np.prod(dims)) // rows)
        fields = row(
            "tensor",
            region=region,
            dtype=dtype,
            packing=packing,
            rank=len(dims),
            slot=slot,
            offset=offset,
            bytes=size,
            dims=(*dims, *(0,) * (8 - len(dims))),
            name=self.string(name),
        )
        self.image.tensors.append(fields)
        return len(self.image.tensors) - 1

    def constant(self, name: str, array: np.ndarray[Any, Any], dtype: DType, packing: Packing = Packing.DENSE) -> int:
        self.weights += bytes(-len(self.weights) % 64)
        offset = len(self.weights)
        if is_packed(dtype):
            self.weights += pack_rows(array.reshape(len(array), -1), packing).tobytes()
        else:
            self.weights += array.tobytes()
        return self.tensor(name, Region.WEIGHTS, dtype, array.shape, offset=offset, packing=packing)

    def program(self, name: str, kind: ProgramKind, windows: int, max_steps: int, text: str) -> int:
        words = assemble(text, name).words
        fields = row(
            "program",
            kind=kind,
            windows=windows,
            first_word=len(self.image.words),
            word_count=len(words),
            name=self.string(name),
            max_steps=max_steps,
        )
        self.image.words += words
        self.image.programs.append(fields)
        return len(self.image.programs) - 1

    def geometry(self, record: str, **values: int) -> int:
        table = getattr(self.image, KIND_OF_RECORD[record].attribute)
        table.append(row(record, **values))
        return len(table) - 1

    def gemm(self, m: int, n: int, k: int, lhs_zero: int = 0) -> int:
        return self.geometry(
            "gemm_geometry",
            batch=1,
            m=m,
            n=n,
            k=k,
            lhs_m_stride=k,
            lhs_k_stride=1,
            rhs_n_stride=k,
            rhs_k_stride=1,
            lhs_zero=lhs_zero,
        )

    def schedule(self, m: int, n: int, k: int, **loops: int) -> int:
        self.image.schedules.append(
            row(
                "schedule",
                dataflow=Dataflow.OUTPUT_STATIONARY,
                buffers=2,
                zero_skip=ZeroSkip.NONE,
                tile_m=m,
                tile_n=n,
                tile_k=k,
                **loops,
            )
        )
        return len(self.image.schedules) - 1

    def launch(
        self, name: str, kind: Kind, args: Sequence[int] = (), waits: Sequence[int] = (), **operands: int
    ) -> int:
        token = len(self.image.descriptors)
        fields = row(
            "descriptor",
            kind=kind,
            name=self.string(name),
            args_first=len(self.image.args),
            args_count=len(args),
            waits_first=len(self.image.waits),
            waits_count=len(waits),
            signal=token,
            **operands,
        )
        self.image.args += args
        self.image.waits += waits
        self.image.descriptors.append(fields)
        return token

    def entry(self, name: str, inputs: Sequence[int], outputs: Sequence[int], scratch: int = 0) -> None:
        first = sum(int(entry["descriptor_count"]) for entry in self.image.entries)
        start = len(self.image.io)
        for index in (*inputs, *outputs):
            self.image.io.append(row("io", name=self.image.tensors[index]["name"], tensor=index))
        self.image.entries.append(
            row(
                "entry",
                name=self.string(name),
                first_descriptor=first,
                descriptor_count=len(self.image.descriptors) - first,
                inputs_first=start,
                inputs_count=len(inputs),
                outputs_first=start + len(inputs),
                outputs_count=len(outputs),
                scratch_bytes=scratch,
            )
        )

    def size(self, name: str, low: int, high: int) -> None:
        """A run-time size of the last entry."""
        entry = len(self.image.entries) - 1
        self.image.sizes.append(row("size", entry=entry, name=self.string(name), low=low, high=high))

    def depends(self, section: Patched, number: int, field: str, element: int | None = None, **form: Any) -> None:
        """A number of the last entry that is a form in its sizes."""
        at = at_of(section, field, element)
        assert at is not None
        self.patches.append(Patch(section, number, at, len(self.image.entries) - 1, Form(**form)))

    def layer(self, name: str, trits: np.ndarray[Any, Any] | None = None) -> int:
        total = 0 if trits is None else trits.size
        zeros = 0 if trits is None else int((trits == 0).sum())
        sparsity = float(np.float32(zeros / total)) if total else 0.0
        self.image.telemetry.append(
            row("telemetry", layer=self.string(name), zero_count=zeros, total=total, sparsity=sparsity, fusion_order=-1)
        )
        return len(self.image.telemetry) - 1

    def origin(self, launch: int, place: str, first: int, count: int, slots: int) -> None:
        """What is in `slots` of words of a launch's program comes from `place`."""
        fields = {"first_word": first, "word_count": count, "slots": slots}
        self.image.origins.append(row("origin", descriptor=launch, location=self.string(place), **fields))

    def finish(self) -> Image:
        for number, descriptor in enumerate(self.image.descriptors):
            location = self.string(f"node {self.image.strings[descriptor['name']]}")
            self.image.debug.append(row("debug", descriptor=number, location=location))
        self.image.weights = bytes(self.weights)
        for name, rows in patch_tables(self.patches).items():
            setattr(self.image, name, rows)
        return self.image
