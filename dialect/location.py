"""Where an op comes from, in words for messages: a line of a file or the name of a model's node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.errors import Subject


@dataclass(frozen=True)
class Place(Subject):
    """A position in a text, or (line 0) the name of a node; prints as ``FILE:LINE`` or the name."""

    line: int = 0
    column: int = 0

    @property
    def kind(self) -> str:
        """See `Subject`."""
        return "" if self.line or self == UNKNOWN else "node"

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


UNKNOWN = Place("unknown location")


def place(location: Any) -> Place:
    """The most telling part of an MLIR location: a node's name, else a file position, else `UNKNOWN`.

    Of a fused location the first part that is known counts, of a call site the callee.
    """
    location = ir.Location.from_attr(location.attr, location.context)  # of an error's diagnostics they come untyped
    if isinstance(location, ir.NameLoc):
        return Place(location.name_str)
    if isinstance(location, ir.FileLineColLoc):
        return Place(location.filename, location.start_line, location.start_col)
    if isinstance(location, ir.CallSiteLoc):
        return place(location.callee)
    if isinstance(location, ir.FusedLoc):
        return next((known for known in map(place, location.locations) if known != UNKNOWN), UNKNOWN)
    return UNKNOWN


def names(location: Any) -> list[str]:
    """All names in an MLIR location, in its order: of a fused one those of its parts, of a call site the callee's."""
    location = ir.Location.from_attr(location.attr, location.context)
    if isinstance(location, ir.NameLoc):
        return [location.name_str]
    if isinstance(location, ir.CallSiteLoc):
        return names(location.callee)
    if isinstance(location, ir.FusedLoc):
        return [name for part in location.locations for name in names(part)]
    return []
