"""Which reductions the RED and FOLD instructions compute, and with what partials."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tfmbs.passes.siw.nest import Carried, Compute, Constant, Nest, reads_of
from tfmbs.runtime.abi.siw import Reduce
from tfmbs.runtime.abi.types import DType

_KINDS = {"ADD": Reduce.SUM, "MAX": Reduce.MAX, "MIN": Reduce.MIN}
_IDENTITIES: dict[tuple[str, DType], int] = {
    ("ADD", DType.F32): 0x00000000,
    ("MAX", DType.F32): 0xFF800000,
    ("MIN", DType.F32): 0x7F800000,
    ("ADD", DType.I32): 0x00000000,
    ("MAX", DType.I32): 0x80000000,
    ("MIN", DType.I32): 0x7FFFFFFF,
}


@dataclass(frozen=True)
class Fold:
    """Output `output` is reduced with `op` over the value at `source`; partials start as the constant at `identity`."""

    output: int
    op: str
    dtype: DType
    source: int
    identity: int = -1

    @property
    def kind(self) -> Reduce:
        """The `aux` of its RED and FOLD."""
        return _KINDS[self.op]


def folds_of(nest: Nest) -> list[Fold]:
    """The outputs whose new value is `op(old value, something that depends on no old value)`."""
    candidates = [_fold_of(nest, output) for output in range(len(nest.outputs))]
    return [fold for fold in candidates if fold is not None]


def _fold_of(nest: Nest, output: int) -> Fold | None:
    value = nest.body[nest.yields[output]]
    if not isinstance(value, Compute) or value.op not in _KINDS or value.dtype is None:
        return None
    sources = [a for a in value.args if nest.body[a] != Carried(output)]
    if len(sources) != 1 or any(isinstance(nest.body[p], Carried) for p in reads_of(nest.body, sources[0])):
        return None
    return Fold(output, value.op, value.dtype, sources[0])


def is_ordered(fold: Fold) -> bool:
    """Whether the order of the combination shows in the result, so that the 16 partials are what the contract asks for."""
    return fold.op == "ADD" and fold.dtype is DType.F32


def with_identities(nest: Nest, folds: list[Fold]) -> tuple[Nest, list[Fold]]:
    """The nest with the folds' identities as constants of its body."""
    body = list(nest.body)
    placed = []
    for fold in folds:
        placed.append(replace(fold, identity=len(body)))
        body.append(Constant(_IDENTITIES[fold.op, fold.dtype]))
    return replace(nest, body=tuple(body)), placed
