"""Checks of SIW programs: every word by itself, then control flow, registers, waits and steps.

- A word is valid by itself: unused fields are zero, element type and aux are among those of the opcode, an operand with
  64-bit lanes names an even register, s0 is never written, no two slots write the same vector register, slots S and C
  touch the same window only to read it, and `left` is 0 without LOAD.
- END is in the last word and only there. The body of a LOOP and the words of a SKIP are inside the program, before its
  last word, and inside the body and the skipped part around them; at most `LOOP_DEPTH` loops nest; a BREAK is inside a
  loop.
- Windows are below the program's number of windows. Addresses and cursors are checked by the device at each access,
  against the window; leaving it is the error `siw.address`.
- Words carry the waits they need. `max_steps` is at least the number of words that are executed, where loop counts are
  constants: of a program with SKIP or BREAK, as if nothing were skipped and no loop left early, but no more than
  `MAX_STEPS`. A device that reaches `max_steps` stops with an error.
- An epilogue is lane-wise, because it sees chunks of the device's choice: no stores, no streams, no SETVL, SETVLR, RED,
  FOLD, REDUCE, TPOP, SCAN, LAST, LAST64, SGET, SKIP, BREAK; LD and INDEX have base and index (s1, s4) by element,
  (s2, s3) by channel or (s0, s0) for a scalar, each plus imm, and INDEX also any other base with s0, for a constant;
  GATHER and GATHER64 have base s0; s1…s4 are not written, and neither the count of a LOOP nor that other base of INDEX
  depends on s1, s2 or s3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_deps import Wait
from tfmbs.runtime.abi.siw_epilogue import check_epilogue
from tfmbs.runtime.abi.siw_flow import assign_deps, missing_deps
from tfmbs.runtime.abi.siw_steps import count_steps
from tfmbs.runtime.abi.siw_word import Word, decode_word, scope_end
from tfmbs.runtime.abi.types import DType


@dataclass
class Windows:
    """What a program does with its operand windows: the element types it uses, and which windows it reads or writes."""

    types: dict[int, set[DType]] = field(default_factory=dict)
    loaded: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)


def _fault(where: str, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("siw", where, what, expected, got)


@dataclass
class _Scope:
    """An open loop or skipped part."""

    name: str
    end: int


def _check_control(words: Sequence[Word], name: str) -> None:
    if not words:
        raise _fault(name, "words", "at least 1", 0)
    last = len(words) - 1
    scopes: list[_Scope] = []
    for i, word in enumerate(words):
        control = word.c.op.name
        if (control == "END") != (i == last):
            raise _fault(f"{name} word {i}", "END", "in the last word, and only there")
        while scopes and i > scopes[-1].end:
            scopes.pop()
        if control in ("LOOP", "SKIP"):
            end, limit = scope_end(words, i), scopes[-1].end if scopes else last - 1
            if not i < end <= limit:
                what = "last word of the body" if control == "LOOP" else "last word to skip"
                raise _fault(f"{name} word {i}", f"{control}: {what}", f"{i + 1}…{limit}", end)
            scopes.append(_Scope(control, end))
            depth = sum(scope.name == "LOOP" for scope in scopes)
            if depth > siw.LOOP_DEPTH:
                raise _fault(f"{name} word {i}", "nested loops", f"at most {siw.LOOP_DEPTH}", depth)
        elif control == "BREAK" and not any(scope.name == "LOOP" for scope in scopes):
            raise _fault(f"{name} word {i}", "BREAK", "inside a loop")


def _windows(words: Sequence[Word], count: int, name: str) -> Windows:
    used = Windows()
    for i, word in enumerate(words):
        for slot in (word.s, word.c):
            if slot.op.unit != "memory":
                continue
            if slot.window >= count:
                raise _fault(f"{name} word {i}", f"{slot.op.name}: window", f"below {count}", slot.window)
            used.types.setdefault(slot.window, set()).add(slot.dtype)
            (used.loaded if slot.loaded else used.stored).add(slot.window)
    return used


def _check_steps(words: Sequence[Word], kind: ProgramKind, max_steps: int, name: str) -> None:
    if not 1 <= max_steps <= MAX_STEPS:
        raise TfmbsError("resource-limit", name, "max_steps", f"1…{MAX_STEPS}", max_steps)
    start = dict.fromkeys(range(siw.SCALAR_REGISTERS), 0)
    if kind is ProgramKind.EPILOGUE:
        start[siw.EPILOGUE_ONE] = 1
        for register in (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP):
            del start[register]
    steps = count_steps(words, start)
    if steps is not None and any(word.c.op.name in ("SKIP", "BREAK") for word in words):
        steps = min(steps, MAX_STEPS)
    if steps is not None and steps > max_steps:
        raise _fault(name, "words it executes", f"at most max_steps = {max_steps}", steps)


def decode_program(words: Sequence[bytes], name: str) -> list[Word]:
    """Decodes and checks each word by itself."""
    return [decode_word(data, f"{name} word {i}") for i, data in enumerate(words)]


def verify_program(words: Sequence[bytes], kind: ProgramKind, windows: int, max_steps: int, name: str) -> Windows:
    """Checks a whole program of `windows` operand windows; returns how it uses them.

    What depends on the launch (types of the windows, read-only regions) is checked per descriptor, addresses by the
    device. Raises TfmbsError `siw`, or `resource-limit` for a `max_steps` out of range; `name` is its location.
    """
    decoded = decode_program(words, name)
    _check_control(decoded, name)
    if kind is ProgramKind.EPILOGUE:
        check_epilogue(decoded, name)
    used = _windows(decoded, windows, name)
    for i, missing in enumerate(missing_deps(decoded)):
        if missing.deps:
            got = Wait(decoded[i].deps, decoded[i].left)
            raise _fault(f"{name} word {i}", "waits", f"at least {missing}", str(got))
    _check_steps(decoded, kind, max_steps, name)
    return used


def required_deps(words: Sequence[bytes]) -> list[Wait]:
    """The weakest waits with which each word of a program waits for enough, whatever `words` carry now.

    The words must be valid by themselves and their control properly nested. For code generation.
    """
    return assign_deps(decode_program(words, "program"))
