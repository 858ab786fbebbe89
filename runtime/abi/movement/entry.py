"""`expand`: an entry of an image as a movement program for a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.attentions import expand_attention
from tfmbs.runtime.abi.movement.copies import expand_copy
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.groups import expand_groups
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import expand_matrix, expand_windows
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.pools import expand_pool
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.program import Program
from tfmbs.runtime.abi.movement.recurrences import expand_lstm
from tfmbs.runtime.abi.movement.vectors import expand_vector
from tfmbs.runtime.abi.movement.walks import Walker
from tfmbs.runtime.abi.records import Kind

KINDS: dict[Kind, Callable[[Expansion, Row, str], Launch]] = {
    Kind.GEMM: expand_matrix,
    Kind.GEMV: expand_matrix,
    Kind.CONV2D: expand_windows,
    Kind.CONV3D: expand_windows,
    Kind.COPY: expand_copy,
    Kind.VECTOR: expand_vector,
    Kind.POOL: expand_pool,
    Kind.ATTENTION: expand_attention,
    Kind.GROUP_GEMM: expand_groups,
    Kind.LSTM: expand_lstm,
}
"""The kinds of descriptors that the rule covers, and what plans them."""


def expand(image: Image, entry: int, machine: Machine, walker: Walker) -> Program:
    """The movements of all launches of an entry, in order; `walker` tells what vector programs access, and when.

    Raises TfmbsError `unsupported`, located at the descriptor, for a kind or a size that the rule does not cover.
    """
    descriptors = _descriptors(image, entry)
    expansion = Expansion(image, descriptors, machine, walker)
    for launch, descriptor in enumerate(descriptors):
        expansion.begin(launch, descriptor)
        planned = _planned(expansion, descriptor, image.entries[entry]["first_descriptor"] + launch)
        if planned.prediction is not None:
            expansion.program.predicted[launch] = planned.prediction
        planned.add()
        expansion.end(descriptor)
    return expansion.program


def predictions(image: Image, entry: int, machine: Machine, walker: Walker) -> Iterator[Prediction | TfmbsError | None]:
    """What each launch of an entry should take by itself, without its movements: None where that depends on the values
    of its operands, and the error where the rule does not cover it.
    """
    descriptors = _descriptors(image, entry)
    expansion = Expansion(image, descriptors, machine, walker)
    for launch, descriptor in enumerate(descriptors):
        expansion.begin(launch, descriptor)
        try:
            yield _planned(expansion, descriptor, image.entries[entry]["first_descriptor"] + launch).prediction
        except TfmbsError as error:
            if error.code != "unsupported":
                raise
            yield error


def _descriptors(image: Image, entry: int) -> list[Row]:
    record = image.entries[entry]
    first = record["first_descriptor"]
    return image.descriptors[first : first + record["descriptor_count"]]


def _planned(expansion: Expansion, descriptor: Row, number: int) -> Launch:
    where = f"descriptor {number} ({expansion.image.strings[descriptor['name']]})"
    kind = Kind(descriptor["kind"])
    if kind not in KINDS:
        raise TfmbsError("unsupported", where, f"the movement rule has no kind {kind.name}")
    return KINDS[kind](expansion, descriptor, where)
