"""Checks that the target a binary carries can do what the binary asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.records import DESCRIPTOR, NONE, PROGRAM, SCHEDULE, Dataflow, Kind, Record, ZeroSkip
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.target import FEATURE_OF_PACKING, Feature
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.abi.verify.subject import Subject

_FEATURE_OF_KIND = {
    Kind.CONV2D: Feature.CONV2D,
    Kind.POOL: Feature.POOL,
    Kind.CONV3D: Feature.CONV3D,
    Kind.ATTENTION: Feature.ATTENTION,
    Kind.GROUP_GEMM: Feature.GROUPS,
    Kind.LSTM: Feature.LSTM,
}
_PRODUCTS = frozenset({Kind.GEMM, Kind.GEMV, Kind.CONV2D, Kind.CONV3D, Kind.ATTENTION, Kind.GROUP_GEMM, Kind.LSTM})


def _check(subject: Subject, record: Record, index: int, field: str, what: str, has: Iterable[str], name: str) -> None:
    if name not in has:
        where = subject.where(record, index, field)
        raise TfmbsError("target", where, f"{what} of {subject.target.name}", "/".join(has) or "none", name)


def _features(subject: Subject, descriptor: Row) -> Iterator[tuple[str, Feature]]:
    """(field, feature) that a descriptor needs."""
    kind = Kind(descriptor["kind"])
    if kind in _FEATURE_OF_KIND:
        yield "kind", _FEATURE_OF_KIND[kind]
    if kind is not Kind.VECTOR and descriptor["program"] != NONE:
        yield "program", Feature.EPILOGUE
    if descriptor["rhs"] != NONE:
        packing = Packing(subject.tensor(descriptor["rhs"])["packing"])
        if packing in FEATURE_OF_PACKING:
            yield "rhs", FEATURE_OF_PACKING[packing]


def _types(words: Sequence[bytes]) -> dict[str, None]:
    """The element types that words work on, in the order of their first use."""
    slots = (slot for word in words for slot in decode_word(word, "word").slots)
    return dict.fromkeys(dtype.name.lower() for slot in slots for dtype in slot.types)


def check_capabilities(subject: Subject) -> None:
    """Checks descriptors, schedules and programs against features, operand types, dataflows and zero-skip modes of the
    target, and the element types of programs."""
    target = subject.target
    for index, descriptor in enumerate(subject.image.descriptors):
        for field, feature in _features(subject, descriptor):
            _check(subject, DESCRIPTOR, index, field, "feature", target.features, feature.name.lower())
        if descriptor["kind"] in _PRODUCTS:
            for field in ("lhs", "rhs"):
                dtype = DType(subject.tensor(descriptor[field])["dtype"]).name.lower()
                _check(subject, DESCRIPTOR, index, field, "operand type", target.array.operands, dtype)
    for index, program in enumerate(subject.image.programs):
        for name in _types(subject.image.words[program["first_word"] : program["first_word"] + program["word_count"]]):
            _check(subject, PROGRAM, index, "first_word", "element type of vector code", target.vector.types, name)
    for index, schedule in enumerate(subject.image.schedules):
        dataflow, mode = Dataflow(schedule["dataflow"]).name.lower(), ZeroSkip(schedule["zero_skip"]).name.lower()
        _check(subject, SCHEDULE, index, "dataflow", "dataflow", target.array.dataflows, dataflow)
        _check(subject, SCHEDULE, index, "zero_skip", "zero-skip mode", target.zero_skip, mode)
