"""Step counts of SIW programs against execution."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.siw_programs import Fields, fields
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.siw_steps import count_steps
from tfmbs.runtime.abi.siw_verify import decode_program

ZEROS = dict.fromkeys(range(siw.SCALAR_REGISTERS), 0)
_STEP_LIMIT = 20_000
_REGISTER = st.integers(1, 3)
_BINARY = ("SADD", "SSUB", "SMUL", "SMIN", "SMAX")


def _count(words: list[Fields]) -> int | None:
    return count_steps(decode_program([siw.encode(word) for word in words], "p"), ZEROS)


@st.composite
def _programs(draw: Any, scopes: tuple[str, ...], scalars: tuple[str, ...] = ()) -> list[Fields]:
    """Programs of scalar operations and the named kinds of control; the last word holds END."""
    words: list[Fields] = []

    def scalar() -> Fields:
        name = draw(st.sampled_from(["LI", "LI", "LIH", "ADDI", *_BINARY, *scalars]))
        reg, base, index = (draw(_REGISTER) for _ in range(3))
        if name == "SGET":
            return fields("S", name, type=6, reg=reg, index=0)
        if name in _BINARY:
            return fields("S", name, reg=reg, base=base, index=index)
        imm = draw(st.integers(-2, 4))
        return fields("S", name, reg=reg, imm=imm, **({"base": base} if name == "ADDI" else {}))

    def block(length: int, loops: int, depth: int) -> None:
        while length > 0:
            kind = draw(st.sampled_from(["", "", *scopes]))
            if kind in ("LOOP", "SKIP") and length > 1 and depth < 4:
                body = draw(st.integers(1, length - 1))
                words.append(scalar() | fields("C", kind, reg=draw(_REGISTER), imm=body))
                block(body, loops + (kind == "LOOP"), depth + 1)
                length -= body + 1
            else:
                leaves = kind == "BREAK" and loops
                words.append(scalar() | (fields("C", "BREAK", reg=draw(_REGISTER)) if leaves else {}))
                length -= 1

    block(draw(st.integers(1, 12)), 0, 0)
    return [*words, fields("C", "END")]


def _wrap(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class _Machine:
    """Executes the scalars and the control of a program; SGET takes the next of `data`."""

    def __init__(self, words: list[Fields], data: list[int]) -> None:
        self.words = words
        self.data = data
        self.s = [0] * siw.SCALAR_REGISTERS
        self.steps = 0

    def run(self, first: int, end: int) -> bool:
        """Runs words first…end; returns whether a BREAK leaves the loop around them."""
        i = first
        while i <= end and self.steps <= _STEP_LIMIT:
            word = self.words[i]
            control = siw.OP_BY_CODE["C", word.get("c_op", 0)].name
            value, last = self.s[word.get("c_reg", 0)], i + word.get("c_imm", 0)
            self.steps += 1
            self._scalar(word)
            if control == "BREAK" and value == 0:
                return True
            if control == "SKIP":
                if value != 0 and self.run(i + 1, last):
                    return True
                i = last
            if control == "LOOP":
                trip = 0
                while trip < value and self.steps <= _STEP_LIMIT and not self.run(i + 1, last):
                    trip += 1
                i = last
            i += 1
        return False

    def _scalar(self, word: Fields) -> None:
        name = siw.OP_BY_CODE["S", word.get("s_op", 0)].name
        base, index, imm = self.s[word.get("s_base", 0)], self.s[word.get("s_index", 0)], word.get("s_imm", 0)
        rules = {
            "LI": lambda: imm,
            "LIH": lambda: self.s[word["s_reg"]] << 17 | imm & 0x1FFFF,
            "ADDI": lambda: base + imm,
            "SADD": lambda: base + index,
            "SSUB": lambda: base - index,
            "SMUL": lambda: base * index,
            "SMIN": lambda: min(base, index),
            "SMAX": lambda: max(base, index),
            "SGET": lambda: self.data.pop(0) if self.data else 0,
        }
        if name in rules:
            self.s[word["s_reg"]] = _wrap(rules[name]())


def _executed(words: list[Fields], data: list[int] | None = None) -> int:
    machine = _Machine(words, data or [])
    machine.run(0, len(words) - 1)
    return machine.steps


@settings(max_examples=200)
@given(_programs(("LOOP",)))
def test_step_counts_agree_with_execution(words: list[Fields]) -> None:
    counted, executed = _count(words), _executed(words)
    if executed <= _STEP_LIMIT:
        assert counted in (None, executed)
    else:
        assert counted is None or counted > _STEP_LIMIT


@settings(max_examples=300)
@given(_programs(("LOOP", "SKIP", "BREAK"), ("SGET",)), st.lists(st.integers(-1, 3), max_size=40))
def test_no_way_takes_more_steps_than_counted(words: list[Fields], data: list[int]) -> None:
    counted = _count(words)
    assert counted is None or min(_executed(words, data), _STEP_LIMIT) <= counted


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "LI s1, 1000\nLI s2, 3\nLOOP s1, 3\nADDI s3, s3, 1 | LOOP s2, 2\nNOP\nNOP\nEND",
            3 + 1000 * (1 + 3 * 2) + 1,
        ),
        ("LI s1, 10\nLI s2, 3\nSMAX s1, s1, s2\nSSUB s1, s1, s2\nLOOP s1, 1\nNOP\nEND", 5 + 7 + 1),
        # As if nothing were skipped and no loop left early.
        ("LI s1, 10\nLOOP s1, 3\nSKIP s2, 1\nNOP\nBREAK s3\nEND", 2 + 10 * 3 + 1),
        # What a skipped part or data write is not known behind it; what they leave alone is.
        ("SKIP s2, 1\nLI s1, 10\nLOOP s1, 1\nNOP\nEND", None),
        ("SGET.I32 s1, v0\nLOOP s1, 1\nNOP\nEND", None),
        ("LI s1, 4\nSKIP s2, 1\nLI s2, 10\nLOOP s1, 1\nNOP\nEND", 4 + 4 + 1),
        # A loop that is left may have written or not.
        ("LI s1, 2\nLOOP s1, 2\nBREAK s3\nLI s2, 5\nLOOP s2, 1\nNOP\nEND", None),
    ],
)
def test_examples_are_counted(text: str, steps: int | None) -> None:
    assert count_steps(decode_program(assemble(text).words, "p"), ZEROS) == steps
