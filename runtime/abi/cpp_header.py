"""The C++ view of the ABI tables: `runtime/native/abi.gen.h`, written by `python -m tfmbs.runtime.abi.cpp_header`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from textwrap import fill

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import (
    NONE,
    RECORDS,
    Activations,
    Dataflow,
    Direction,
    Field,
    GateOrder,
    Kind,
    LoopOrder,
    MaskMode,
    Patched,
    PoolMode,
    ProgramKind,
    Reading,
    Record,
    ZeroSkip,
)
from tfmbs.runtime.abi.types import DTYPES, DType, Meaning, Packing, Region

_COLUMNS = 120
PATH = Path(__file__).resolve().parents[1] / "native" / "abi.gen.h"

ENUMS: tuple[type[IntEnum], ...] = (
    DType,
    Meaning,
    Packing,
    Region,
    Kind,
    Dataflow,
    LoopOrder,
    ZeroSkip,
    PoolMode,
    MaskMode,
    Activations,
    Direction,
    GateOrder,
    ProgramKind,
    Patched,
    Reading,
    siw.Dep,
    siw.Reduce,
    siw.Predicate,
)

SIW_CONSTANTS = (
    "VLMAX",
    "VECTOR_REGISTERS",
    "SCALAR_REGISTERS",
    "WINDOWS",
    "LOOP_DEPTH",
    "REDUCTION_LANES",
    "WORD_BITS",
    "EPILOGUE_ELEMENT",
    "EPILOGUE_CHANNEL",
    "EPILOGUE_CHANNEL_STEP",
    "EPILOGUE_ONE",
)

_C_TYPES = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "i32": "int32_t",
    "i64": "int64_t",
    "f32": "float",
}

_PROLOGUE = """\
// The fabric ABI: element types, records and the sentron instruction word.
// Generated from runtime/abi by `python -m tfmbs.runtime.abi.cpp_header`; do not edit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian and read in place");

namespace tfmbs::abi {
"""


def camel(name: str) -> str:
    """`gemm_geometry` → `GemmGeometry`."""
    return "".join(part.capitalize() for part in name.split("_"))


def _doc(text: str, indent: str = "") -> str:
    start = f"{indent}// "
    words = " ".join(text.split())
    return fill(
        words, _COLUMNS, initial_indent=start, subsequent_indent=start, break_long_words=False, break_on_hyphens=False
    )


def _documented(code: str, text: str, indent: str = "  ") -> str:
    """Code with a comment behind it, or above it where the line would be too long."""
    line = f"{indent}{code}  // {text}" if text else f"{indent}{code}"
    return line if len(line) <= _COLUMNS else f"{_doc(text, indent)}\n{indent}{code}"


def _enum(name: str, doc: str, members: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    yield _doc(doc)
    yield f"enum class {name} : uint8_t {{"
    for member, value, comment in members:
        yield _documented(f"{member} = {value},", comment)
    yield "};"
    yield ""


def _dtype_bits() -> Iterator[str]:
    yield "// Bits of one element in memory; 0 where the packing decides."
    yield "constexpr unsigned dtype_bits(DType type) {"
    yield "  switch (type) {"
    for dtype, info in DTYPES.items():
        yield f"    case DType::{dtype.name}: return {info.bits};"
    yield "  }"
    yield "  return 0;"
    yield "}"
    yield ""


def _padding(record: Record) -> Iterator[tuple[int, int]]:
    """Runs of reserved bytes as (offset, length)."""
    run_start, previous = -1, -2
    for byte in record.reserved:
        if byte != previous + 1:
            if run_start >= 0:
                yield run_start, previous + 1 - run_start
            run_start = byte
        previous = byte
    if run_start >= 0:
        yield run_start, previous + 1 - run_start


def _member(f: Field) -> str:
    ctype = f.enum.__name__ if f.enum else _C_TYPES[f.kind]
    array = f"[{f.count}]" if f.count > 1 else ""
    index = f"; index into {f.index}{', or NO_INDEX' if f.optional else ''}" if f.index else ""
    return _documented(f"{ctype} {f.name}{array};", f"{f.doc}{index}")


def _struct(record: Record) -> Iterator[str]:
    name = camel(record.name)
    members = [(f.offset, _member(f)) for f in record.fields]
    members += [(start, f"  uint8_t reserved_{start}[{length}];  // zero") for start, length in _padding(record)]
    yield _doc(record.doc)
    yield f"struct {name} {{"
    yield from (line for _, line in sorted(members))
    yield "};"
    yield f"static_assert(sizeof({name}) == {record.size});"
    yield from (f"static_assert(offsetof({name}, {f.name}) == {f.offset});" for f in record.fields)
    yield ""


def _field_type(f: siw.BitField) -> str:
    if f.name.endswith("_op"):
        return f"{f.slot}Op"
    if f.name.endswith("_type"):
        return "DType"
    return "int32_t" if f.signed else "uint16_t" if f.bits > 8 else "uint8_t"


def _word() -> Iterator[str]:
    yield "// The fields of one instruction word. c_imm holds all its bits; c_src, c_type and c_aux, parts of it, are"
    yield "// for the opcodes of slot C that move data."
    yield "struct Word {"
    for f in siw.FIELDS:
        yield f"  {_field_type(f)} {f.name};  // bits {f.low}…{f.low + f.bits - 1}"
    yield "};"
    yield ""
    yield "constexpr std::size_t WORD_BYTES = WORD_BITS / 8;"
    yield ""
    yield "// Decodes the word in the `WORD_BYTES` bytes at `data`, which need not be aligned."
    yield "inline Word decode_word(const uint8_t* data) {"
    yield "  uint64_t part[2];"
    yield "  std::memcpy(part, data, sizeof part);"
    yield "  Word word;"
    for f in siw.FIELDS:
        shift, mask = f.low % 64, (1 << f.bits) - 1
        bits = f"part[{f.low // 64}] >> {shift}"
        if shift + f.bits > 64:
            bits = f"(part[0] >> {shift} | part[1] << {64 - shift})"
        value = f"({bits}) & {mask:#x}u"
        if f.signed:
            sign = 1 << (f.bits - 1)
            value = f"static_cast<int32_t>(({value}) ^ {sign:#x}u) - {sign:#x}"
        else:
            value = f"static_cast<{_field_type(f)}>({value})"
        yield f"  word.{f.name} = {value};"
    yield "  return word;"
    yield "}"
    yield ""


def _opcodes() -> Iterator[str]:
    for slot in "DSC":
        members = ((op.name, op.code, op.doc) for op in siw.OPS if op.slot == slot)
        yield from _enum(f"{slot}Op", f"Opcodes of slot {slot}.", members)


def _is_wide() -> Iterator[str]:
    yield "// Whether lanes of this type are 64 bits wide and live in pairs of registers."
    yield "constexpr bool is_wide(DType type) {"
    yield f"  return {' || '.join(f'type == DType::{dtype.name}' for dtype in sorted(siw.WIDE))};"
    yield "}"
    yield ""


def _condition(op: siw.Op, name: str) -> str:
    """When the operand in field `name` has 64-bit lanes: a C++ expression, empty for never."""
    source = op.lanes.get(name, "type" if op.types & siw.WIDE else "32")
    return {"32": "", "64": "true", "type": "is_wide(type)", "aux": "is_wide(static_cast<DType>(aux))"}[source]


def _by_op(slot: str, signature: str, values: Mapping[str, str], default: str) -> Iterator[str]:
    """A function that maps the opcodes of a slot, by name, to C++ expressions."""
    yield f"constexpr {signature} {{"
    yield "  switch (op) {"
    alike: dict[str, list[str]] = {}
    for name, value in values.items():
        alike.setdefault(value, []).append(name)
    for value, group in alike.items():
        if value != default:
            yield from (f"    case {slot}Op::{name}:" for name in group[:-1])
            yield f"    case {slot}Op::{group[-1]}: return {value};"
    yield f"    default: return {default};"
    yield "  }"
    yield "}"
    yield ""


def _wide_mask(op: siw.Op, names: Sequence[str]) -> str:
    masks: dict[str, int] = {}
    for i, name in enumerate(names):
        when = _condition(op, name) if name in op.vectors else ""
        masks[when] = masks.get(when, 0) | 1 << i
    shown = (str(mask) if when == "true" else f"({when} ? {mask} : 0)" for when, mask in masks.items() if when)
    return " | ".join(shown) or "0"


def _mask(names: Sequence[str], chosen: Container[str]) -> str:
    return str(sum(1 << i for i, name in enumerate(names) if name in chosen))


def _operands() -> Iterator[str]:
    for slot in "DSC":
        ops = {op.name: op for op in siw.OPS if op.slot == slot}
        names = [f.name for f in siw.FIELDS if any(f.name in op.vectors for op in ops.values())]
        bits = ", ".join(f"{1 << i}: {name}" for i, name in enumerate(names))
        aux = ", uint8_t aux" if any("aux" in op.lanes.values() for op in ops.values()) else ""
        yield f"// Which vector operands of an operation of slot {slot} have 64-bit lanes, as bits: {bits}."
        wide = {name: _wide_mask(op, names) for name, op in ops.items()}
        yield from _by_op(slot, f"unsigned wide_operands({slot}Op op, DType type{aux})", wide, "0")
        yield f"// Which vector operands an operation of slot {slot} reads, and which it writes, as the same bits."
        read = {name: _mask(names, [n for n in op.vectors if n != op.writes or op.acc]) for name, op in ops.items()}
        yield from _by_op(slot, f"unsigned read_operands({slot}Op op)", read, "0")
        written = {name: _mask(names, [n for n in op.vectors if n == op.writes]) for name, op in ops.items()}
        yield from _by_op(slot, f"unsigned written_operands({slot}Op op)", written, "0")
        yield f"// The name of an opcode of slot {slot}."
        spelled = {name: f'"{name}"' for name in ops}
        yield from _by_op(slot, f"const char* name_of({slot}Op op)", spelled, '"no opcode"')


def header() -> str:
    """The text of the header."""
    lines = [_PROLOGUE, f"constexpr uint32_t NO_INDEX = {NONE:#x}u;"]
    lines += [f"constexpr unsigned {name} = {getattr(siw, name)};" for name in SIW_CONSTANTS]
    lines.append("")
    for enum in ENUMS:
        first = (enum.__doc__ or "").strip().split("\n\n")[0]
        lines += _enum(enum.__name__, first, ((m.name, m.value, "") for m in enum))
    lines += _dtype_bits()
    lines += _is_wide()
    for record in RECORDS.values():
        lines += _struct(record)
    lines += _opcodes()
    lines += _operands()
    lines += _word()
    lines.append("}  // namespace tfmbs::abi")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the header in place."""
    PATH.write_text(header(), encoding="utf-8")


if __name__ == "__main__":
    main()
