"""Element types of entry points that builtin types do not tell: unsigned integers, and what bytes stand for.

MLIR's integers have no sign, and the device knows nothing narrower than a byte. `tfmbs.element` on an argument or
result of an entry point says by a name of this table what its elements are; where there is none, the type says all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfmbs.dialect.attributes import ELEMENT
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.types import MEANINGS, DType, Meaning

_UNSIGNED = (DType.U8, DType.U16, DType.U32, DType.U64)

ELEMENTS: dict[str, tuple[DType, Meaning]] = {
    **{dtype.name.lower(): (dtype, Meaning.PLAIN) for dtype in _UNSIGNED},
    **{meaning.name.lower(): (info.dtype, meaning) for meaning, info in MEANINGS.items()},
}
"""Name in IR → element type in memory, and what it stands for."""


def element_name(dtype: DType, meaning: Meaning) -> str | None:
    """The name of an element type of an entry point, None where its builtin type says it."""
    return next((name for name, element in ELEMENTS.items() if element == (dtype, meaning)), None)


def declared_element(attributes: Any) -> tuple[DType, Meaning] | None:
    """What the attributes of an argument or result say of its elements, None where they say nothing."""
    return ELEMENTS[attributes[ELEMENT].value] if ELEMENT in attributes else None


def element_attributes(names: Iterable[str | None]) -> list[dict[str, Any]]:
    """The attributes that arguments with elements of these names have besides others."""
    return [{} if name is None else {ELEMENT: ir.StringAttr.get(name)} for name in names]
