"""Operations that two slots can do: conversions, moves and reductions on D or C, streamed windows on S or C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tfmbs.passes.siw.machine import Instr
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

_RENAMED = {
    "CVT": ("CAST", {"d_type": "c_type", "d_vd": "c_reg", "d_va": "c_src", "d_aux": "c_aux"}),
    "MOV": ("CAST", {"d_vd": "c_reg", "d_va": "c_src"}),
    "MOV64": ("CAST", {"d_vd": "c_reg", "d_va": "c_src"}),
    "RED": ("REDUCE", {"d_type": "c_type", "d_vd": "c_reg", "d_va": "c_src", "d_aux": "c_aux"}),
    "LD": ("RECV", {"s_type": "c_type", "s_reg": "c_reg", "s_win": "c_src"}),
    "ST": ("SEND", {"s_type": "c_type", "s_reg": "c_reg", "s_win": "c_src"}),
}
_MOVES = frozenset({"MOV", "MOV64"})


def in_slot_c(instr: Instr) -> Instr:
    """The same operation in slot C; of a streamed LD or ST without its address, as the cursor has it."""
    name, fields = _RENAMED[instr.op.name]
    kept = DType.I64 if instr.op.name == "MOV64" else DType.I32  # an integer type to itself changes no bit
    same = {"c_type": int(kept), "c_aux": int(kept)} if instr.op.name in _MOVES else {}
    return replace(
        instr,
        op=siw.OP_BY_NAME["C", name],
        regs={fields[f]: r for f, r in instr.regs.items() if f in fields},
        imms={**{fields[f]: value for f, value in instr.imms.items() if f in fields}, **same},
    )


def can_move(instr: Instr) -> bool:
    """Whether slot C can do the operation of slot D."""
    return instr.op.name in ("CVT", "RED") or instr.op.name in _MOVES


def balanced(instrs: Sequence[Instr], busy: Mapping[Instr, int]) -> list[Instr]:
    """The operations with those of D that C can do shared out, so that the fuller of the two is as short as can be."""
    load = dict.fromkeys("DSC", 0)
    for instr in instrs:
        load[instr.op.slot] += busy[instr]
    moved: dict[Instr, Instr] = {}
    for instr in sorted((i for i in instrs if can_move(i)), key=lambda i: -busy[i]):
        if load["C"] + busy[instr] < load["D"]:
            load["D"] -= busy[instr]
            load["C"] += busy[instr]
            moved[instr] = in_slot_c(instr)
    return [moved.get(instr, instr) for instr in instrs]
