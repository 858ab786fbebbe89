"""What a pass is and how one is found: a module of ``tfmbs.passes`` that defines a ``Pass`` is the pass of its name.

A module there that defines no ``Pass`` is a library of its neighbours; one that defines two is an error.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

import tfmbs.passes
from tfmbs.passes.options import OptionType, format_options, option_type, parse_options
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass(frozen=True)
class Pass:
    """One transformation of the IR. Subclasses are frozen dataclasses, one per file of ``tfmbs.passes``.

    The file's stem with dashes is the name of the pass; its dataclass fields are its options, each with a default and
    of type bool, int, float, str, ``Literal`` of strings, ``tuple[int, ...]`` or ``tuple[str, ...]``; underscores
    become dashes: ``tfmbs-fuse{max-operands=8}``. The class docstring starts with one sentence, which
    ``tfmbs-opt --list-passes`` prints, and ends with an example, ``Before:`` and ``After:`` each followed by an
    indented block of IR, optionally ``Options: max-operands=2``; the test suite runs it.
    """

    anchor: ClassVar[str] = "builtin.module"
    """Name of the ops `run` is called with: ``builtin.module`` or ``func.func``."""

    def run(self, module: Any) -> None:
        """Transforms the anchor op `module` in place.

        What the pass refuses it reports by raising `TfmbsError` (code ``pass``) or by ``op.location.emit_error``; the
        IR is then not used any more. A pass may rely on verified input and must leave verified output.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define run")

    @classmethod
    def pass_name(cls) -> str:
        """The textual name: the defining file's stem, with dashes."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def summary(cls) -> str:
        """The first sentence (paragraph) of the docstring, on one line."""
        paragraph = (cls.__doc__ or "").strip().partition("\n\n")[0]
        return " ".join(paragraph.split())

    @classmethod
    def option_types(cls) -> Mapping[str, OptionType]:
        """Textual option name -> its type and default, in the order of the fields."""
        hints = get_type_hints(cls)
        return {
            field.name.replace("_", "-"): option_type(hints[field.name], field.default)
            for field in dataclasses.fields(cls)
        }

    @classmethod
    def from_text(cls, options: str = "") -> Pass:
        """An instance with the textual options ``a=1 b=x,y`` (no surrounding braces).

        Raises:
            TfmbsError: ``pass.unknown``, for an option that does not exist, is given twice or is ill-typed.
        """
        values = parse_options(options, cls.option_types(), cls.pass_name())
        return cls(**{name.replace("-", "_"): value for name, value in values.items()})

    def options_text(self) -> str:
        """All options in textual form, without braces; `from_text` reads it back to an equal instance."""
        return format_options({name: getattr(self, name.replace("-", "_")) for name in self.option_types()})

    def __str__(self) -> str:
        options = self.options_text()
        return f"{self.pass_name()}{{{options}}}" if options else self.pass_name()


@functools.cache
def _stems() -> Mapping[str, str]:
    """Dashed name -> module name, of every module in the package (no module is imported)."""
    return {info.name.replace("_", "-"): info.name for info in pkgutil.iter_modules(tfmbs.passes.__path__)}


@functools.cache
def find(name: str) -> type[Pass] | None:
    """The pass with this textual name, or None if no module of that name defines one.

    Raises:
        TypeError: the module defines more than one pass.
    """
    stem = _stems().get(name)
    if stem is None:
        return None
    module = importlib.import_module(f"tfmbs.passes.{stem}")
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    found = [c for c in classes if issubclass(c, Pass) and c is not Pass and c.__module__ == module.__name__]
    if len(found) > 1:
        raise TypeError(f"{module.__name__} defines {len(found)} passes; a file holds one")
    return found[0] if found else None


def all_passes() -> Iterator[type[Pass]]:
    """Every pass of the project, by name. Imports all of them."""
    for name in sorted(_stems()):
        if (found := find(name)) is not None:
            yield found


def unknown_pass(name: str, reason: str = "no such pass") -> TfmbsError:
    """The error for a name that is neither ours nor upstream's, with names that are near it."""
    near = difflib.get_close_matches(name, [found.pass_name() for found in all_passes()], n=3, cutoff=0.7)
    hint = f" (near: {', '.join(near)})" if near else ""
    return TfmbsError("pass.unknown", f"pass {name}", f"{reason}{hint}")
