"""One thing of a model that is refused, and the nodes that share it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfmbs.runtime.abi.errors import Subject, TfmbsError


@dataclass(frozen=True)
class Source:
    """Where a node is from: the value that it computes, and the line of the user's code, where that is known."""

    node: str
    value: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.value}: {self.file}:{self.line}" if self.value != self.node else f"{self.file}:{self.line}"


@dataclass
class Problem:
    """A refusal: a stable code, where, what, and what would help, one sentence each.

    `nodes` are names of the model's nodes, none for what concerns the model, an input or a tensor. `where` is the part
    of an error's location behind the model's name, `subject` what of the model the error says it is about.
    """

    code: str
    where: str
    message: str
    nodes: list[str] = field(default_factory=list)
    op: str = ""
    helps: list[str] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    subject: Subject | None = None

    @classmethod
    def of(cls, error: TfmbsError, model: str) -> Problem:
        """The problem that an error names; `model` is what the error calls the model."""
        prefix = f"error: {error.location}: "
        where = error.location.removeprefix(f"{model}: ")
        message = str(error).removeprefix(prefix)
        helps = [error.help] if error.help else []
        return cls(error.code, "" if where == model else where, message, helps=helps, subject=error.subject)
