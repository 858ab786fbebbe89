"""One tree from those of a model at several sizes: numbers that differ become forms in the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.compiler.sizes.tree import Block, Tree
from tfmbs.compiler.sizes.words import SizedWord, WordsDifferError, unified_words
from tfmbs.runtime.abi.fitting import Fitter
from tfmbs.runtime.abi.patches import targets
from tfmbs.runtime.abi.records import Patched

FROM_HIGHEST = {
    "launch": frozenset({"name", "location", "mask", "origins", "schedule", "waits"}),
    "program": frozenset({"name", "max_steps"}),
    "telemetry": frozenset({"mask"}),
    "tensor": frozenset({"name"}),
}
"""What is taken from the first tree, that of the upper bounds, whatever the others have: it bounds theirs, orders more
than they need, changes time alone, or is for people."""

SIZED = frozenset(target.field for section in Patched for target in targets(section).values())
"""Numbers that may depend on sizes."""


class DifferenceError(Exception):
    """Trees that are none of one form. `where` is the launch, or the argument; `is_final`: no smaller range helps;
    `is_number`: a number follows no polynomial of the degree that the samples can tell.
    """

    def __init__(self, where: str, what: str, *, is_final: bool = False, is_number: bool = False) -> None:
        super().__init__(where, what)
        self.where = where
        self.what = what
        self.is_final = is_final
        self.is_number = is_number


def unified(trees: Sequence[Tree], fitter: Fitter) -> Tree:
    """The tree of all sizes from those at the fitter's points. Raises DifferenceError."""
    return _Unifier(fitter).entry(trees)


class _Unifier:
    def __init__(self, fitter: Fitter) -> None:
        self._fitter = fitter
        self._where = "entry point"
        self._same: dict[tuple[int, int], bool] = {}

    def entry(self, trees: Sequence[Tree]) -> Tree:
        if any(tree["states"] != trees[0]["states"] for tree in trees):
            raise DifferenceError("state", "its bytes depend on a run-time size", is_final=True)
        found = {
            name: self._any([tree[name] for tree in trees], name)
            for name in trees[0]
            if name not in ("about", "launches")
        }
        found["about"] = trees[0]["about"]
        launches = [tree["launches"] for tree in trees]
        for number, same in enumerate(zip(*launches, strict=False)):
            if len({launch["kind"] for launch in same}) > 1:
                self._where = self._place(same)
                raise self._differs(f"kind of launch {number}")
        if len(counts := {len(rows) for rows in launches}) > 1:
            raise DifferenceError("entry point", f"number of launches: {' or '.join(map(str, sorted(counts)))}")
        return {**found, "launches": [self._launch(list(same)) for same in zip(*launches, strict=True)]}

    @staticmethod
    def _place(launches: Sequence[Tree]) -> str:
        return str(launches[0]["location"] or launches[0]["name"])

    def _launch(self, launches: list[Tree]) -> Tree:
        self._where = self._place(launches)
        return self._dict(launches, "launch")

    def _differs(self, what: str, *, is_number: bool = False) -> DifferenceError:
        return DifferenceError(self._where, what, is_number=is_number)

    def _any(self, values: list[Any], name: str) -> Any:
        first = values[0]
        if len({type(value) for value in values}) > 1 and not all(isinstance(value, int) for value in values):
            raise self._differs(name)
        if isinstance(first, dict):
            return self._dict(values, name)
        if isinstance(first, list | tuple):
            if any(len(value) != len(first) for value in values):
                raise self._differs(f"number of {name}")
            items = [self._any(list(same), name) for same in zip(*values, strict=True)]
            return tuple(items) if isinstance(first, tuple) else items
        if isinstance(first, Block):
            return first  # compared with its tensor
        if all(value == first for value in values):
            return first
        if name in SIZED and isinstance(first, int) and (form := self._fitter.fit(values)) is not None:
            return form
        raise self._differs(f"{name}: {' or '.join(map(str, dict.fromkeys(values)))}", is_number=name in SIZED)

    def _dict(self, values: list[Tree], name: str) -> Tree:
        first = values[0]
        if any(value.keys() != first.keys() for value in values):
            raise self._differs(name)
        if "block" in first:
            self._weights(values)
            name = "tensor"
        kept = FROM_HIGHEST.get(name, frozenset())
        found = {
            key: first[key] if key in kept or key == "words" else self._any([value[key] for value in values], key)
            for key in first
        }
        if "words" in first and name == "program":
            found["words"] = self._words([value["words"] for value in values])
        return found

    def _words(self, programs: list[list[bytes]]) -> list[SizedWord]:
        try:
            return unified_words(programs, self._fitter)
        except WordsDifferError as error:
            raise self._differs(f"its program: {error}") from error

    def _weights(self, tensors: list[Tree]) -> None:
        """Checks that constants are equal, or that at smaller sizes they are the first rows of the largest one."""
        largest = tensors[0]
        for tensor in tensors[1:]:
            ours, theirs = largest["block"], tensor["block"]
            if ours is None or theirs is None:
                if ours is not theirs:
                    raise self._differs("a constant")
                continue
            key = id(ours), id(theirs)
            if key not in self._same:
                self._same[key] = ours.data[: len(theirs.data)] == theirs.data
            is_whole = len(ours.data) == len(theirs.data)
            if not self._same[key] or not (is_whole or _is_prefix(tensor, largest)):
                what = f"the constant '{largest['name']}' depends on a run-time size, and is no part of a larger one"
                raise DifferenceError(self._where, what, is_final=True)


def _is_prefix(tensor: Tree, largest: Tree) -> bool:
    """Whether the first bytes of the larger tensor are one of these dims: shorter on its first axis that is not 1."""
    pairs = list(zip(tensor["dims"], largest["dims"], strict=True))
    differing = [axis for axis, (ours, theirs) in enumerate(pairs) if ours != theirs]
    return len(differing) == 1 and all(size == 1 for size in largest["dims"][: differing[0]])
