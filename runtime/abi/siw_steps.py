"""How many words a SIW program executes, by running its scalar part on constants.

With SKIP and BREAK it is the number as if nothing were skipped and no loop left early, which is an upper bound. What a
skipped part and a loop that can be left early write is not known behind them, nor is what SGET takes from a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tfmbs.runtime.abi.siw import BIT_FIELD
from tfmbs.runtime.abi.siw_word import Word, scope_end

_IMM_BITS = BIT_FIELD["s_imm"].bits
_Registers = dict[int, int]  # the registers whose value is known

_RULES: dict[str, Callable[[_Registers, Mapping[str, int]], int]] = {
    "LI": lambda s, f: f["s_imm"],
    "LIH": lambda s, f: s[f["s_reg"]] << _IMM_BITS | f["s_imm"] & ((1 << _IMM_BITS) - 1),
    "ADDI": lambda s, f: s[f["s_base"]] + f["s_imm"],
    "SADD": lambda s, f: s[f["s_base"]] + s[f["s_index"]],
    "SSUB": lambda s, f: s[f["s_base"]] - s[f["s_index"]],
    "SMUL": lambda s, f: s[f["s_base"]] * s[f["s_index"]],
    "SMIN": lambda s, f: min(s[f["s_base"]], s[f["s_index"]]),
    "SMAX": lambda s, f: max(s[f["s_base"]], s[f["s_index"]]),
}


def _wrap(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _execute(word: Word, known: _Registers) -> None:
    target, rule = word.s.scalar_written, _RULES.get(word.s.op.name)
    if not target:
        return
    try:
        if rule is not None:
            known[target] = _wrap(rule(known, word.s.fields))
            return
    except KeyError:  # of a register whose value is not known
        pass
    known.pop(target, None)


def _forget(words: Sequence[Word], first: int, end: int, known: _Registers) -> None:
    for word in words[first : end + 1]:
        known.pop(word.s.scalar_written, None)
    known[0] = 0


def _run(words: Sequence[Word], first: int, end: int, known: _Registers) -> int | None:
    """Steps of words first…end; updates `known`. None where a loop count is not the same constant on every trip."""
    steps, i = 0, first
    while i <= end:
        word = words[i]
        control = word.c.op.name
        trips = known.get(word.c.fields["c_reg"]) if control == "LOOP" else 1
        _execute(word, known)
        steps += 1
        if control in ("LOOP", "SKIP"):
            last = scope_end(words, i)
            inner = _loop(words, i + 1, last, trips, known)
            if inner is None:
                return None
            if control == "SKIP":
                _forget(words, i + 1, last, known)
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
        _forget(words, first, last, known)
    inner = _run(words, first, last, known)
    if any(word.c.op.name == "BREAK" for word in words[first : last + 1]):
        _forget(words, first, last, known)
    return None if inner is None else trips * inner


def count_steps(words: Sequence[Word], start: Mapping[int, int]) -> int | None:
    """Words executed from the first to END, or None where loop counts differ from trip to trip.

    The words must be valid and their control properly nested. `start` gives the scalar registers that have a known
    value.
    """
    return _run(words, 0, len(words) - 1, {**start, 0: 0})
