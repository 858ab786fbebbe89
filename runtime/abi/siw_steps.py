"""How many words a SIW program executes, by running its scalar part on constants: scalars never come from memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tfmbs.runtime.abi.siw import BIT_FIELD
from tfmbs.runtime.abi.siw_deps import Word, loop_end

_IMM_BITS = BIT_FIELD["s_imm"].bits
_Registers = dict[int, int]  # the registers whose value is known

_RULES: dict[str, Callable[[_Registers, Mapping[str, int]], int]] = {
    "LI": lambda s, f: f["s_imm"],
    "LIH": lambda s, f: s[f["s_reg"]] << _IMM_BITS | f["s_imm"] & ((1 << _IMM_BITS) - 1),
    "ADDI": lambda s, f: s[f["s_base"]] + f["s_imm"],
    "SADD": lambda s, f: s[f["s_base"]] + s[f["s_index"]],
    "SMUL": lambda s, f: s[f["s_base"]] * s[f["s_index"]],
}


def _wrap(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _execute(word: Word, known: _Registers) -> None:
    op, fields = word.ops["S"], word.fields
    if op.name not in _RULES:
        return
    try:
        known[fields["s_reg"]] = _wrap(_RULES[op.name](known, fields))
    except KeyError:  # of a register whose value is not known
        known.pop(fields["s_reg"], None)


def _written(words: Sequence[Word], first: int, end: int) -> set[int]:
    return {word.fields["s_reg"] for word in words[first : end + 1] if word.ops["S"].name in _RULES}


def _run(words: Sequence[Word], first: int, end: int, known: _Registers) -> int | None:
    """Steps of words first…end; updates `known`. None where a loop count is not the same constant on every trip."""
    steps, i = 0, first
    while i <= end:
        word = words[i]
        is_loop = word.ops["C"].name == "LOOP"
        trips = known.get(word.fields["c_reg"]) if is_loop else 0
        _execute(word, known)
        steps += 1
        if is_loop:
            last = loop_end(words, i)
            inner = _loop(words, i + 1, last, trips, known)
            if inner is None:
                return None
            steps += inner
            i = last
        i += 1
    return steps


def _loop(words: Sequence[Word], first: int, last: int, trips: int | None, known: _Registers) -> int | None:
    if trips is None:
        return None
    if trips < 1:
        return 0
    if trips > 1:
        for register in _written(words, first, last):
            known.pop(register, None)
    inner = _run(words, first, last, known)
    return None if inner is None else trips * inner


def count_steps(words: Sequence[Word], start: Mapping[int, int]) -> int | None:
    """Words executed from the first to END, or None where loop counts differ from trip to trip.

    The words must be valid and their loops properly nested. `start` gives the scalar registers that have a known value.
    """
    return _run(words, 0, len(words) - 1, dict(start))
