"""A dimension cut into vectors."""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.passes.siw.size import Size
from tfmbs.runtime.abi import siw


@dataclass(frozen=True)
class Strips:
    """A dimension in `count` vectors of `lanes` elements, and one of `tail`, if that is not 0.

    Where `run_time` is the extent, it alone tells how many vectors there are, and how long the last one is.
    """

    lanes: int
    count: int
    tail: int
    run_time: Size | None = None

    @classmethod
    def of(cls, extent: int, multiple: int = 1, most: int = siw.VLMAX) -> Strips:
        """As few strips as can be, give or take one half, of equal lanes where that divides; else a tail.

        None has more than `most` lanes. All but the last have a multiple of `multiple` lanes, which divides `most`.
        """
        if isinstance(extent, Size):
            return cls(extent, 1, 0) if extent.bounds[1] <= most else cls(most, 2, 1, extent)
        least = -(-extent // most)
        for count in range(least, least + least // 2 + 1):
            lanes, rest = divmod(extent, count)
            if rest == 0 and (count == 1 or lanes % multiple == 0):
                return cls(lanes, count, 0)
        return cls(most, *divmod(extent, most))

    @property
    def vl(self) -> int | None:
        """The one number of lanes that all strips have; None where there are two."""
        return None if self.tail else self.lanes
