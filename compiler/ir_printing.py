"""Prints the IR before and after passes as MLIR's ``--mlir-print-ir-*`` do, on standard error or as a tree of files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmbs.compiler.driver import Observer
from tfmbs.compiler.plan import Step


@dataclass(frozen=True)
class AsmFlags:
    """How IR becomes text: sizes beyond which elements and resources are elided (None: never), whether locations are
    printed, all ops in generic form, and attributes in place instead of as aliases.
    """

    elements_limit: int | None = None
    resource_limit: int | None = None
    debug_info: bool = False
    generic: bool = False
    local_scope: bool = False

    def text(self, op: Any, local: bool = False) -> str:
        """The op as text, with `local` as in local scope; invalid IR prints generically."""
        asm = op.operation.get_asm(
            large_elements_limit=self.elements_limit,
            large_resource_limit=self.resource_limit,
            enable_debug_info=self.debug_info,
            print_generic_op_form=self.generic,
            use_local_scope=local or self.local_scope,
        )
        return f"{str(asm).rstrip()}\n"


PLAIN = AsmFlags()


@dataclass(frozen=True)
class Selection:
    """Around which passes to print; `only_change` and `only_failure` restrict what is printed after one."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    before_all: bool = False
    after_all: bool = False
    only_change: bool = False
    only_failure: bool = False

    def any(self) -> bool:
        """Whether anything is selected."""
        return self != Selection()

    def is_before(self, name: str) -> bool:
        """Whether the IR before the pass `name` is printed."""
        return self.before_all or name in self.before

    def is_after(self, name: str) -> bool:
        """Whether the IR after the pass `name` is printed, restrictions aside. A restriction alone selects all."""
        restricted = self.only_change or self.only_failure
        return self.after_all or name in self.after or (restricted and not self.after)


class _TreeNumbers:
    """Numbers the files of a tree as MLIR does: per op in the order printed, behind the numbers of its ancestors."""

    def __init__(self) -> None:
        self._next: Counter[str] = Counter()
        self._entered: set[str] = set()

    def file(self, ancestors: list[Any], name: str) -> Path:
        """The file of the next dump of the innermost op, around the pass `name`."""
        folders = [f"{op.name}{_symbol(op, '_', '_no-symbol-name')}".replace(".", "_") for op in ancestors]
        paths = ["/".join(folders[: depth + 1]) for depth in range(len(folders))]
        if paths[-1] in self._entered:
            self._entered.remove(paths[-1])
            self._next[paths[-1]] += 1
        prefix = "".join(f"{self._next[path]}_" for path in paths)
        self._next[paths[-1]] += 1
        self._entered.update(paths[:-1])
        return Path(paths[-1]) / f"{prefix}{name}.mlir"


@dataclass
class IRPrinter(Observer):
    """Observes a driver and prints the selected IR; with `tree`, each dump is a file below that folder."""

    selection: Selection
    flags: AsmFlags = PLAIN
    module_scope: bool = False
    tree: Path | None = None
    _before: str = ""
    _numbers: _TreeNumbers = field(default_factory=_TreeNumbers)

    def before(self, step: Step, op: Any) -> None:
        """Prints if selected, and remembers the IR if a change is to be found."""
        if self.selection.is_before(step.name):
            self._dump(f"Before {title(step)}", step, op)
        if self.selection.only_change:
            self._before = str(op.operation)

    def after(self, step: Step, op: Any) -> None:
        """Prints if selected and, where only changes count, changed."""
        if not self.selection.is_after(step.name) or self.selection.only_failure:
            return
        if not self.selection.only_change or str(op.operation) != self._before:
            self._dump(f"After {title(step)}", step, op)

    def failed(self, step: Step, op: Any) -> None:
        """Prints if selected."""
        if self.selection.is_after(step.name):
            self._dump(f"After {title(step, ' Failed')}", step, op)

    def _dump(self, what: str, step: Step, op: Any) -> None:
        ancestors = list(_ancestors(op))
        scope = f" ('{op.name}' operation{_symbol(op, ': @')})" if self.module_scope and len(ancestors) > 1 else ""
        shown = ancestors[0] if self.module_scope else op
        text = f"// -----// IR Dump {what}{scope} //----- //\n{self.flags.text(shown, local=not self.module_scope)}\n"
        if self.tree is None:
            sys.stderr.write(text)
            return
        file = self.tree / self._numbers.file(ancestors, step.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def title(step: Step, note: str = "") -> str:
    """The step in a banner: of ours its class and text, of upstream's its text. `note` follows the name."""
    return f"{step.placed}{note}" if step.ours is None else f"{type(step.ours).__name__}{note}: {step.placed}"


def _ancestors(op: Any) -> Iterator[Any]:
    """The op and what it is nested in, outermost first."""
    if op.parent is not None:
        yield from _ancestors(op.parent.operation)
    yield op


def _symbol(op: Any, prefix: str, otherwise: str = "") -> str:
    return f"{prefix}{op.attributes['sym_name'].value}" if "sym_name" in op.attributes else otherwise
