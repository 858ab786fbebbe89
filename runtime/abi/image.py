"""`Image`: the decoded content of a fabric binary, and the way from and to its bytes."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from tfmbs.runtime.abi.codec import BytesLike, Row, decode_section, encode_section
from tfmbs.runtime.abi.container import Container, Pieces, Section, check_chunks, read
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import file_path, mapped
from tfmbs.runtime.abi.minor import minor_of
from tfmbs.runtime.abi.processors import run_side_by_side
from tfmbs.runtime.abi.records import Record
from tfmbs.runtime.abi.sections import CHUNK_BYTES, KIND_BY_CODE, KIND_BY_NAME, KIND_OF_RECORD, KINDS, MAJOR, Feature
from tfmbs.runtime.abi.types import SPARSE, DType, Packing, Region
from tfmbs.runtime.abi.writing import save_container, write

__all__ = ["Image", "Row", "Verify"]

Verify = Literal["eager", "lazy"]
_CHUNKS_OF_A_JOB = 4


@dataclass
class Image:
    """One list per record table (dictionaries as `Record.encode` takes), and what is not a record.

    `words` are instruction words of 16 bytes, `args` and `waits` u32, `weights` the WEIGHTS region, `extras` optional
    sections of kinds that this version does not know, carried unchanged. `declared_version` is the format version where
    it is not the one that the content says. `instance_of` is the entry record that an image for given run-time sizes is
    for; it shares `verified_programs`, those that were checked, with the image that it is of, and bytes of sections.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    strings: list[str] = field(default_factory=list)
    target: dict[str, Any] = field(default_factory=dict)
    descriptors: list[Row] = field(default_factory=list)
    programs: list[Row] = field(default_factory=list)
    words: list[bytes] = field(default_factory=list)
    tensors: list[Row] = field(default_factory=list)
    gemm_geometries: list[Row] = field(default_factory=list)
    window_geometries: list[Row] = field(default_factory=list)
    volume_geometries: list[Row] = field(default_factory=list)
    attention_geometries: list[Row] = field(default_factory=list)
    group_geometries: list[Row] = field(default_factory=list)
    lstm_geometries: list[Row] = field(default_factory=list)
    schedules: list[Row] = field(default_factory=list)
    masks: list[Row] = field(default_factory=list)
    args: list[int] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    io: list[Row] = field(default_factory=list)
    telemetry: list[Row] = field(default_factory=list)
    weights: BytesLike = b""
    debug: list[Row] = field(default_factory=list)
    signature: bytes = b""
    origins: list[Row] = field(default_factory=list)
    sizes: list[Row] = field(default_factory=list)
    patches: list[Row] = field(default_factory=list)
    terms: list[Row] = field(default_factory=list)
    semantics: list[Row] = field(default_factory=list)
    extras: list[Section] = field(default_factory=list)
    optional_features: int = 0
    declared_version: tuple[int, int] | None = None
    file: Container | None = field(default=None, repr=False, compare=False)
    instance_of: int | None = field(default=None, repr=False, compare=False)
    encoded: dict[str, memoryview] = field(default_factory=dict, repr=False, compare=False)
    verified_programs: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _checked_tensors: set[int] = field(default_factory=set, repr=False, compare=False)
    _checked_chunks: set[int] = field(default_factory=set, repr=False, compare=False)
    _weights_checked: bool = field(default=False, repr=False, compare=False)

    @property
    def features(self) -> int:
        """The required feature bits that the content needs."""
        has = {tensor["dtype"] for tensor in self.tensors}
        needs = {
            Feature.VECTOR: self.programs,
            Feature.TERNARY: DType.TRIT in has,
            Feature.STATE: self.states,
            Feature.INT4: DType.I4 in has,
            Feature.SPARSE: any(tensor["packing"] in SPARSE for tensor in self.tensors),
            Feature.RESIDUES: any(tensor["packing"] == Packing.R5 for tensor in self.tensors),
            Feature.ABREAST: any(tensor["packing"] == Packing.A5 for tensor in self.tensors),
        }
        return sum(1 << bit for bit, used in needs.items() if used)

    @property
    def version(self) -> tuple[int, int]:
        """The format version, major and minor."""
        return self.declared_version or (MAJOR, minor_of(self.target, self.__dict__))

    def section(self, name: str) -> memoryview:
        """The bytes of one section as they are in a file, for devices that read tables in place; empty if absent."""
        kind = KIND_BY_NAME[name]
        stored = self.file.by_kind.get(kind.code) if self.file else None
        if stored:
            return stored.data
        if name in self.encoded:
            return self.encoded[name]
        data = memoryview(encode_section(kind, getattr(self, kind.attribute)))
        if self.instance_of is not None:  # it does not change
            self.encoded[name] = data
        return data

    def table(self, record: Record) -> np.ndarray[Any, np.dtype[Any]]:
        """One record table as a structured array (read only)."""
        return np.frombuffer(self.section(KIND_OF_RECORD[record.name].name), record.numpy)

    def container(self, weights: Pieces | None = None) -> Container:
        """What is to be written as a `.tfb`. `weights` are what `self.weights` is not. Raises TfmbsError for what
        does not fit.
        """
        sections = list(self.extras)
        if weights:
            kind = KIND_BY_NAME["WEIGHTS"]
            sections.append(Section(kind.code, kind.name, memoryview(b""), kind.alignment, pieces=weights))
        for kind in KINDS:
            data = encode_section(kind, getattr(self, kind.attribute)) if kind.attribute else b""
            if len(data):
                sections.append(Section(kind.code, kind.name, memoryview(data), kind.alignment, kind.optional))
        return Container(tuple(sections), self.features, self.optional_features, self.version)

    def to_bytes(self) -> bytearray:
        """The bytes of the `.tfb`; the same content gives the same bytes. Raises TfmbsError for what does not fit."""
        return write(self.container())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all."""
        save_container(path, self.container())

    @classmethod
    def from_buffer(cls, buffer: BytesLike | mmap.mmap, verify: Verify = "eager") -> Image:
        """Decodes and checks a `.tfb`; weights and tables stay in `buffer`, which must not change from then on.

        `verify="lazy"` leaves digests and codes of weights to `check_weights`. Raises TfmbsError with a byte offset.
        """
        # The checks are written on images, hence imported here.
        from tfmbs.runtime.abi.verify import verify_image

        if verify not in get_args(Verify):
            raise TfmbsError("usage", "verify", "unknown value", " or ".join(get_args(Verify)), repr(verify))
        file = read(buffer, lazy=True)
        image = cls(optional_features=file.optional_features, file=file)
        for section in file.sections:
            kind = KIND_BY_CODE.get(section.kind)
            if kind is None:
                image.extras.append(section)
            else:
                setattr(image, kind.attribute, decode_section(kind, section))
        if image.version != file.version:
            image.declared_version = file.version
        if image.features != file.required_features:
            expected, got = hex(image.features), hex(file.required_features)
            raise TfmbsError("container.feature", "byte 0x18", "required features of this content", expected, got)
        verify_image(image)
        if verify == "eager":
            image.check_weights()
        return image

    @property
    def weights_are_checked(self) -> bool:
        """Whether digests and codes of all weights have been checked."""
        return self._weights_checked

    def check_weights(self, tensors: Iterable[int] | None = None) -> None:
        """Checks digests and codes of weights: of these tensors, or of the whole region. What was checked is skipped.

        After `verify="lazy"` a device calls it before it first reads a tensor; otherwise there is nothing left to do.
        """
        from tfmbs.runtime.abi.verify.weights import check_gaps, check_rows

        if self._weights_checked:
            return
        rows = self.tensors
        wanted = range(len(rows)) if tensors is None else sorted(set(tensors) - self._checked_tensors)
        mine = [index for index in wanted if rows[index]["region"] == Region.WEIGHTS]
        jobs: list[Callable[[], None]] = []
        for index in mine:
            jobs += self._jobs(rows[index]["offset"], rows[index]["offset"] + rows[index]["bytes"], index)
            jobs.append(partial(check_rows, self, index))
        if tensors is None:
            jobs += self._jobs(0, len(self.weights))
            jobs.append(partial(check_gaps, self))
        run_side_by_side(jobs, sum(rows[index]["bytes"] for index in mine))
        self._checked_tensors.update(mine)
        if tensors is None:
            self._weights_checked = True

    def _jobs(self, first: int, end: int, tensor: int | None = None) -> list[Callable[[], None]]:
        """Checks of the chunks that hold these bytes of WEIGHTS, and of codes of a tensor, some chunks at a time."""
        starts = range(first - first % CHUNK_BYTES, end, _CHUNKS_OF_A_JOB * CHUNK_BYTES)
        size = _CHUNKS_OF_A_JOB * CHUNK_BYTES
        return [partial(self._check_bytes, max(first, start), min(start + size, end), tensor) for start in starts]

    def _check_bytes(self, first: int, end: int, tensor: int | None) -> None:
        from tfmbs.runtime.abi.verify.weights import check_codes, has_codes

        section = self.file.by_kind.get(KIND_BY_NAME["WEIGHTS"].code) if self.file else None
        look = None if tensor is None or not has_codes(self.tensors[tensor]) else partial(check_codes, self, tensor)
        if section is not None and section.chunk_digests:
            check_chunks(section, first, end, self._checked_chunks, look)
        elif look is not None:
            look(first, end)

    @classmethod
    def load(cls, path: str | os.PathLike[str], verify: Verify = "eager") -> Image:
        """`from_buffer` on a mapped file: weights are not read until they are used (or checked)."""
        name = file_path(path)
        data = mapped(name)
        try:
            return cls.from_buffer(data, verify)
        except TfmbsError as error:
            where = f"{name}: {error.location}"
            raise TfmbsError(error.code, where, error.what, error.expected, error.got, error.details) from error
