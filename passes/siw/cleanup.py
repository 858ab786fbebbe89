"""What emission leaves that no byte depends on: dead operations, empty regions, VL set to what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tfmbs.passes.siw.lanes import Vl
from tfmbs.passes.siw.machine import Instr, Item, Loop, Reg, Skip, instructions
from tfmbs.passes.siw.registers import Liveness
from tfmbs.passes.siw.schedule import Node, Region, Word, control_of, words_of

_EFFECTS = frozenset({"SETVL", "SETVLR", "BREAK", "RECV"})


def copy_items(items: Sequence[Item]) -> list[Item]:
    """A program of its own, so that changing it changes nothing else."""
    copied: list[Item] = []
    for item in items:
        if isinstance(item, Instr):
            copied.append(replace(item, regs=dict(item.regs), imms=dict(item.imms)))
        else:
            copied.append(replace(item, body=copy_items(item.body)))
    return copied


def regions(items: Sequence[Item]) -> Iterator[Loop | Skip]:
    """All loops and conditions of a program, outer ones first."""
    for item in items:
        if not isinstance(item, Instr):
            yield item
            yield from regions(item.body)


def without_dead(items: Sequence[Item], results: frozenset[Reg]) -> list[Item]:
    """The program without operations that no store, no control operation and none of `results` depends on."""
    needed = set(results)
    for region in regions(items):
        needed.add(region.count if isinstance(region, Loop) else region.condition)
    left = list(instructions(items))
    kept: set[Instr] = set()
    changed = True
    while changed:
        changed, still = False, []
        for instr in reversed(left):
            if instr.op.is_store or instr.op.name in _EFFECTS or instr.writes in needed:
                kept.add(instr)
                before = len(needed)
                needed.update(instr.reads)
                changed = changed or len(needed) > before
            else:
                still.append(instr)
        left = still[::-1]
    return filtered(items, lambda instr: instr in kept)


def without_unread(items: Sequence[Item], partial: frozenset[Reg], results: frozenset[Reg]) -> list[Item]:
    """The program without operations whose result no path reads."""
    nodes = sequential_nodes(items)
    live = Liveness(nodes, partial, results)
    unread = set()
    for word in words_of(nodes):
        for instr in word:
            if instr.writes is not None and instr.op.name not in _EFFECTS and not live.written(word) & live.out[word]:
                unread.add(instr)
    return filtered(items, lambda instr: instr not in unread)


def sequential_nodes(items: Sequence[Item]) -> list[Node]:
    """The program with one operation in each word."""
    nodes: list[Node] = []
    for item in items:
        if isinstance(item, Instr):
            nodes.append(Word({item.op.slot: item}))
        else:
            nodes.append(Word({"C": control_of(item)}))
            nodes.append(Region(item, sequential_nodes(item.body)))
    return nodes


def filtered(items: Sequence[Item], keep: Callable[[Instr], bool]) -> list[Item]:
    """The program with the operations to keep, without the regions that become empty."""
    result: list[Item] = []
    for item in items:
        if isinstance(item, Instr):
            if keep(item):
                result.append(item)
            continue
        body = filtered(item.body, keep)
        if body:
            item.body = body
            result.append(item)
    return result


def without_repeated_vl(items: Sequence[Item], start: Vl) -> list[Item]:
    """The program without SETVL that sets what VL is on every path to it."""
    return _vl(items, start)[0]


def _vl(items: Sequence[Item], vl: Vl | None) -> tuple[list[Item], Vl | None]:
    """The shortened items, and VL behind them (None: not known); `vl` is that before them."""
    result: list[Item] = []
    for item in items:
        if isinstance(item, Instr):
            if item.op.name == "SETVL":
                if item.imms["c_imm"] == vl:
                    continue
                vl = item.imms["c_imm"]
            elif item.op.name == "SETVLR":
                vl = None
            result.append(item)
            continue
        ends = vl_values(item.body, vl)
        inside = vl if ends == {vl} or isinstance(item, Skip) else None
        body, _ = _vl(item.body, inside)
        vl = vl if ends == {vl} else None
        if body:
            item.body = body
            result.append(item)
    return result, vl


def vl_values(items: Sequence[Item], vl: Vl | None) -> set[Vl | None]:
    """What VL can be behind `items`, and where a BREAK leaves them; None: not known."""
    left: set[Vl | None] = set()
    for item in items:
        if isinstance(item, Instr):
            if item.op.name == "SETVL":
                vl = item.imms["c_imm"]
            elif item.op.name == "SETVLR":
                vl = None
            elif item.op.name == "BREAK":
                left.add(vl)
            continue
        ends = vl_values(item.body, vl)
        vl = vl if ends <= {vl} else None
    return left | {vl}
