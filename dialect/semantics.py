"""Semantics: what an op of the network is for and what it costs, on the op itself and in locations of what it becomes.

The attribute says it on the ops of the torch level and on those of ours; passes that are not ours drop it. So the
location of an annotated op is a fused one with the same dictionary as its metadata: whatever is made of the op, by
whichever pass, has that location or one that contains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.mlir import ir

Entry = str | int | float


@dataclass(frozen=True)
class Semantics:
    """Of one op of the network: its number among the annotated ops of its function, patterns, operations and bytes.

    `residency` is that of its result, where it is not an activation.
    """

    number: int
    pattern: str = ""
    flops: int = 0
    bytes: int = 0
    residency: str = ""

    @property
    def intensity(self) -> float:
        """flops / bytes, 0 where nothing is moved."""
        return self.flops / self.bytes if self.bytes else 0.0

    def to_attribute(self) -> Any:
        """The `tfmbs.semantics` dictionary: `number`, and what is known of the rest."""
        cost = {"flops": self.flops, "bytes": self.bytes, "intensity": self.intensity} if self.bytes else {}
        words = {"pattern": self.pattern, "residency": self.residency}
        return dictionary({"number": self.number, **cost, **{key: word for key, word in words.items() if word}})


def read_semantics(attribute: Any) -> Semantics | None:
    """The inverse of `Semantics.to_attribute`; None for a dictionary of another kind, such as a constant's."""
    entries = plain(attribute)
    if not isinstance(entries.get("number"), int):
        return None

    def word(key: str) -> str:
        return entry if isinstance(entry := entries.get(key), str) else ""

    def count(key: str) -> int:
        return entry if isinstance(entry := entries.get(key), int) else 0

    return Semantics(count("number"), word("pattern"), count("flops"), count("bytes"), word("residency"))


def dictionary(entries: Mapping[str, Entry]) -> Any:
    """A dictionary attribute of words, counts (i64) and ratios (f64)."""
    return ir.DictAttr.get({name: _attribute(value) for name, value in entries.items()})


def entries_of(attribute: Any) -> dict[str, Any]:
    """The attributes in a dictionary attribute by name; {} for any other attribute."""
    return {entry.name: entry.attr for entry in attribute} if isinstance(attribute, ir.DictAttr) else {}


def plain(attribute: Any) -> dict[str, Entry]:
    """The inverse of `dictionary`; entries of other kinds are left out."""
    kinds = (ir.StringAttr, ir.IntegerAttr, ir.FloatAttr)
    return {name: value.value for name, value in entries_of(attribute).items() if isinstance(value, kinds)}


def _attribute(value: Entry) -> Any:
    if isinstance(value, str):
        return ir.StringAttr.get(value)
    if isinstance(value, int):
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    return ir.FloatAttr.get(ir.F64Type.get(), value, ir.Location.unknown())


def located(location: Any, semantics: Semantics) -> Any:
    """A location that also says what an op is for, in place of what it said before."""
    bare = without_semantics(location)
    return ir.Location.fused([bare], metadata=semantics.to_attribute())


def without_semantics(location: Any) -> Any:
    """The location that `located` was given; any other as it is."""
    is_ours = isinstance(location, ir.FusedLoc) and _known(location) is not None
    return _typed(location.locations[0]) if is_ours else location


def mark(op: Any, semantics: Semantics) -> None:
    """Says what `op` is for, in place of what was said."""
    op.attributes[SEMANTICS] = semantics.to_attribute()
    op.location = located(op.location, semantics)


def semantics_of(op: Any) -> Semantics | None:
    """What an op is for: its attribute, else the first that its location knows of; None where nothing is known."""
    if SEMANTICS in op.attributes:
        return read_semantics(op.attributes[SEMANTICS])
    return next(_in(op.location), None)


def all_semantics(op: Any) -> list[Semantics]:
    """What went into an op: what it is for itself, then ops that became part of it, by number; each once."""
    found: dict[int, Semantics] = {}
    if (own := semantics_of(op)) is not None:
        found[own.number] = own
    parts: dict[int, Semantics] = {}
    for location in _locations(op):
        for part in _in(location):
            parts.setdefault(part.number, part)
    return [*found.values(), *(parts[number] for number in sorted(parts) if number not in found)]


def _locations(op: Any) -> Iterator[Any]:
    """The locations of an op and of all ops in it, each once."""
    seen: dict[Any, Any] = {}  # attributes are equal where locations are, and locations have no hash of their own

    def visit(inner: Any) -> Any:
        seen.setdefault(inner.location.attr, inner.location)
        return ir.WalkResult.ADVANCE

    op.operation.walk(visit)
    return iter(seen.values())


def _in(location: Any) -> Iterator[Semantics]:
    """What the parts of a location know, in their order."""
    location = _typed(location)
    if isinstance(location, ir.CallSiteLoc):
        yield from _in(location.callee)
    elif isinstance(location, ir.FusedLoc):
        own = _known(location)
        if own is not None:
            yield own
        else:
            for part in location.locations:
                yield from _in(part)


def _known(location: Any) -> Semantics | None:
    """What the metadata of a fused location says, if that is semantics."""
    metadata = location.metadata
    try:
        return None if metadata is None else read_semantics(ir.DictAttr(metadata))
    except ValueError:  # metadata of another kind: the bindings tell by a cast only
        return None


def _typed(location: Any) -> Any:
    return ir.Location.from_attr(location.attr, location.context)


def patterns_of(parts: Iterable[Semantics]) -> str:
    """The patterns of all parts, each once, in their order, joined by ``+``."""
    return "+".join(dict.fromkeys(name for part in parts for name in part.pattern.split("+") if name))
