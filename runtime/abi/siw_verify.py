"""Checks of SIW programs: every word by the opcode table, then control flow, registers, dependency bits and steps.

- Unused fields are zero. s0 is never written. Slots D and S of a word never write the same vector register.
- END is in the last word and only there. The body of a LOOP is inside the program, before its last word, and inside
  the body of the loop around it; at most `LOOP_DEPTH` loops nest.
- Windows are below the program's number of windows. Addresses are checked by the device at each access, against the
  window; leaving it is the error `siw.address`.
- Words carry the dependency bits they need. `max_steps` is at least the number of words that are executed, where loop
  counts are constants; a device that reaches it stops with an error.
- An epilogue is lane-wise, because it sees chunks of the device's choice: no stores, no SETVL, SETVLR, RED, FOLD,
  TPOP; s1…s4 are not written; LD addresses are (s1, s4) by element, (s2, s3) by channel or (s0, s0) for a scalar,
  each plus imm; GATHER has base s0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw import BIT_FIELDS, OP_BY_CODE, Dep, Op
from tfmbs.runtime.abi.siw_deps import Word, assign_deps, loop_end, missing_deps
from tfmbs.runtime.abi.siw_steps import count_steps
from tfmbs.runtime.abi.types import DType

SLOTS = "DSC"
_SLOT_FIELDS = {
    slot: tuple(f.name for f in BIT_FIELDS if f.slot == slot and not f.name.endswith("_op")) for slot in SLOTS
}
_DEPS = sum(Dep)

# An epilogue sees one chunk of lanes at a time, and the chunks are the device's choice: what it computes must not
# depend on them. Hence no operation across lanes, and addresses that move with the lanes.
_ACROSS_LANES = frozenset({"RED", "FOLD", "TPOP", "SETVL", "SETVLR"})
_EPILOGUE_ADDRESSES = frozenset(
    {
        (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_ONE),
        (siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP),
        (0, 0),
    }
)
_EPILOGUE_SCALARS = frozenset({siw.EPILOGUE_ELEMENT, siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP, siw.EPILOGUE_ONE})


@dataclass
class Windows:
    """What a program does with its operand windows: the element types it uses, and which windows it reads or writes."""

    types: dict[int, set[DType]] = field(default_factory=dict)
    loaded: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)


def _fault(where: str, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("siw", where, what, expected, got)


# --- one word ---------------------------------------------------------------------------------------------------------


def _check_type(op: Op, fields: Mapping[str, int], where: str) -> None:
    slot = op.slot.lower()
    code = fields.get(f"{slot}_type", 0)
    if op.types and code not in op.types:
        expected = "/".join(sorted(t.name for t in op.types))
        raise _fault(where, f"{op.name}: element type", expected, code)
    if op.aux is None:
        return
    allowed: frozenset[IntEnum] = op.auxes[DType(code)] if op.auxes else frozenset(op.aux)
    if fields["d_aux"] not in allowed:
        expected = "/".join(member.name for member in sorted(allowed))
        raise _fault(where, f"{op.name}: aux", expected, fields["d_aux"])


def _check_slot(slot: str, fields: Mapping[str, int], where: str) -> Op:
    code = fields[f"{slot.lower()}_op"]
    op = OP_BY_CODE.get((slot, code))
    if op is None:
        raise _fault(where, f"slot {slot}: opcode {code} is not known")
    for name in _SLOT_FIELDS[slot]:
        if name not in op.uses and fields[name]:
            raise _fault(where, f"{op.name}: unused field {name}", 0, fields[name])
    _check_type(op, fields, where)
    if op.writes and op.writes not in op.vectors and fields[op.writes] == 0:
        raise _fault(where, f"{op.name} writes s0, which is always 0")
    return op


def check_word(fields: Mapping[str, int], where: str) -> dict[str, Op]:
    """Checks one decoded word by itself; returns its opcodes by slot. Raises TfmbsError `siw`."""
    ops = {slot: _check_slot(slot, fields, where) for slot in SLOTS}
    if fields["deps"] & ~_DEPS:
        raise _fault(where, "dependency bits", f"within {_DEPS:#x}", hex(fields["deps"]))
    if ops["S"].is_load and ops["D"].writes and fields["d_vd"] == fields["s_reg"]:
        raise _fault(where, f"slots D and S both write v{fields['s_reg']}")
    if ops["C"].name == "SETVL" and not 1 <= fields["c_imm"] <= siw.VLMAX:
        raise _fault(where, "SETVL", f"1…{siw.VLMAX}", fields["c_imm"])
    return ops


# --- the program ------------------------------------------------------------------------------------------------------


def _check_control(words: Sequence[Word], name: str) -> None:
    last = len(words) - 1
    ends: list[int] = []
    for i, word in enumerate(words):
        where = f"{name} word {i}"
        while ends and i > ends[-1]:
            ends.pop()
        control = word.ops["C"].name
        if (control == "END") != (i == last):
            raise _fault(where, "END", "in the last word, and only there")
        if control == "LOOP":
            end, limit = loop_end(words, i), ends[-1] if ends else last - 1
            if not i < end <= limit:
                raise _fault(where, "LOOP: last word of the body", f"{i + 1}…{limit}", end)
            if len(ends) == siw.LOOP_DEPTH:
                raise _fault(where, "nested loops", f"at most {siw.LOOP_DEPTH}", siw.LOOP_DEPTH + 1)
            ends.append(end)


def _check_epilogue(words: Sequence[Word], name: str) -> None:
    for i, word in enumerate(words):
        where = f"{name} word {i}"
        for op in word.ops.values():
            if op.name in _ACROSS_LANES or op.is_store:
                raise _fault(where, f"{op.name} in an epilogue", "lane-wise operations only")
        s, f = word.ops["S"], word.fields
        if s.name == "LD" and (f["s_base"], f["s_index"]) not in _EPILOGUE_ADDRESSES:
            got = f"s{f['s_base']}, s{f['s_index']}"
            raise _fault(where, "LD in an epilogue: base and index", "s1, s4 or s2, s3 or s0, s0", got)
        if s.name == "GATHER" and f["s_base"]:
            raise _fault(where, "GATHER in an epilogue: base", "s0", f"s{f['s_base']}")
        if s.writes and s.writes not in s.vectors and f[s.writes] in _EPILOGUE_SCALARS:
            raise _fault(where, f"{s.name} in an epilogue writes s{f[s.writes]}", "s1…s4 unchanged")


def _windows(words: Sequence[Word], count: int, name: str) -> Windows:
    used = Windows()
    for i, word in enumerate(words):
        op, window = word.ops["S"], word.fields["s_win"]
        if op.unit != "memory":
            continue
        if window >= count:
            raise _fault(f"{name} word {i}", f"{op.name}: window", f"below {count}", window)
        used.types.setdefault(window, set()).add(DType(word.fields["s_type"]))
        (used.loaded if op.is_load else used.stored).add(window)
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
    if steps is not None and steps > max_steps:
        raise _fault(name, "words it executes", f"at most max_steps = {max_steps}", steps)


def decode_program(words: Sequence[bytes], name: str) -> list[Word]:
    """Decodes and checks each word by itself."""
    decoded = []
    for i, data in enumerate(words):
        fields = siw.decode(data)
        decoded.append(Word(fields, check_word(fields, f"{name} word {i}")))
    return decoded


def verify_program(words: Sequence[bytes], kind: ProgramKind, windows: int, max_steps: int, name: str) -> Windows:
    """Checks a whole program of `windows` operand windows; returns how it uses them.

    What depends on the launch (types of the windows, read-only regions) is checked per descriptor, addresses by the
    device. Raises TfmbsError `siw`, or `resource-limit` for a `max_steps` out of range; `name` is its location.
    """
    decoded = decode_program(words, name)
    _check_control(decoded, name)
    if kind is ProgramKind.EPILOGUE:
        _check_epilogue(decoded, name)
    used = _windows(decoded, windows, name)
    for i, bits in enumerate(missing_deps(decoded)):
        if bits:
            names = "+".join(dep.name for dep in Dep if bits & dep)
            raise _fault(f"{name} word {i}", "dependency bits", f"{names} set", f"{decoded[i].fields['deps']:#x}")
    _check_steps(decoded, kind, max_steps, name)
    return used


def required_deps(words: Sequence[bytes]) -> list[int]:
    """The dependency bits that each word of a program must have, whatever bits `words` carry now.

    The words must be valid by themselves and their loops properly nested. For code generation.
    """
    return assign_deps(decode_program(words, "program"))
