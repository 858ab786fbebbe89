"""`expand`: an entry of an image as a movement program for a target."""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.attentions import expand_attention
from tfmbs.runtime.abi.movement.copies import expand_copy
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.groups import expand_groups
from tfmbs.runtime.abi.movement.launches import expand_matrix, expand_windows
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.pools import expand_pool
from tfmbs.runtime.abi.movement.program import Program
from tfmbs.runtime.abi.movement.recurrences import expand_lstm
from tfmbs.runtime.abi.movement.vectors import Walker, expand_vector
from tfmbs.runtime.abi.records import Kind

KINDS: dict[Kind, Callable[[Expansion, Row, str], None]] = {
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
"""The kinds of descriptors that the rule covers, and what adds their movements."""


def expand(image: Image, entry: int, machine: Machine, walker: Walker) -> Program:
    """The movements of all launches of an entry, in order; `walker` tells what vector programs access, and when.

    Raises TfmbsError `unsupported`, located at the descriptor, for a kind or a size that the rule does not cover.
    """
    expansion = Expansion(image, machine, walker)
    record = image.entries[entry]
    for launch in range(record["descriptor_count"]):
        number = record["first_descriptor"] + launch
        descriptor = image.descriptors[number]
        where = f"descriptor {number} ({image.strings[descriptor['name']]})"
        kind = Kind(descriptor["kind"])
        if kind not in KINDS:
            raise TfmbsError("unsupported", where, f"the movement rule has no kind {kind.name}")
        expansion.begin(launch, descriptor)
        KINDS[kind](expansion, descriptor, where)
        expansion.end(descriptor)
    return expansion.program
