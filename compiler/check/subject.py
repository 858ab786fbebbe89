"""What a check needs of a model, whatever it was written for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tfmbs.compiler.check.problem import Problem, Source
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.jit import Slot


class Candidate(Protocol):
    """A model that is tried: a part of the one that is checked."""

    def model(self) -> object:
        """What the compiler takes; to be called in a process of its own. Raises TfmbsError."""

    def slots(self, options: Options) -> tuple[Slot, ...]:
        """Its inputs. Raises TfmbsError."""


@dataclass(frozen=True)
class Attempt:
    """A candidate and the options that it is compiled with."""

    candidate: Candidate
    options: Options


@dataclass(frozen=True)
class Part:
    """A node alone, its op, and the names and places of all nodes that it stands for."""

    candidate: Candidate
    op: str
    names: tuple[str, ...]
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Node:
    """A node of the model: its op and where it is from."""

    op: str
    sources: tuple[Source, ...] = ()


@dataclass
class Findings:
    """What is refused of a model as a whole, the `parts` that nothing was said about, and the names of nodes that could
    not be looked at, since the types of what they read are not known.
    """

    problems: list[Problem] = field(default_factory=list)
    parts: Sequence[Part] = ()
    unseen: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Remedy:
    """A change of an attempt, and what to say if it works; None where it does not apply."""

    says: str
    change: Callable[[Attempt], Attempt | None]


class Subject(Protocol):
    """A model that is checked.

    Attributes:
        model: what the compiler takes.
        where: how errors call it.
        nodes: its nodes by name, in order.
        remedies: what is tried on a node that is refused.
    """

    @property
    def model(self) -> object: ...
    @property
    def where(self) -> str: ...
    @property
    def nodes(self) -> Mapping[str, Node]: ...
    @property
    def remedies(self) -> Sequence[Remedy]: ...

    def findings(self, options: Options) -> Findings:
        """Everything that can be said before nodes are tried alone."""

    def helps(self, problem: Problem) -> list[str]:
        """What a refusal itself says would help."""
