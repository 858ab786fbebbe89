"""Instruction words and programs at the fabric level: words by field name, programs with their words in a region."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tfmbs.dialect.base import Op, VerifyError
from tfmbs.dialect.checks import expect, expect_one_of
from tfmbs.dialect.fabric import RECORD_OPS, RecordOp, build_record, record_op
from tfmbs.dialect.mlir import ext, ir
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import PROGRAM, ProgramKind
from tfmbs.runtime.abi.siw_verify import verify_program
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.types import DType

SLOTS = ("d", "s", "c")
_TYPES = {dtype.name.lower(): int(dtype) for dtype in DType}
_OPCODES = {f"{slot}_op": {op.name: op.code for op in siw.OPS if op.slot == slot.upper()} for slot in SLOTS}


@contextmanager
def _abi_facts() -> Iterator[None]:
    """What the ABI's own checks refuse is a fact about the op that does not hold."""
    try:
        yield
    except TfmbsError as error:
        expected = "" if error.expected is None else f": expected {error.expected}"
        got = "" if error.got is None else f", got {error.got}"
        raise VerifyError(f"{error.location}: {error.what}{expected}{got}") from error
    except ValueError as error:
        raise VerifyError(str(error)) from error


def _names(field: str, opcodes: Mapping[str, int]) -> Mapping[str, int]:
    """Names of the values of a field: opcodes, element types, and aux where its slot's opcode gives it a meaning."""
    if field.endswith("_op"):
        return _OPCODES[field]
    if field.endswith("_type"):
        return _TYPES
    aux = None
    if field.endswith("_aux"):
        op = siw.OP_BY_CODE.get((field[0].upper(), opcodes.get(f"{field[0]}_op", 0)))
        aux = op.aux if op else None
    return {member.name.lower(): int(member) for member in aux} if aux else {}


class FabricSiwOp(Op, name="fabric_siw"):
    """One instruction word: an attribute for each field that is not zero.

    Opcodes, element types and an aux with named values are strings, all other fields integers. Of the opcodes of slot C
    that move data, `c_src`, `c_type` and `c_aux` are given instead of `c_imm`.
    """

    @property
    def fields(self) -> dict[str, int]:
        """Values of the fields that are not zero. Raises VerifyError for an unknown field or name."""
        given = {name: self.attributes[name] for name in self.attributes}
        for name in given:
            expect_one_of("field", siw.BIT_FIELD, name)
        opcodes = {name: _code(name, given[name], {}) for name in _OPCODES if name in given}
        return {name: _code(name, attribute, opcodes) for name, attribute in given.items()}

    @property
    def word(self) -> bytes:
        """The 16 bytes of the word. Raises VerifyError for a field that is not valid."""
        with _abi_facts():
            return siw.encode(self.fields)

    def check(self) -> None:
        parent = self.operation.parent
        if not isinstance(parent.opview, FabricProgramOp):
            raise VerifyError(f"parent: expected tfmbs.fabric_program, got {parent.name}")
        with _abi_facts():
            decode_word(self.word, "word")


def _code(name: str, attribute: Any, opcodes: Mapping[str, int]) -> int:
    names = _names(name, opcodes)
    if names:
        if not isinstance(attribute, ir.StringAttr):
            raise VerifyError(f"{name}: expected a name, got {attribute}")
        expect_one_of(name, names, attribute.value)
        return names[attribute.value]
    if not isinstance(attribute, ir.IntegerAttr):
        raise VerifyError(f"{name}: expected an integer, got {attribute}")
    return int(attribute.value)


class _ProgramOp(RecordOp):
    """A range of words: the fields of the record but `first_word` and `word_count`, which the region says."""

    words: ext.Region

    @property
    def siw_ops(self) -> list[Any]:
        """The words in order."""
        return [op for block in self.operation.regions[0].blocks for op in block.operations]

    def check(self) -> None:
        super().check()
        expect("number of blocks", 1, len(self.operation.regions[0].blocks))
        for op in self.siw_ops:
            if not isinstance(op, FabricSiwOp):
                raise VerifyError(f"word: expected tfmbs.fabric_siw, got {op.operation.name}")

    def check_words(self) -> None:
        """The words make a valid program; each has been checked by itself."""
        kind = ProgramKind[self.kind.upper()]
        with _abi_facts():
            verify_program([op.word for op in self.siw_ops], kind, self.windows, self.max_steps, self.label)

    @staticmethod
    def verify_region_invariants(op: Any) -> bool:
        """Entry point of the bindings, after the ops of the region were verified."""
        return bool(op._holds(op.check_words))


FabricProgramOp: Any = record_op(PROGRAM, _ProgramOp, traits=[ir.IsIsolatedFromAboveTrait, ir.NoTerminatorTrait])
RECORD_OPS[PROGRAM.name] = FabricProgramOp


def build_siw(fields: Mapping[str, int], *, loc: Any = None, ip: Any = None) -> Any:
    """Create a word from field values as `siw.encode` takes them; zeros are left out."""
    attributes: dict[str, Any] = {}
    for name, value in fields.items():
        spelled = {code: text for text, code in _names(name, fields).items()}
        if value and spelled:
            attributes[name] = ir.StringAttr.get(spelled[value])
        elif value:
            attributes[name] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    return FabricSiwOp.build([], [], loc=loc, ip=ip, discardable=attributes)


def build_program(values: Mapping[str, Any], words: list[bytes], *, loc: Any = None, ip: Any = None) -> Any:
    """Create a program with its words; `values` are the fields of the record but `first_word` and `word_count`."""
    program = build_record(PROGRAM.name, values, loc=loc, ip=ip)
    with ir.InsertionPoint(program.words.blocks.append()):
        for word in words:
            build_siw(siw.decode(word), loc=loc)
    return program
