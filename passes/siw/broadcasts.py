"""Values of one lane that all lanes read, in a loop body: a load of all lanes where slot S has the cycles for that.

Emission loads such a value into one lane and copies it (`LAST`): two short operations, but of a VL of their own, which
costs two SETVL in slot C, and a cycle of D. A load of the same element into all lanes needs neither.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import ZERO, Instr, Reg
from tfmbs.passes.siw.modulo_phases import needs_vl
from tfmbs.runtime.abi.siw_timing import Timing

_COPIES = frozenset({"LAST", "LAST64"})


def with_wide_loads(
    instrs: Sequence[Instr], lanes: Lanes, timing: Timing, read: Mapping[Reg, int], live_out: Collection[Reg]
) -> list[Instr]:
    """The operations of a body, with loads of all lanes for those that are copied, where that makes no slot the fuller.

    `read` says how many lanes of a register are read at most by the whole program, but for registers that only these
    operations have; VL of the new operations is in `lanes`.
    """
    wide = _widened(instrs, lanes, read, live_out)
    if not wide or _cost(wide, lanes, timing) >= _cost(instrs, lanes, timing):
        return list(instrs)
    return wide


def _cost(instrs: Sequence[Instr], lanes: Lanes, timing: Timing) -> tuple[int, int]:
    """Cycles of the fullest slot, the SETVL among them, and how many VLs there are."""
    load = dict.fromkeys("DSC", 0)
    for instr in instrs:
        load[instr.op.slot] += timing.busy(instr.op, lanes.cycles_vl(instr))
    vls = {lanes.vl[instr] for instr in instrs if needs_vl(instr)}
    load["C"] += len(vls) if len(vls) > 1 else 0
    return max(load.values()), len(vls)


def _widened(instrs: Sequence[Instr], lanes: Lanes, read: Mapping[Reg, int], live_out: Collection[Reg]) -> list[Instr]:
    vls = sorted({vl for instr in instrs if needs_vl(instr) and isinstance(vl := lanes.vl[instr], int)})
    found: dict[int, list[Instr]] = {}
    gone: set[Instr] = set()
    for position, load in enumerate(instrs):
        if load.op.name != "LD" or load.stream or load.regs["s_index"] != ZERO or load.writes in live_out:
            continue
        copies = _copies(instrs, position)
        made = [_wide_load(load, copy, vls, lanes, _lanes_read(copy, instrs, lanes, read)) for copy in copies]
        loads = [instr for instr in made if instr is not None]
        if copies and len(loads) == len(copies):
            found[position] = loads
            gone |= {load, *copies}
    result: list[Instr] = []
    for position, instr in enumerate(instrs):
        result += found.get(position, [])
        if instr not in gone:
            result.append(instr)
    return result if gone else []


def _copies(instrs: Sequence[Instr], position: int) -> list[Instr]:
    """The operations that copy a loaded value; none where anything else reads it or sees that they come earlier."""
    register = instrs[position].writes
    readers = [n for n, instr in enumerate(instrs) if register in instr.reads]
    writers = [instr for instr in instrs if instr.writes == register]
    if len(writers) != 1 or any(n < position or instrs[n].op.name not in _COPIES for n in readers):
        return []
    for n in readers:
        copy = instrs[n].writes
        if any(copy in instr.reads or copy == instr.writes for instr in instrs[position:n]):
            return []
    return [instrs[n] for n in readers]


def _lanes_read(copy: Instr, instrs: Sequence[Instr], lanes: Lanes, read: Mapping[Reg, int]) -> int:
    """How many lanes of a copy are read at most."""
    target = copy.writes
    assert target is not None
    here = [
        lanes.lanes_read(instr, name)
        for instr in instrs
        for name, register in instr.regs.items()
        if register == target and (name != instr.op.writes or instr.op.acc)
    ]
    return max([read.get(target, 0), *here])


def _wide_load(load: Instr, copy: Instr, vls: Sequence[int], lanes: Lanes, needed: int) -> Instr | None:
    """A load of what `copy` copies, into as many lanes as are needed of it; None where no VL of the loop has them."""
    target = copy.writes
    assert target is not None
    vl = next((vl for vl in vls if vl >= needed), None)
    if vl is None:
        return None
    touch = None if load.touch is None else replace(load.touch, stride=0)
    wide = replace(load, regs={**load.regs, "s_reg": target}, touch=touch)
    lanes.vl[wide] = vl
    return wide
