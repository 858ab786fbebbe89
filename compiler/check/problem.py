"""One thing of a model that is refused, and the nodes that share it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfmbs.runtime.abi.errors import TfmbsError


@dataclass
class Problem:
    """A refusal: a stable code, where, what, and what would help, one sentence each.

    `nodes` are names of the model's nodes, none for what concerns the model, an input or a tensor. `where` is the part
    of an error's location behind the model's name.
    """

    code: str
    where: str
    message: str
    nodes: list[str] = field(default_factory=list)
    op: str = ""
    helps: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, error: TfmbsError, model: str) -> Problem:
        """The problem that an error names; `model` is what the error calls the model."""
        prefix = f"error: {error.location}: "
        where = error.location.removeprefix(f"{model}: ")
        return cls(error.code, "" if where == model else where, str(error).removeprefix(prefix))
