"""Whether two memory operations can touch the same element of a window.

A window that is stored to overlaps no other window of its launch (the verifier refuses that), so only operations on the
same window can. Places are affine in the iteration numbers of loops; what is not known is taken to overlap.
"""

from __future__ import annotations

from math import gcd

from tfmbs.passes.siw.machine import Instr, Touch

FURTHEST = 16
"""How many iterations ahead accesses are compared before they count as dependent at the next distance."""


def window_of(instr: Instr) -> int:
    """The window of a memory operation."""
    return instr.imms.get("s_win" if instr.op.slot == "S" else "c_src", 0)


def overlaps(first: Touch | None, second: Touch | None, lanes: int, loop: int | None = None, ahead: int = 0) -> bool:
    """Whether `first` may touch an element that `second` touches `ahead` iterations of `loop` later.

    Both are in the same iteration of every other loop; `lanes` is the most that either has. Without a touch, or without
    known terms, the answer is yes.
    """
    if first is None or second is None:
        return True
    if first.window != second.window:
        return False
    if first.terms is None or second.terms is None:
        return True
    here, there = dict(first.terms), dict(second.terms)
    if any(here.get(name, 0) != there.get(name, 0) for name in here.keys() | there.keys()):
        return True
    moved = there.get(loop, 0) * ahead if loop is not None else 0
    return _meet(first.offset, first.stride, second.offset + moved, second.stride, lanes)


def _meet(a: int, a_stride: int, b: int, b_stride: int, lanes: int) -> bool:
    """Whether a + i * a_stride = b + j * b_stride for some i, j below `lanes`; exact for equal strides."""
    a_ends = sorted((a, a + (lanes - 1) * a_stride))
    b_ends = sorted((b, b + (lanes - 1) * b_stride))
    if a_ends[1] < b_ends[0] or b_ends[1] < a_ends[0]:
        return False
    step = gcd(a_stride, b_stride)
    if step == 0:
        return a == b
    if (b - a) % step:
        return False
    return a_stride != b_stride or abs((b - a) // step) < lanes


def distance(first: Instr, second: Instr, lanes: int, loop: int) -> int | None:
    """After how many iterations, at least one, `second` may touch what `first` touched; None: never."""
    here, there = first.touch, second.touch
    if here is None or there is None or here.terms is None or there.terms is None:
        return 1
    step = dict(there.terms).get(loop, 0)
    if step == 0 or step != dict(here.terms).get(loop, 0):
        return 1 if overlaps(here, there, lanes, loop, 1) else None
    for ahead in range(1, FURTHEST + 1):
        if overlaps(here, there, lanes, loop, ahead):
            return ahead
    reach = (lanes - 1) * (abs(here.stride) + abs(there.stride)) + abs(there.offset - here.offset)
    return FURTHEST + 1 if reach >= abs(step) * (FURTHEST + 1) else None
