"""A range of sizes cut into pieces, in each of which the code has one form."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from tfmbs.compiler.sizes.assemble import Assembler
from tfmbs.compiler.sizes.points import DEGREES, Box, samples
from tfmbs.compiler.sizes.sampler import Sampler
from tfmbs.compiler.sizes.tree import Tree
from tfmbs.compiler.sizes.unify import DifferenceError, unified
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.fitting import Fitter, Point

MOST_PIECES = 16
"""Pieces of one entry point."""


@dataclass(frozen=True)
class Piece:
    """The code for a box of sizes."""

    box: Box
    tree: Tree


class Cutter:
    """Finds the pieces of one entry point."""

    def __init__(self, sampler: Sampler, where: str) -> None:
        self._sampler = sampler
        self._where = where
        self._found = 0

    def pieces(self, box: Box) -> list[Piece]:
        """The pieces of a box, the lowest sizes first.

        Raises TfmbsError ``unsupported`` where there are too many, or where something depends on sizes that cannot;
        and what the compilation of a sample refuses.
        """
        try:
            found = [self._whole(box)]
        except DifferenceError as differs:
            if differs.is_final or self._found + 2 > MOST_PIECES:
                raise self._refusal(differs) from differs
            axis, at = self._cut(box)
            lower, upper = box.cut(axis, at)
            return [*self.pieces(lower), *self.pieces(upper)]
        self._found += 1
        return found

    def _whole(self, box: Box) -> Piece:
        """The box as one piece. Raises DifferenceError."""
        if box.points > 1 and self._sampler.form(box.high) != self._sampler.form(box.low):
            raise DifferenceError(self._where, "the form of its code depends on a run-time size")
        varying = [low for low, high in zip(box.low, box.high, strict=True) if low < high]
        last: DifferenceError | None = None
        for degree in DEGREES:
            points, whole = samples(box, degree)
            trees = self._sampler.trees(points, box)
            try:
                return Piece(box, unified(trees, Fitter(points, whole=whole)))
            except DifferenceError as differs:
                last = differs
                # The form of code may depend on products of sizes; where a size is 1, that is more likely the reason.
                if whole or differs.is_final or not (differs.is_number or (len(varying) > 1 and 1 not in varying)):
                    break
        assert last is not None
        raise last

    def _cut(self, box: Box) -> tuple[int, int]:
        """An axis, and the last size of the lower part: where the form changes; else 1; else in the geometric middle.

        What holds for a size mostly holds for those that are not much larger.
        """
        for axis, (low, high) in enumerate(zip(box.low, box.high, strict=True)):
            if low < high and (at := self._change(box, axis, low, high)) is not None:
                return axis, at
        for axis, (low, high) in enumerate(zip(box.low, box.high, strict=True)):
            if low == 1 < high:
                return axis, 1
        ratios = [high / low for low, high in zip(box.low, box.high, strict=True)]
        axis = ratios.index(max(ratios))
        return axis, min(isqrt(box.low[axis] * box.high[axis]), box.high[axis] - 1)

    def _change(self, box: Box, axis: int, low: int, high: int) -> int | None:
        """The last size on an axis with the form that the lowest has, the other sizes at their upper bounds."""

        def form(size: int) -> str:
            return self._sampler.form(_with(box.high, axis, size))

        lowest = form(low)
        if form(high) == lowest:
            return None
        if form(low + 1) != lowest:
            return low
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if form(middle) == lowest else (low, middle)
        return low

    def _refusal(self, differs: DifferenceError) -> TfmbsError:
        expected = None if differs.is_final else f"at most {MOST_PIECES} ranges with code of one form each"
        where = f"{self._where}: {differs.where}"
        return TfmbsError("unsupported", where, f"run-time sizes: {differs.what}", expected)


def _with(point: Point, axis: int, size: int) -> Point:
    return (*point[:axis], size, *point[axis + 1 :])


def add_pieces(assembler: Assembler, names: list[str], pieces: list[Piece]) -> None:
    """Puts the pieces of an entry point into the tables."""
    for piece in pieces:
        bounds = zip(names, piece.box.low, piece.box.high, strict=True)
        assembler.add(piece.tree, list(bounds))
