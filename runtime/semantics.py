"""What launches are for in their network, as SEMANTICS says, and what the ops cost that they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.runtime.abi.image import Image, Row


@dataclass(frozen=True)
class Meaning:
    """Of one launch: phase of its network, patterns of the ops that it does, their operations and bytes.

    An op that several launches do counts with the first one, so that sums over launches count it once. Words are empty
    and counts 0 where nothing is known.
    """

    phase: str = ""
    pattern: str = ""
    flops: int = 0
    bytes: int = 0

    @property
    def intensity(self) -> float:
        """flops / bytes, 0 where nothing is moved."""
        return self.flops / self.bytes if self.bytes else 0.0


def meanings(image: Image, entry: int) -> list[Meaning]:
    """The meaning of each launch of entry number `entry`."""
    record = image.entries[entry]
    first, count = record["first_descriptor"], record["descriptor_count"]
    rows: list[list[Row]] = [[] for _ in range(count)]
    for row in image.semantics:
        if first <= row["descriptor"] < first + count:
            rows[row["descriptor"] - first].append(row)
    done: set[int] = set()
    return [_meaning(image, ops, done) for ops in rows]


def _meaning(image: Image, ops: Sequence[Row], done: set[int]) -> Meaning:
    if not ops:
        return Meaning()
    new = [op for op in ops if op["number"] not in done]
    done.update(op["number"] for op in new)
    patterns = dict.fromkeys(name for op in ops for name in image.strings[op["pattern"]].split("+") if name)
    flops, moved = (sum(op[key] for op in new) for key in ("flops", "bytes"))
    return Meaning(image.strings[ops[0]["phase"]], "+".join(patterns), flops, moved)
