"""The ``tfmbs`` dialect and the bases of its ops, types and attributes: plain-value accessors, builders, verifiers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import new_class
from typing import Any, ClassVar, get_args, get_origin

from tfmbs.dialect.mlir import ext, ir, irdl

VARIADIC_LIMIT = 8
SEGMENTS = ("operandSegmentSizes", "resultSegmentSizes")


# The dialect object: ops, types and attributes register themselves with it when their module is imported.
Tfmbs: Any = new_class("Tfmbs", (ext.Dialect,), {"name": "tfmbs"})
_Operation: Any = Tfmbs.Operation
_Type: Any = Tfmbs.Type
_Attribute: Any = Tfmbs.Attribute


class VerifyError(Exception):
    """A fact about an op that does not hold; the verifier frame reports it at the op's location."""


class I64Array(ir.DenseI64ArrayAttr):
    """Annotation of an attribute that holds a tuple of integers."""

    attr_name = "builtin.dense_array"


class Bool(ir.BoolAttr):
    """Annotation of an attribute that holds a truth value."""

    attr_name = "builtin.integer"


@dataclass(frozen=True)
class Codec:
    """How one kind of attribute becomes a plain Python value and back. `what` names it in error messages."""

    what: str
    attribute: type
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _value(attribute: Any) -> Any:
    return attribute.value


def _decode_array(attribute: Any) -> tuple[Any, ...]:
    return tuple(item.value if isinstance(item, ir.StringAttr) else item for item in attribute)


def _encode_array(items: Sequence[Any]) -> Any:
    return ir.ArrayAttr.get([ir.StringAttr.get(item) if isinstance(item, str) else item for item in items])


def _encode_i64(value: int) -> Any:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)


def _encode_f32(value: float) -> Any:
    return ir.FloatAttr.get(ir.F32Type.get(), value)


CODECS: dict[Any, Codec] = {
    I64Array: Codec("an array of i64", ir.DenseI64ArrayAttr, tuple, lambda v: ir.DenseI64ArrayAttr.get(list(v))),
    Bool: Codec("true or false", ir.BoolAttr, _value, ir.BoolAttr.get),
    ir.StringAttr: Codec("a string", ir.StringAttr, _value, ir.StringAttr.get),
    ir.IntegerAttr: Codec("an integer", ir.IntegerAttr, _value, _encode_i64),
    ir.FloatAttr: Codec("a number", ir.FloatAttr, _value, _encode_f32),
    ir.ArrayAttr: Codec("an array", ir.ArrayAttr, _decode_array, _encode_array),
    Any: Codec("an attribute", ir.Attribute, _same, _same),
}


def codec_of(annotation: Any) -> Codec:
    """The codec of an attribute annotated `annotation`; attribute classes of the dialect stand for themselves."""
    if annotation in CODECS:
        return CODECS[annotation]
    return Codec(f"#{annotation.attr_name}", annotation, _same, _same)


def _attribute_property(name: str, codec: Codec) -> property:
    def get(self: Any) -> Any:
        return codec.decode(self.attributes[name])

    def put(self: Any, value: Any) -> None:
        self.attributes[name] = codec.encode(value)

    return property(get, put)


def _group_property(kind: str, first: int, variadicity: Any) -> property:
    """Accessor of the group that starts at value `first`: one value, a value or None, or the tuple of all the rest."""

    def get(self: Any) -> Any:
        tail = tuple(getattr(self.operation, kind))[first:]
        if variadicity == irdl.Variadicity.variadic:
            return tail
        return tail[0] if tail else None

    return property(get)


def _spread(annotations: dict[str, Any]) -> dict[str, Any]:
    """Annotations in which each variadic group is `VARIADIC_LIMIT` optional ones.

    A variadic group of IRDL holds values of one type only; ours differ (a bias beside a residual), so each value has a
    group of its own.
    """
    spread: dict[str, Any] = {}
    for name, annotation in annotations.items():
        if get_origin(annotation) is Sequence:
            (inner,) = get_args(annotation)
            spread |= {f"{name}_{index}": inner | None for index in range(VARIADIC_LIMIT)}
        else:
            spread[name] = annotation
    return spread


def _is_class_variable(hint: Any) -> bool:
    origin: Any = get_origin(hint)
    return origin is ClassVar


def _parameter_property(index: int, codec: Codec) -> property:
    return property(lambda self: codec.decode(self.params[index].maybe_downcast()))


class Type(_Type):
    """Base of the types of the dialect: parameters are annotations, their accessors give plain Python values."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for index, field in enumerate(cls._fields):
            setattr(cls, field.name, _parameter_property(index, codec_of(field.constraint)))


class Attribute(_Attribute):
    """Base of the attributes of the dialect: parameters are annotations, their accessors give plain Python values."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for index, field in enumerate(cls._fields):
            setattr(cls, field.name, _parameter_property(index, codec_of(field.constraint)))


class Op(_Operation):
    """Base of every op of the dialect.

    A subclass declares its operands, attributes, results and region as annotations (see `ext.Operation`); only the last
    operand group and the last result group may be optional or variadic (up to `VARIADIC_LIMIT` values). Accessors of
    attributes give and take plain Python values, those of variadic groups give tuples. `check` states what must hold
    beyond the declaration.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        own = {name: hint for name, hint in cls.__annotations__.items() if not _is_class_variable(hint)}
        cls.__annotations__ = _spread(own)
        super().__init_subclass__(**kwargs)
        cls.declared = {**getattr(cls, "declared", {}), **own}
        if "name" not in kwargs:
            return
        fields = [ext.FieldDef.from_type_hint(name, hint, ext.FieldSpecifier()) for name, hint in cls.declared.items()]
        cls.operand_fields, cls.attribute_fields, cls.result_fields, cls.region_fields = ext.partition_fields(fields)
        for field in cls.attribute_fields:
            setattr(cls, field.name, _attribute_property(field.name, codec_of(field.constraint)))
        for kind, group in (("operands", cls.operand_fields), ("results", cls.result_fields)):
            for index, field in enumerate(group):
                if field.variadicity != irdl.Variadicity.single and index + 1 < len(group):
                    raise TypeError(f"{cls.__name__}.{field.name}: only the last group may be optional or variadic")
                setattr(cls, field.name, _group_property(kind, index, field.variadicity))

    @classmethod
    def build(
        cls,
        operands: Sequence[Any],
        results: Sequence[Any],
        *,
        loc: Any = None,
        ip: Any = None,
        discardable: Any = None,
        **attributes: Any,
    ) -> Any:
        """Create the op at `ip` (default: the current insertion point) and return it, with empty regions.

        `attributes` are the declared ones as plain Python values or as MLIR attributes; `discardable` is an attribute
        mapping copied as it is (telemetry, for one). The op is not verified.
        """
        named = {name: discardable[name] for name in discardable} if discardable else {}
        for field in cls.attribute_fields:
            value = attributes.pop(field.name)
            named[field.name] = value if isinstance(value, ir.Attribute) else codec_of(field.constraint).encode(value)
        if attributes:
            raise TypeError(f"{cls.OPERATION_NAME} has no attribute {sorted(attributes)[0]}")
        named |= _segments("operandSegmentSizes", cls.operand_fields, len(operands))
        named |= _segments("resultSegmentSizes", cls.result_fields, len(results))
        operation = ir.Operation.create(
            cls.OPERATION_NAME,
            results=list(results),
            operands=list(operands),
            attributes=named,
            regions=len(cls.region_fields),
            loc=loc,
            ip=ip,
        )
        return operation.opview

    def discardable(self) -> dict[str, Any]:
        """The attributes that the op's declaration does not name, such as telemetry and schedule."""
        declared = {*SEGMENTS, *(field.name for field in self.attribute_fields)}
        return {name: self.attributes[name] for name in self.attributes if name not in declared}

    def check(self) -> None:
        """Raise `VerifyError` for the first fact that does not hold. The declaration has been checked before."""

    def _check_declaration(self) -> None:
        # The bindings run Python verifiers before the structural one, so nothing may be assumed here.
        for kind, fields in (("operands", self.operand_fields), ("results", self.result_fields)):
            _check_count(kind, fields, len(getattr(self.operation, kind)))
        for field in self.attribute_fields:
            codec = codec_of(field.constraint)
            if field.name not in self.attributes:
                raise VerifyError(f"attribute '{field.name}': expected {codec.what}, got none")
            attribute = self.attributes[field.name]
            if not isinstance(attribute, codec.attribute):
                raise VerifyError(f"attribute '{field.name}': expected {codec.what}, got {attribute}")
        if len(self.operation.regions) != len(self.region_fields):
            raise VerifyError(
                f"number of regions: expected {len(self.region_fields)}, got {len(self.operation.regions)}"
            )

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Entry point of the bindings: report the first violated fact as an error at the op."""
        return bool(op._holds(op._check_declaration, op.check))

    def _holds(self, *checks: Callable[[], None]) -> bool:
        try:
            with self.location:  # printing verifies too, with no current context
                for check in checks:
                    check()
        except VerifyError as violation:
            self.location.emit_error(f"'{self.OPERATION_NAME}' op {violation}")
            return False
        return True


def _is_variadic(fields: Sequence[Any]) -> bool:
    return bool(fields) and fields[-1].variadicity == irdl.Variadicity.variadic


def _segments(name: str, fields: Sequence[Any], count: int) -> dict[str, Any]:
    """Segment sizes, needed where a group is variadic: 1 for each value, 0 for each group that is absent."""
    if not _is_variadic(fields):
        return {}
    groups = len(fields) - 1 + VARIADIC_LIMIT
    return {name: ir.DenseI32ArrayAttr.get([1] * count + [0] * (groups - count))}


def _check_count(kind: str, fields: Sequence[Any], count: int) -> None:
    least = sum(field.variadicity == irdl.Variadicity.single for field in fields)
    most = len(fields) - 1 + VARIADIC_LIMIT if _is_variadic(fields) else len(fields)
    if not least <= count <= most:
        raise VerifyError(f"number of {kind}: expected {least if least == most else f'{least} to {most}'}, got {count}")
