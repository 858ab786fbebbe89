"""``docs/dialect.md``: every type, attribute and op with its operands, attributes and results, from the classes."""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from tfmbs.dialect import (
    epilogue,
    fabric,
    fabric_siw,
    graph_attention,
    graph_groups,
    graph_lstm,
    graph_ops,
    graph_windows,
    kernel,
    kernel_attention,
    kernel_groups,
    kernel_lstm,
    kernel_program,
    kernel_windows,
    scalars,
)
from tfmbs.dialect.base import VARIADIC_LIMIT, codec_of
from tfmbs.dialect.load import Tfmbs
from tfmbs.dialect.mlir import irdl

PATH = Path(__file__).resolve().parents[1] / "docs" / "dialect.md"

LEVELS: dict[str, tuple[Any, ...]] = {
    "Graph level": (graph_attention, graph_groups, graph_lstm, graph_ops, graph_windows),
    "Epilogue": (epilogue,),
    "Scalars, in bodies and epilogues": (scalars,),
    "Kernel level": (kernel, kernel_attention, kernel_groups, kernel_lstm, kernel_windows, kernel_program),
    "Fabric level": (fabric, fabric_siw),
}

_HEAD = f"""# The tfmbs dialect

Written by `python -m tfmbs.dialect.page` from the classes in `dialect/`; shapes, element types and the idea of each
level are in [architecture.md](architecture.md). Ops print in MLIR's generic form. Upstream tools read them with
`--irdl-file=docs/tfmbs.irdl.mlir`; IRDL has no traits, so IR with a region that ends in `tfmbs.yield` also needs
`--mlir-very-unsafe-disable-verifier-on-parsing --verify-each=0` there.

An op with a variadic group (written `…`, at most {VARIADIC_LIMIT} values) needs `operandSegmentSizes` or
`resultSegmentSizes`: 1 for each value, 0 for each that is absent, because IRDL wants one type for all values of a
group. Verifiers report `'tfmbs.conv2d' op THING: expected EXPECTED, got GOT`.
"""

_MARKS = {irdl.Variadicity.single: "", irdl.Variadicity.optional: "?", irdl.Variadicity.variadic: "…"}


def dialect_page() -> str:
    """The text of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Types and attributes"
    for kind, definitions in (("!", Tfmbs.types), ("#", Tfmbs.attributes)):
        for definition in definitions:
            parameters = ", ".join(field.name for field in definition._fields)
            yield f"\n### `{kind}tfmbs.{definition._name}<{parameters}>`\n\n{cleandoc(definition.__doc__)}"
    for title, modules in LEVELS.items():
        yield f"\n## {title}"
        names = {module.__name__ for module in modules}
        for op in Tfmbs.operations:
            if op.__module__ in names:
                yield from _op(op)


def _op(op: Any) -> Iterator[str]:
    yield f"\n### `{op.OPERATION_NAME}`\n\n{cleandoc(op.__doc__)}\n"
    values = [
        (title, _values(fields)) for title, fields in (("operands", op.operand_fields), ("results", op.result_fields))
    ]
    attributes = ", ".join(f"`{field.name}` ({codec_of(field.constraint).what})" for field in op.attribute_fields)
    regions = ", ".join(f"`{field.name}`" for field in op.region_fields)
    for title, text in (*values, ("attributes", attributes), ("region", regions)):
        if text:
            yield f"- {title}: {text}"


def _values(fields: list[Any]) -> str:
    return ", ".join(f"`{field.name}`{_MARKS[field.variadicity]}" for field in fields)


def main() -> None:
    """Writes the page in place."""
    PATH.write_text(dialect_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
