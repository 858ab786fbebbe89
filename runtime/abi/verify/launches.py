"""Checks of descriptors by the table of kinds: operands, element types, sizes against geometry, windows, programs."""

from __future__ import annotations

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.kinds import BLOCKED, KIND_RULES, OPERANDS, ORDERED
from tfmbs.runtime.abi.records import DESCRIPTOR, NONE, PROGRAM, Kind, ProgramKind
from tfmbs.runtime.abi.siw_verify import Windows, verify_program
from tfmbs.runtime.abi.types import DType, Region
from tfmbs.runtime.abi.verify.attention import check_attention
from tfmbs.runtime.abi.verify.geometry import check_gemm, check_window
from tfmbs.runtime.abi.verify.groups import check_group_gemm
from tfmbs.runtime.abi.verify.lstm import check_lstm
from tfmbs.runtime.abi.verify.subject import Subject

_READ_ONLY = frozenset({Region.WEIGHTS, Region.INPUT})
_STORABLE = siw.OP_BY_NAME["S", "ST"].types


def check_programs(subject: Subject) -> None:
    """Checks every SIW program by itself, and that programs tile the words."""
    end = 0
    for index, program in enumerate(subject.image.programs):
        if program["first_word"] != end:
            raise subject.refuse(PROGRAM, index, "first_word", "first word", end, program["first_word"])
        end += program["word_count"]
        if end > len(subject.image.words):
            raise subject.refuse(PROGRAM, index, "word_count", "end", f"at most {len(subject.image.words)}", end)
        words = subject.image.words[program["first_word"] : end]
        name = f"{subject.where(PROGRAM, index)} ({subject.image.strings[program['name']]})"
        kind = ProgramKind(program["kind"])
        subject.windows.append(_windows_of(subject, words, kind, program, name))
    if end != len(subject.image.words):
        raise subject.refuse(
            PROGRAM, len(subject.image.programs), "", "words of programs", len(subject.image.words), end
        )


def _windows_of(subject: Subject, words: list[bytes], kind: ProgramKind, program: Row, name: str) -> Windows:
    """`verify_program`, once for the same program of an image and of those made of it."""
    key = b"".join(words), kind, program["windows"], program["max_steps"]
    windows: Windows | None = subject.image.verified_programs.get(key)
    if windows is None:
        windows = verify_program(words, kind, program["windows"], program["max_steps"], name)
        if subject.image.instance_of is None:
            subject.image.verified_programs[key] = windows
    return windows


def _check_operands(subject: Subject, index: int, descriptor: Row) -> None:
    kind = Kind(descriptor["kind"])
    rule = KIND_RULES[kind]
    for name in OPERANDS:
        present = descriptor[name] != NONE
        if name in rule.required and not present:
            raise subject.refuse(DESCRIPTOR, index, name, f"{kind.name}: {name}", "one", "none")
        if present and name not in rule.required | rule.optional:
            raise subject.refuse(DESCRIPTOR, index, name, f"{kind.name}: {name}", "none", "one")
    has_program = descriptor["program"] != NONE
    windows = subject.image.programs[descriptor["program"]]["windows"] if has_program else 0
    if rule.further:
        if not 1 <= descriptor["args_count"] <= len(rule.further):
            what, expected = f"{kind.name}: further operands", " and ".join(rule.further)
            raise subject.refuse(DESCRIPTOR, index, "args_count", what, expected, descriptor["args_count"])
    elif descriptor["args_count"] != windows:
        raise subject.refuse(DESCRIPTOR, index, "args_count", "operand windows", windows, descriptor["args_count"])
    wanted = ProgramKind.VECTOR if kind is Kind.VECTOR else ProgramKind.EPILOGUE
    if has_program and subject.image.programs[descriptor["program"]]["kind"] != wanted:
        raise subject.refuse(DESCRIPTOR, index, "program", f"{kind.name}: kind of its program", wanted.name)
    for name, table in (("args", subject.image.args), ("waits", subject.image.waits)):
        end, length = descriptor[f"{name}_first"] + descriptor[f"{name}_count"], len(table)
        if end > length:
            raise subject.refuse(DESCRIPTOR, index, f"{name}_first", f"end in {name}", f"at most {length}", end)


def _check_loops(subject: Subject, index: int, descriptor: Row) -> None:
    """Loops that a schedule asks for are those of the kind: other ones mean nothing."""
    if descriptor["schedule"] == NONE:
        return
    kind, schedule = Kind(descriptor["kind"]), subject.image.schedules[descriptor["schedule"]]
    for name, kinds in (("order", ORDERED), *((f"block_{axis}", BLOCKED) for axis in "mnk")):
        if schedule[name] and kind not in kinds:
            raise subject.refuse(DESCRIPTOR, index, "schedule", f"{kind.name}: {name}", 0, schedule[name])


def check_further(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks that the operands in the args table exist."""
    names = KIND_RULES[Kind(descriptor["kind"])].further
    for name, tensor_index in zip(names, subject.args(descriptor), strict=False):
        if tensor_index >= len(subject.image.tensors):
            raise subject.refuse(DESCRIPTOR, index, "args_first", f"{name}: tensor", got=tensor_index)


def _check_types(subject: Subject, index: int, descriptor: Row) -> None:
    kind = Kind(descriptor["kind"])
    lhs, out = (subject.tensor(descriptor[name]) for name in ("lhs", "out"))
    if kind is Kind.COPY:
        for name in ("dtype", "bytes"):
            if lhs[name] != out[name]:
                raise subject.refuse(DESCRIPTOR, index, "out", f"COPY: {name}", lhs[name], out[name])
        return
    rhs = DType(subject.tensor(descriptor["rhs"])["dtype"]) if descriptor["rhs"] != NONE else None
    pair = (DType(lhs["dtype"]), rhs)
    accumulators = [acc for left, right, acc in KIND_RULES[kind].types if (left, right) == pair]
    if not accumulators:
        got = " × ".join(dtype.name for dtype in pair if dtype is not None)
        raise subject.refuse(DESCRIPTOR, index, "lhs", f"{kind.name}: element types", "a supported pair", got)
    results = set(accumulators) if descriptor["program"] == NONE else _STORABLE
    if out["dtype"] not in results:
        expected = "/".join(sorted(dtype.name for dtype in results))
        raise subject.refuse(DESCRIPTOR, index, "out", f"{kind.name}: result", expected, DType(out["dtype"]).name)


def _check_windows(subject: Subject, index: int, descriptor: Row) -> None:
    windows: Windows = subject.windows[descriptor["program"]]
    tensors = subject.args(descriptor)
    for number, tensor_index in enumerate(tensors):
        if tensor_index >= len(subject.image.tensors):
            raise subject.refuse(DESCRIPTOR, index, "args_first", f"window {number}: tensor", got=tensor_index)
        tensor = subject.tensor(tensor_index)
        dtype, used = DType(tensor["dtype"]), windows.types.get(number, set())
        if used - {dtype}:
            got = "/".join(sorted(t.name for t in used))
            raise subject.refuse(DESCRIPTOR, index, "program", f"window {number}: element type", dtype.name, got)
        if number in windows.stored and tensor["region"] in _READ_ONLY:
            region = Region(tensor["region"]).name
            raise subject.refuse(DESCRIPTOR, index, "program", f"stores to window {number} in {region}")
    for number in windows.stored:
        stored = subject.tensor(tensors[number])
        for other, tensor_index in enumerate(tensors):
            if other != number and overlap(stored, subject.tensor(tensor_index)):
                raise subject.refuse(DESCRIPTOR, index, "args_first", f"window {number} overlaps window {other}")


def overlap(a: Row, b: Row) -> bool:
    """Whether two tensors share bytes."""
    if (a["region"], a["slot"]) != (b["region"], b["slot"]):
        return False
    return bool(a["offset"] < b["offset"] + b["bytes"] and b["offset"] < a["offset"] + a["bytes"])


def _check_result(subject: Subject, index: int, descriptor: Row) -> None:
    out = subject.tensor(descriptor["out"])
    if out["region"] in _READ_ONLY:
        raise subject.refuse(DESCRIPTOR, index, "out", f"result in {Region(out['region']).name}", "a writable region")
    operands = [descriptor[name] for name in ("lhs", "rhs") if descriptor[name] != NONE]
    for tensor_index in operands + subject.args(descriptor):
        if overlap(out, subject.tensor(tensor_index)):
            raise subject.refuse(DESCRIPTOR, index, "out", f"result overlaps operand tensor {tensor_index}")


def check_launches(subject: Subject) -> None:
    """Checks every descriptor that may run against what it refers to."""
    for index in subject.launches:
        descriptor = subject.image.descriptors[index]
        _check_operands(subject, index, descriptor)
        _check_loops(subject, index, descriptor)
        kind = Kind(descriptor["kind"])
        if descriptor["program"] != NONE:
            _check_windows(subject, index, descriptor)
        if kind is Kind.VECTOR:
            continue
        if KIND_RULES[kind].further:
            check_further(subject, index, descriptor)
        _check_types(subject, index, descriptor)
        _check_result(subject, index, descriptor)
        if kind in (Kind.GEMM, Kind.GEMV):
            check_gemm(subject, index, descriptor)
        elif kind is Kind.ATTENTION:
            check_attention(subject, index, descriptor)
        elif kind is Kind.GROUP_GEMM:
            check_group_gemm(subject, index, descriptor)
        elif kind is Kind.LSTM:
            check_lstm(subject, index, descriptor)
        elif kind is not Kind.COPY:
            check_window(subject, index, descriptor)
