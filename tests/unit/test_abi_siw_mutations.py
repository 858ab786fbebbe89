"""Programs with one thing changed: each still loads by a second account of the rules, or is refused at a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.unit.siw_programs import Fields, fields, operations, programs, without_conflicts
from tests.unit.siw_rules import program_is_valid, split, word_is_valid
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_verify import required_deps, verify_program
from tfmbs.runtime.abi.siw_word import decode_word

Draw = Callable[[Any], Any]
_BY_LANE, _GATHERS = {"LD", "INDEX"}, {"GATHER", "GATHER64"}
_SCALAR = {"NOP", "LI", "LIH", "ADDI", "SADD", "SSUB", "SMUL", "SMIN", "SMAX"}
_ACROSS = {"RED", "FOLD", "TPOP", "SCAN", "LAST", "LAST64"}
examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def _verify(words: list[bytes], kind: ProgramKind, windows: int) -> None:
    verify_program(words, kind, windows, MAX_STEPS, "p")


def _lane_wise(draw: Draw, name: str) -> Fields:
    """What an operation of slot S must have in an epilogue."""
    if name in _BY_LANE:
        base, index = draw(st.sampled_from([(1, 4), (2, 3), (0, 0), *([(4, 0), (7, 0)] if name == "INDEX" else [])]))
        return {"s_base": base, "s_index": index}
    target = draw(st.sampled_from([5, 6])) if name in _SCALAR - {"NOP"} else 0
    return {"s_base": 0} if name in _GATHERS else {"s_reg": target} if target else {}


def _any_words(draw: Draw, kind: ProgramKind) -> list[Fields]:
    """Words of all operations that a program of this kind may have."""
    epilogue = kind is ProgramKind.EPILOGUE
    slots = {
        "D": [op for op in siw.OPS if op.slot == "D" and not (epilogue and op.name in _ACROSS)],
        "S": [op for op in siw.OPS if op.slot == "S" and (not epilogue or op.name in _BY_LANE | _GATHERS | _SCALAR)],
        "C": [op for op in siw.OPS if op.slot == "C" and op.name in ("NOP", "CAST")],
    }
    words = []
    for _ in range(draw(st.integers(1, 5))):
        parts = [draw(st.sampled_from(ops).flatmap(operations)) for ops in slots.values()]
        if epilogue:
            parts[1] |= _lane_wise(draw, siw.OP_BY_CODE["S", parts[1]["s_op"]].name)
        words.append(without_conflicts(tuple(parts)))
    return [*words, fields("C", "END")]


@st.composite
def _valid(draw: Any, kind: ProgramKind) -> list[bytes]:
    """A valid program of 16 windows."""
    structured = kind is ProgramKind.VECTOR and draw(st.booleans())
    words = draw(programs(8)) if structured else _any_words(draw, kind)
    waits = required_deps([siw.encode(word) for word in words])
    return [siw.encode({**word, **wait._asdict()}) for word, wait in zip(words, waits, strict=True)]


def _field(draw: Draw, words: list[int]) -> None:
    """Another value of a field."""
    f = draw(st.sampled_from(siw.FIELDS))
    i, mask = draw(st.integers(0, len(words) - 1)), (1 << f.bits) - 1
    old = words[i] >> f.low & mask
    value = draw(st.sampled_from([old + 1, old - 1, 0, 1, 2, mask, mask >> 1]) | st.integers(0, mask)) & mask
    words[i] = words[i] & ~(mask << f.low) | value << f.low


def _bit(draw: Draw, words: list[int]) -> None:
    """Another bit."""
    words[draw(st.integers(0, len(words) - 1))] ^= 1 << draw(st.integers(0, 127))


def _waits(draw: Draw, words: list[int]) -> None:
    """Another wait."""
    i = draw(st.integers(0, len(words) - 1))
    words[i] = words[i] & ~(0xFF << 120) | draw(st.integers(0, 7) | st.integers(0, 255)) << 120


def _drop(draw: Draw, words: list[int]) -> None:
    """A word less."""
    words.pop(draw(st.integers(0, len(words) - 1)))


def _swap(draw: Draw, words: list[int]) -> None:
    """Two words in the other order."""
    i, j = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
    words[i], words[j] = words[j], words[i]


def _again(draw: Draw, words: list[int]) -> None:
    """A word twice."""
    i = draw(st.integers(0, len(words) - 1))
    words.insert(i, words[i])


def _control(draw: Draw, words: list[int]) -> None:
    """Other control in a word."""
    code = draw(st.integers(0, 7))
    bits = code | draw(st.integers(0, 3)) << 8 | draw(st.integers(0, 9)) << 13
    i = draw(st.integers(0, len(words) - 1))
    words[i] = words[i] & ~(0xFFFFFFFF << 88) | bits << 88


_MUTATIONS = (_field, _bit, _waits, _drop, _swap, _again, _control)


@pytest.mark.parametrize("kind", ProgramKind, ids=lambda kind: kind.name)
@pytest.mark.parametrize("mutate", _MUTATIONS, ids=lambda mutate: mutate.__name__.strip("_"))
@examples
@given(st.data())
def test_mutants_load_by_the_rules_or_are_refused_at_a_place(
    mutate: Callable[..., None], kind: ProgramKind, data: st.DataObject
) -> None:
    words = data.draw(_valid(kind))
    _verify(words, kind, siw.WINDOWS)
    mutants = [int.from_bytes(word, "little") for word in words]
    mutate(data.draw, mutants)
    changed = [word.to_bytes(16, "little") for word in mutants]
    windows = data.draw(st.sampled_from([siw.WINDOWS, siw.WINDOWS, 2, 1]))
    valid = program_is_valid(changed, kind, windows)
    event(f"valid: {valid}")
    if valid:
        _verify(changed, kind, windows)
        return
    with pytest.raises(TfmbsError) as caught:
        _verify(changed, kind, windows)
    assert caught.value.code == "siw"
    assert re.match(r"error: p( word \d+)?: ", str(caught.value))


@examples
@given(st.binary(min_size=16, max_size=16))
def test_any_bytes_are_a_word_by_the_rules_or_are_refused(data: bytes) -> None:
    if word_is_valid(split(int.from_bytes(data, "little"))):
        decode_word(data, "here")
        return
    with pytest.raises(TfmbsError) as caught:
        decode_word(data, "here")
    assert (caught.value.code, caught.value.location) == ("siw", "here")


def test_a_program_without_words_is_refused() -> None:
    with pytest.raises(TfmbsError) as caught:
        _verify([], ProgramKind.VECTOR, 0)
    assert caught.value.code == "siw"
