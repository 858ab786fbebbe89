"""Checks of SEMANTICS: ops of the network by launch, each once."""

from __future__ import annotations

from tfmbs.runtime.abi.records import SEMANTICS
from tfmbs.runtime.abi.verify.subject import Subject


def check_semantics(subject: Subject) -> None:
    """Checks that rows come by descriptor, and that no launch has an op twice."""
    before, ops = 0, set[int]()
    for index, row in enumerate(subject.image.semantics):
        if row["descriptor"] < before:
            raise subject.refuse(SEMANTICS, index, "descriptor", "order", f"at least {before}", row["descriptor"])
        if row["descriptor"] > before:
            before, ops = row["descriptor"], set()
        if row["number"] in ops:
            raise subject.refuse(SEMANTICS, index, "number", "op of the launch", "each once", row["number"])
        ops.add(row["number"])
