"""Instruction words of one program at several sizes, as words in which immediates are forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.fitting import Fitter
from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.patches import WORD_FIELDS

_LOAD, _EXTEND = (siw.OP_BY_NAME["S", name].code for name in ("LI", "LIH"))
_DIGIT = siw.BIT_FIELD["s_imm"].bits
_EXACT = 1 << 24  # whole numbers up to here are F32


@dataclass(frozen=True)
class SizedWord:
    """A word, with those of its fields that depend on sizes."""

    data: bytes
    forms: tuple[tuple[str, Form], ...] = ()


class WordsDifferError(ValueError):
    """Words that are no program of one form; the text says where."""


def unified_words(programs: Sequence[Sequence[bytes]], fitter: Fitter) -> list[SizedWord]:
    """One program from those at the fitter's points; its words are those of the first.

    Raises WordsDifferError where they differ in anything but immediates that follow polynomials.
    """
    first = programs[0]
    if any(len(words) != len(first) for words in programs):
        raise WordsDifferError(f"{_listed(len(words) for words in programs)} words")
    varying = [number for number, words in enumerate(zip(*programs, strict=True)) if len(set(words)) > 1]
    forms: dict[int, list[tuple[str, Form]]] = {number: [] for number in varying}
    for chain in _chains(first):
        if any(number in forms for number in chain):
            for number, form in zip(chain, _digits(programs, chain, fitter), strict=True):
                forms[number] = [("s_imm", form)]
    for number in varying:
        fields = [siw.decode(words[number]) for words in programs]
        if any(_fixed(other) != _fixed(fields[0]) for other in fields):
            raise WordsDifferError(f"word {number}")
        done = {name for name, _ in forms[number]}
        for name in WORD_FIELDS:
            values = [each[name] for each in fields]
            if len(set(values)) > 1 and name not in done:
                forms[number].append((name, _fitted(values, fitter, f"{name} of word {number}")))
    return [SizedWord(word, tuple(forms.get(number, ()))) for number, word in enumerate(first)]


def _chains(words: Sequence[bytes]) -> list[list[int]]:
    """Words that load one number together: LI, and the LIH of its register that follow it."""
    chains: list[list[int]] = []
    last: dict[int, list[int]] = {}  # by register
    for number, word in enumerate(words):
        operation, register = siw.field_of(word, "s_op"), siw.field_of(word, "s_reg")
        if operation == _LOAD:
            last[register] = [number]
        elif operation == _EXTEND and register in last:
            last[register].append(number)
            if len(last[register]) == 2:
                chains.append(last[register])
    return chains


def _fixed(fields: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in fields.items() if name not in WORD_FIELDS}


def _fitted(values: Sequence[int], fitter: Fitter, where: str) -> Form:
    form = fitter.fit(values)
    if form is None:
        raise WordsDifferError(f"{where}: {_listed(values)}")
    return form


def _digits(programs: Sequence[Sequence[bytes]], chain: Sequence[int], fitter: Fitter) -> list[Form]:
    """The forms of the words that load a number together, the highest bits first."""
    numbers = []
    for words in programs:
        number = siw.field_of(words[chain[0]], "s_imm")
        for extend in chain[1:]:
            number = number << _DIGIT | siw.field_of(words[extend], "s_imm") & (1 << _DIGIT) - 1
        numbers.append(number)
    form = _float_form(numbers, fitter) or _fitted(numbers, fitter, f"the number of word {chain[0]}")
    shifts = [_DIGIT * place for place in reversed(range(len(chain)))]
    return [replace(form, shift=shift, part=place > 0) for place, shift in enumerate(shifts)]


def _float_form(numbers: Sequence[int], fitter: Fitter) -> Form | None:
    """The form of whole numbers, of which these are the bits as f32."""
    if fitter.fit(numbers) or not all(0 <= number < 1 << 32 for number in numbers):
        return None
    whole = [float(value) for value in np.array(numbers, np.uint32).view(np.float32)]
    if not all(value.is_integer() and abs(value) <= _EXACT for value in whole):
        return None
    form = fitter.fit([int(value) for value in whole])
    return form and replace(form, is_f32=True)


def _listed(values: Iterable[int]) -> str:
    return " or ".join(map(str, dict.fromkeys(values)))
