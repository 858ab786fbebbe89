"""Which reductions the RED and FOLD instructions compute, and with what partials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod

from tfmbs.passes.siw.assembly import CodegenError
from tfmbs.passes.siw.nest import Access, Carried, Compute, Constant, Gather, Nest, Value, reads_of
from tfmbs.runtime.abi.siw import REDUCTION_LANES, Reduce
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
    """Whether the order of the combination shows in the result: the contract asks for 16 partials."""
    return fold.op == "ADD" and fold.dtype is DType.F32


def with_identities(nest: Nest, folds: list[Fold]) -> tuple[Nest, list[Fold]]:
    """The nest with the folds' identities as constants of its body."""
    body = list(nest.body)
    placed = []
    for fold in folds:
        placed.append(replace(fold, identity=len(body)))
        body.append(Constant(_IDENTITIES[fold.op, fold.dtype]))
    return replace(nest, body=tuple(body)), placed


MAX_TABLE = 1 << 20


def with_aligned_reduction(nest: Nest, pool: tuple[int, ...]) -> tuple[Nest, tuple[int, ...]]:
    """A nest whose partials can be formed a vector at a time: element i of the reduction in lane i mod 16.

    That holds where the innermost reduction is the only one, or a multiple of 16. Else the reductions become one, and
    what does not lie at even distances along it is gathered through a table of displacements in the constant pool,
    which must be the last window. Raises CodegenError for a table of more than `MAX_TABLE` words.
    """
    dims = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
    if len(dims) == 1 or nest.extents[dims[-1]] % REDUCTION_LANES == 0:
        return nest, pool
    sizes = [nest.extents[d] for d in dims]
    if prod(sizes) > MAX_TABLE:
        raise CodegenError(f"a sum of {prod(sizes)} elements over dimensions that do not collapse into one")
    words = list(pool)
    body: list[Value] = list(nest.body)
    tables: list[Access] = []
    for position, value in enumerate(nest.body):
        if isinstance(value, Gather):
            raise CodegenError("a sum of indexed elements over dimensions that do not collapse into one")
        if isinstance(value, Access):
            body[position], more = _flattened(value, nest, dims, words, len(nest.body) + len(tables))
            tables += more
    parallel = [nest.extents[d] for d in range(len(nest.extents)) if d not in dims]
    flat = replace(
        nest,
        extents=(*parallel, prod(sizes)),
        reduction=(*(False for _ in parallel), True),
        body=(*body, *tables),
        outputs=tuple(replace(o, strides=(*_parallel(o, nest), 0)) for o in nest.outputs),
    )
    return flat, tuple(words)


def _flattened(
    access: Access, nest: Nest, dims: list[int], words: list[int], position: int
) -> tuple[Value, list[Access]]:
    """What replaces an access, and the table of displacements that it uses, which will be at `position` of the body."""
    sizes, strides = [nest.extents[d] for d in dims], [access.strides[d] for d in dims]
    pairs = zip(sizes[1:], strides[:-1], strides[1:], strict=True)
    if all(outer == size * inner for size, outer, inner in pairs):
        return replace(access, strides=(*_parallel(access, nest), strides[-1])), []
    table = Access(nest.windows - 1, DType.I32, len(words), (*(0 for _ in _parallel(access, nest)), 1))
    words += [sum(i * s for i, s in zip(index, strides, strict=True)) for index in product(*map(range, sizes))]
    return Gather(replace(access, strides=(*_parallel(access, nest), 0)), position), [table]


def _parallel(access: Access, nest: Nest) -> list[int]:
    return [stride for stride, is_reduction in zip(access.strides, nest.reduction, strict=True) if not is_reduction]
