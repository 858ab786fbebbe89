"""Loops that use several VLs: each gets a phase of the interval, in which its operations issue.

VL belongs to the machine, not to an iteration, so operations of overlapping iterations can follow each other only with
the VL they share. The interval is divided into one phase per VL, in the order of their first use; a SETVL in slot C
starts each. An operation issues in the phase of its VL, in whatever stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import ZERO, Instr, Reg
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw_timing import Timing, has_beats

SETVL = siw.OP_BY_NAME["C", "SETVL"]


@dataclass(frozen=True)
class Phases:
    """The VLs of a loop, and the VL of each operation (its index; -1: any).

    `wants` is how much of the interval each VL needs, `tails` for how much of that its last operation is busy, so that
    nothing more of this VL has to issue; `control` is how busy slot C is, in which the SETVL have to issue.
    """

    vls: tuple[int, ...] = ()
    wants: tuple[int, ...] = ()
    tails: tuple[int, ...] = ()
    control: int = 0
    member: tuple[int, ...] = ()

    @property
    def bound(self) -> int:
        """The least interval that the phases divide."""
        return 2 * len(self.vls)

    def starts(self, interval: int) -> list[int]:
        """When the SETVL of each phase issues; its VL holds from the cycle behind it to the next one's."""
        if not self.vls:
            return []
        if self.control + max(self.tails) > interval:  # slot C ends a phase like the others: by its operations' shares
            total, spare = sum(self.wants), interval - 2 * len(self.vls)
            return [2 * n + spare * sum(self.wants[:n]) // total for n in range(len(self.vls))]
        spare = max(0, interval - sum(self.wants) - len(self.vls)) // len(self.vls)
        starts, done = [0], 1
        for want, tail in zip(self.wants[:-1], self.tails, strict=False):
            done += want + spare
            starts.append(max(starts[-1] + 2, done - tail))
        return [min(start, interval - 2 * (len(starts) - n)) for n, start in enumerate(starts)]


def setvl(vl: int) -> Instr:
    """The operation that sets VL."""
    return Instr(SETVL, {}, {"c_imm": vl})


def needs_vl(instr: Instr) -> bool:
    """Whether an operation depends on VL."""
    return has_beats(instr.op)


def constant_vls(body: Sequence[Instr], lanes: Lanes) -> list[int] | None:
    """The VLs that the operations of a body need, in the order of first use; None when one is not known."""
    found: dict[int, None] = {}
    for instr in body:
        if needs_vl(instr):
            vl = lanes.vl[instr]
            if not isinstance(vl, int):
                return None
            found.setdefault(vl)
    return list(found)


_ACROSS_LANES = frozenset({"RED", "REDUCE", "TPOP", "SCAN", "LAST", "LAST64"})


def with_wider_vl(
    instrs: Sequence[Instr], vls: Sequence[int], lanes: Lanes, timing: Timing, read: Mapping[Reg, int]
) -> dict[Instr, int]:
    """The VL for each operation, where all of one VL may work on more lanes, so that the loop has fewer phases.

    More lanes are harmless where nobody reads them and no other memory is touched; they must not take the fullest slot
    longer. `read` says how many lanes of a register are read.
    """
    vl = {instr: lanes.cycles_vl(instr) for instr in instrs}
    for narrow in sorted(vls):
        group = [instr for instr in instrs if needs_vl(instr) and vl[instr] == narrow]
        for wide in sorted({vl[i] for i in instrs if needs_vl(i) and vl[i] > narrow}):
            wider = {**vl, **dict.fromkeys(group, wide)}
            harmless = all(_may_be_wider(instr, read, narrow) for instr in group)
            if harmless and _fullest(instrs, wider, timing) <= _fullest(instrs, vl, timing):
                vl = wider
                break
    for instr in instrs:
        if instr.op.name == "FOLD":  # it works on as many lanes with any VL up to that, and so with the widest of them
            vl[instr] = max((v for v in vl.values() if vl[instr] < v <= siw.REDUCTION_LANES), default=vl[instr])
    return vl


def _may_be_wider(instr: Instr, read: Mapping[Reg, int], vl: int) -> bool:
    op = instr.op
    if op.is_store or op.name in _ACROSS_LANES or instr.writes is None:
        return False
    if op.is_load and (op.name != "LD" or instr.regs["s_index"] != ZERO):
        return False
    return op.name == "FOLD" or (not op.acc and read.get(instr.writes, 0) <= vl)


def _fullest(instrs: Sequence[Instr], vl: Mapping[Instr, int], timing: Timing) -> int:
    load = dict.fromkeys("DSC", 0)
    for instr in instrs:
        load[instr.op.slot] += timing.busy(instr.op, vl[instr])
    return max(load.values())


def phases_of(instrs: Sequence[Instr], vls: Sequence[int], lanes: Lanes, timing: Timing) -> Phases:
    """The phases of a loop. Each wants as much of the interval as its operations keep the fullest slot busy."""
    if len(vls) < 2:
        return Phases(member=(-1,) * len(instrs))
    load: dict[tuple[int, str], int] = {}
    member = []
    for instr in instrs:
        vl = lanes.vl[instr]
        if not needs_vl(instr) or not isinstance(vl, int):
            member.append(-1)
            continue
        phase = vls.index(vl)
        member.append(phase)
        key = (phase, instr.op.slot)
        load[key] = load.get(key, 0) + timing.busy(instr.op, vl)
    wants = tuple(max(load.get((phase, slot), 0) for slot in "DSC") for phase in range(len(vls)))
    busy: list[list[int]] = [[] for _ in vls]
    for instr, phase in zip(instrs, member, strict=True):
        if phase >= 0:
            busy[phase].append(timing.busy(instr.op, vls[phase]))
    tails = tuple(min(cycles for cycles in each if 2 * cycles >= max(each)) for each in busy)
    control = len(vls) + sum(load.get((phase, "C"), 0) for phase in range(len(vls)))
    return Phases(tuple(vls), wants, tails, control, tuple(member))
