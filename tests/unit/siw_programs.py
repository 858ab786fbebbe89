"""Random structured SIW programs, and every way through them, for tests of the program checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.types import DType

MOST_TRIPS = 3
Fields = dict[str, int]
Place = tuple[int, tuple[tuple[int, int], ...]]
"""A word, and the open scopes: last word of each, and trips so far (0 for a skipped part)."""


def fields(slot: str, name: str, **values: int) -> Fields:
    """The fields of an operation of a slot."""
    prefix = slot.lower()
    return {f"{prefix}_op": siw.OP_BY_NAME[slot, name].code, **{f"{prefix}_{k}": v for k, v in values.items()}}


def operations(op: siw.Op) -> st.SearchStrategy[Fields]:
    """Every value of the fields of an operation: named types and aux, even registers where lanes are 64 bits wide."""
    slot = op.slot.lower()

    def aux(fields: Fields) -> st.SearchStrategy[Fields]:
        if op.aux is None:
            return st.just(fields)
        auxes = op.auxes.get(fields.get(f"{slot}_type"), op.aux)
        return st.sampled_from(sorted(auxes)).map(lambda value: fields | {f"{slot}_aux": int(value)})

    def rest(fields: Fields) -> st.SearchStrategy[Fields]:
        values: dict[str, st.SearchStrategy[int]] = {}
        for name in op.uses:
            if name not in fields:
                low, high = siw.BIT_FIELD[name].bounds
                wide = name in op.vectors and op.lane_bits(name, fields) == 64
                values[name] = st.integers(0, 15).map(lambda n: 2 * n) if wide else st.integers(low, high)
        return st.fixed_dictionaries(values).map(lambda drawn: fields | drawn)

    code = {f"{slot}_op": op.code}
    typed = [code | {f"{slot}_type": int(dtype)} for dtype in sorted(op.types)] or [code]
    return st.sampled_from(typed).flatmap(aux).flatmap(rest)


_LANES = st.sampled_from([DType.F32, DType.F64])
_WINDOW = st.integers(0, 1)


def _register(dtype: DType) -> st.SearchStrategy[int]:
    return st.sampled_from([0, 2, 4]) if dtype in siw.WIDE else st.integers(0, 5)


def _operation(slot: str, name: str, *operands: str, **more: st.SearchStrategy[int]) -> st.SearchStrategy[Fields]:
    """An operation on registers of one type."""

    def of(dtype: DType) -> st.SearchStrategy[Fields]:
        values = {operand: _register(dtype) for operand in operands} | more
        typed = {"type": int(dtype)} if siw.OP_BY_NAME[slot, name].types else {}
        return st.fixed_dictionaries(values).map(lambda drawn: fields(slot, name, **typed, **drawn))

    wide = name.endswith("64")
    return of(DType.F64 if wide else DType.F32) if not siw.OP_BY_NAME[slot, name].types else _LANES.flatmap(of)


_SLOTS = {
    "D": st.one_of(
        st.just({}),
        _operation("D", "MOV", "vd", "va"),
        _operation("D", "MOV64", "vd", "va"),
        _operation("D", "EXP", "vd", "va"),
        _operation("D", "DIV", "vd", "va", "vb"),
        _operation("D", "SCAN", "vd", "va", "vb"),
    ),
    "S": st.one_of(
        st.just({}),
        _operation("S", "LD", "reg", win=_WINDOW),
        _operation("S", "LD", "reg", win=_WINDOW),
        _operation("S", "ST", "reg", win=_WINDOW),
        _operation("S", "GATHER", "reg", win=_WINDOW, index=st.integers(0, 5)),
        _operation("S", "GATHER64", "reg", win=_WINDOW, index=st.sampled_from([0, 2, 4])),
    ),
    "C": st.one_of(
        st.just({}),
        st.just({}),
        _operation("C", "RECV", "reg", src=_WINDOW),
        _operation("C", "SEND", "reg", src=_WINDOW),
        _operation("C", "REDUCE", "reg", "src"),
    ),
}


def is_valid(word: Fields) -> bool:
    """Whether the word is valid by itself."""
    try:
        decode_word(siw.encode(word), "")
    except TfmbsError:
        return False
    return True


def without_conflicts(parts: tuple[Fields, ...]) -> Fields:
    """The operations that together are a valid word, the first ones first."""
    word: Fields = {}
    for part in parts:
        if is_valid({**word, **part}):
            word |= part
    return word


@st.composite
def programs(draw: Any, most_words: int = 12) -> list[Fields]:
    """The fields of the words of a program of loops, skips and breaks, without waits; the last holds END."""
    words: list[Fields] = []

    def data(slots: str) -> Fields:
        return without_conflicts(tuple(draw(_SLOTS[slot]) for slot in slots))

    def block(length: int, loops: int, depth: int) -> None:
        while length > 0:
            kind = draw(st.sampled_from(["word", "word", "loop", "skip", "break"]))
            if kind in ("loop", "skip") and length > 1 and depth < 4:
                body = draw(st.integers(1, length - 1))
                name = "LOOP" if kind == "loop" else "SKIP"
                words.append(data("DS") | fields("C", name, reg=1, imm=body))
                block(body, loops + (kind == "loop"), depth + 1)
                length -= body + 1
            elif kind == "break" and loops:
                words.append(data("DS") | fields("C", "BREAK", reg=1))
                length -= 1
            else:
                words.append(data("DSC"))
                length -= 1

    block(draw(st.integers(1, most_words)), 0, 0)
    return [*words, data("DS") | fields("C", "END")]


def _ends(at: int, scopes: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[int, Any]]:
    """Where a program goes behind word `at`, the last word of some of the scopes (first word, last word, trips)."""
    if not scopes or scopes[-1][1] != at:
        yield at + 1, scopes
        return
    first, last, trips = scopes[-1]
    if 0 < trips < MOST_TRIPS:
        yield first, (*scopes[:-1], (first, last, trips + 1))
    yield from _ends(at, scopes[:-1])


def ways(word: Fields, at: int, scopes: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[int, Any]]:
    """Every place (word, open scopes) that may follow word `at`: loops run 0 to `MOST_TRIPS` times."""
    control = siw.OP_BY_CODE["C", word.get("c_op", 0)].name
    end = at + word.get("c_imm", 0)
    if control == "LOOP":
        yield at + 1, (*scopes, (at + 1, end, 1))
        yield from _ends(end, scopes)
    elif control == "SKIP":
        yield at + 1, (*scopes, (at + 1, end, 0))
        yield from _ends(end, scopes)
    elif control == "BREAK":
        yield from _ends(at, scopes)
        inner = max(i for i, scope in enumerate(scopes) if scope[2])
        yield from _ends(scopes[inner][1], scopes[:inner])
    elif control != "END":
        yield from _ends(at, scopes)
