"""The fabric-level ops, generated from the ABI tables: one op per record, in the order of the tables.

Attributes are the fields of the record as they are in the binary, but readable: enumerations and strings by name, an
absent index as −1, arrays of u64 as signed. Two fields have another name here (`RENAMED`), because every op has a name
and a location already.
"""

from collections.abc import Callable, Mapping, Sequence
from types import new_class
from typing import Any, ClassVar

from tfmbs.dialect.attributes import as_elements
from tfmbs.dialect.base import I64Array, Op, VerifyError
from tfmbs.dialect.checks import expect_at_least, expect_one_of, expect_range
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.records import NONE, PROGRAM, RECORDS, Field, FieldValue, Record

RENAMED = {"name": "label", "location": "source"}
ABSENT = -1
DERIVED = {PROGRAM.name: ("first_word", "word_count")}  # what the region says, a field need not

Intern = Callable[[str], int]


def attribute_name(field: Field) -> str:
    """The attribute that holds a field."""
    return RENAMED.get(field.name, field.name)


def _stated(record: Record) -> list[Field]:
    """The fields that are attributes of the record's op."""
    return [field for field in record.fields if field.name not in DERIVED.get(record.name, ())]


def _annotation(field: Field) -> Any:
    if field.count > 1:
        return I64Array
    if field.kind == "f32":
        return ir.FloatAttr
    return ir.StringAttr if field.enum or field.index == "strings" else ir.IntegerAttr


def _to_attribute(field: Field, value: Any) -> Any:
    """The plain value that the attribute of `field` takes."""
    if field.count > 1:
        return [item - (1 << 64) if item >> 63 else item for item in value]
    if field.enum:
        return field.enum(value).name.lower()
    if field.optional and value in (None, NONE):
        return ABSENT
    return value


def _from_attribute(field: Field, value: Any, intern: Intern) -> FieldValue:
    """The value of `field` as `Record.encode` takes it. Raises VerifyError for a name that is none."""
    name = attribute_name(field)
    if field.count > 1:
        return tuple(item + (1 << 64) if item < 0 and field.kind == "u64" else item for item in value)
    if field.enum:
        names = {member.name.lower(): int(member) for member in field.enum}
        expect_one_of(name, names, value)
        return names[value]
    if field.index == "strings":
        return intern(value)
    if field.optional and value == ABSENT:
        return NONE
    if field.index and value == NONE:
        raise VerifyError(f"{name}: expected an index, got {value}")
    return value if isinstance(value, float) else int(value)


class RecordOp(Op):
    """Base of the ops that are one record each; `RECORD` is its layout."""

    RECORD: ClassVar[Record]

    @classmethod
    def fields(cls) -> Sequence[Field]:
        """The fields that are attributes."""
        return _stated(cls.RECORD)

    def values(self, intern: Intern) -> dict[str, FieldValue]:
        """Field values as `Record.encode` takes them; `intern` gives the number of a string."""
        return {
            field.name: _from_attribute(field, getattr(self, attribute_name(field)), intern) for field in self.fields()
        }

    def check(self) -> None:
        zeros = dict.fromkeys(DERIVED.get(self.RECORD.name, ()), 0)
        try:
            self.RECORD.encode({**zeros, **self.values(lambda text: 0)})
        except ValueError as error:
            raise VerifyError(str(error)) from error


def record_op(record: Record, base: type = RecordOp, **more: Any) -> Any:
    """The op class of a record: `base` with an attribute for each field, and `more` keywords of the class statement."""
    annotations = {attribute_name(field): _annotation(field) for field in _stated(record)}
    body = {"__annotations__": annotations, "__doc__": record.doc, "__module__": base.__module__, "RECORD": record}
    title = "".join(part.title() for part in record.name.split("_"))
    keywords = {"name": f"fabric_{record.name}", **more}
    return new_class(f"Fabric{title}Op", (base,), keywords, lambda namespace: namespace.update(body))


RECORD_OPS: dict[str, Any] = {record.name: record_op(record) for record in RECORDS.values() if record is not PROGRAM}


class FabricDataOp(Op, name="fabric_data"):
    """Bytes of the weights region from byte `offset` on, given as stored elements; `label` is for people."""

    label: ir.StringAttr
    offset: ir.IntegerAttr
    value: Any

    def check(self) -> None:
        expect_at_least("offset", 0, (self.offset,))
        if as_elements(self.value) is None:
            raise VerifyError(f"value: expected dense elements, got {self.value}")


class FabricArgsOp(Op, name="fabric_args"):
    """Operand windows of descriptors, tensor numbers: the next `values` of the args table."""

    values: I64Array

    def check(self) -> None:
        _check_u32(self.values)


class FabricWaitsOp(Op, name="fabric_waits"):
    """Tokens that descriptors wait for: the next `values` of the waits table."""

    values: I64Array

    def check(self) -> None:
        _check_u32(self.values)


def _check_u32(values: tuple[int, ...]) -> None:
    for value in values:
        expect_range("values", 0, NONE, value)


def build_record(record: str, values: Mapping[str, Any], *, loc: Any = None, ip: Any = None) -> Any:
    """Create the op of a record. `values` are as `Record.encode` takes them, with str where a field names a string."""
    op = RECORD_OPS[record]
    attributes = {attribute_name(field): _to_attribute(field, values[field.name]) for field in op.fields()}
    unknown = set(values) - {field.name for field in op.fields()}
    if unknown:
        raise TypeError(f"record {record} has no field {sorted(unknown)[0]}")
    return op.build([], [], loc=loc, ip=ip, **attributes)
