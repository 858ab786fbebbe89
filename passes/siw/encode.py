"""Scheduled words on physical registers as bytes: spans of LOOP and SKIP, END, dependency bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.machine import ZERO, CodegenError, Loop, Reg
from tfmbs.passes.siw.schedule import Node, Region, Word, word_count
from tfmbs.passes.siw.size import value_of
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.siw_verify import required_deps

MAX_SPAN = siw.BIT_FIELD["c_imm"].bounds[1]
"""Words that a LOOP or SKIP can control."""


@dataclass(frozen=True)
class Encoded:
    """The words, the source of each operation (-1: none) by slot, and how many words run at most."""

    words: tuple[bytes, ...]
    sources: tuple[Mapping[str, int], ...]
    max_steps: int


def encode(nodes: Sequence[Node], color: Mapping[Reg, int]) -> Encoded:
    """Encodes a scheduled program.

    Raises CodegenError for a region of more words than its operation can span, and for more steps than a launch has.
    """
    fields: list[dict[str, int]] = []
    sources: list[Mapping[str, int]] = []
    _emit(nodes, color, fields, sources)
    steps = _steps(nodes)
    if not nodes or isinstance(nodes[-1], Region) or "c_op" in fields[-1]:
        fields.append({})
        sources.append({})
        steps += 1
    if steps > MAX_STEPS and _is_exact(nodes):
        raise CodegenError(f"{steps} instruction words are executed, {MAX_STEPS} are possible")
    fields[-1]["c_op"] = siw.OP_BY_NAME["C", "END"].code
    bound = []
    for word, wait in zip(fields, required_deps([siw.encode(word) for word in fields]), strict=True):
        bound.append(siw.encode({**word, **wait._asdict()}))
    return Encoded(tuple(bound), tuple(sources), min(steps, MAX_STEPS))


def _emit(
    nodes: Sequence[Node],
    color: Mapping[Reg, int],
    fields: list[dict[str, int]],
    sources: list[Mapping[str, int]],
) -> None:
    for node in nodes:
        if isinstance(node, Word):
            fields.append(_fields(node, color))
            sources.append({slot: instr.source for slot, instr in node.slots.items()})
            continue
        span = word_count(node.body)
        if not 1 <= span <= MAX_SPAN:
            raise CodegenError(f"a loop or condition over {span} words, 1…{MAX_SPAN} are possible")
        fields[-1]["c_imm"] = span
        _emit(node.body, color, fields, sources)


def _fields(word: Word, color: Mapping[Reg, int]) -> dict[str, int]:
    fields: dict[str, int] = {}
    for slot, instr in word.slots.items():
        fields[f"{slot.lower()}_op"] = instr.op.code
        fields.update((name, value_of(number)) for name, number in instr.imms.items())
        for name, register in instr.regs.items():
            fields[name] = 0 if register == ZERO else color[register]
    return fields


def _steps(nodes: Sequence[Node]) -> int:
    """Words that run, with the trip counts known when the program is made; others may run as often as can be."""
    steps = 0
    for node in nodes:
        if isinstance(node, Word):
            steps += 1
        elif isinstance(node.item, Loop):
            trips = MAX_STEPS if node.item.trips is None else max(node.item.trips, 0)
            steps += trips * _steps(node.body)
        else:
            steps += _steps(node.body)
    return steps


def _is_exact(nodes: Sequence[Node]) -> bool:
    """Whether as many words run as `_steps` says, whatever the data."""
    for node in nodes:
        if isinstance(node, Word):
            if any(instr.op.name == "BREAK" for instr in node):
                return False
        elif not isinstance(node.item, Loop) or node.item.trips is None or not _is_exact(node.body):
            return False
    return True
