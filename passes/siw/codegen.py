"""From loop nests and epilogues to unscheduled programs: strategy, hoisting, reductions in the contract's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from tfmbs.passes.siw.addresses import Addresses, strip_lanes
from tfmbs.passes.siw.assembly import Assembler, CodegenError, Loop, Slot
from tfmbs.passes.siw.body import Body
from tfmbs.passes.siw.nest import Access, Carried, Nest, needed_values, simplify, with_pool
from tfmbs.passes.siw.reductions import Fold, folds_of, is_ordered, with_aligned_reduction, with_identities
from tfmbs.runtime.abi import siw


@dataclass(frozen=True)
class Code:
    """An unscheduled program and the 32-bit words of its constant window, which is its last (none when empty)."""

    items: list[Slot | Loop]
    pool: tuple[int, ...]
    windows: int


def vector_code(nest: Nest) -> Code:
    """The program of a VECTOR launch that runs the whole nest. Raises CodegenError for what has no code."""
    strategy = _strategy(nest)
    try:
        return strategy(nest, True)
    except CodegenError:
        # Loop-invariant operands held in registers throughout may be what is too much: load them at each use.
        return strategy(nest, False)


def epilogue_code(nest: Nest, accumulator: int) -> Code:
    """The program of an epilogue: one chunk of the kernel's results.

    The nest has two dimensions, element and channel of the lanes, no outputs and one yield. The value at `accumulator`
    of its body is what the kernel leaves in v0, where it expects the result.
    """
    nest, pool = with_pool(nest)
    asm = Assembler(reserved=siw.EPILOGUE_ONE)
    asm.vectors.free.remove(0)
    places = {
        (0, 0): (0, 0),
        (1, 0): (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_ONE),
        (0, 1): (siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP),
    }

    def load(register: int, access: Access, displacements: int | None) -> None:
        if displacements is not None:
            raise CodegenError("an indexed load in an epilogue")
        base, index = places[access.strides[0], access.strides[1]]
        operands = {"reg": register, "win": access.window, "base": base, "index": index, "imm": access.offset}
        asm.emit("S", "LD", type=int(access.dtype), **operands)

    (result,) = Body(asm, nest, load, {accumulator: 0}).run(nest.yields, {nest.yields[0]: 0})
    if result != 0:
        asm.compute("MOV", None, 0, (result,))
    return Code(asm.finish(), pool, nest.windows)


def _strategy(nest: Nest) -> Callable[[Nest, bool], Code]:
    if not any(nest.reduction):
        return _map
    folds = folds_of(nest)
    ordered = [is_ordered(fold) for fold in folds]
    if len(folds) == len(nest.outputs) and (any(ordered) or _reduction_is_longest(nest)):
        return _fold
    if any(ordered):
        raise CodegenError("a sum beside another kind of reduction in one loop nest")
    return _sequential


def _reduction_is_longest(nest: Nest) -> bool:
    sizes = [(extent, is_reduction) for extent, is_reduction in zip(nest.extents, nest.reduction, strict=True)]
    return max(sizes)[1]


class _Emitter:
    """What the strategies share: the simplified nest, its addresses and its hoisted operands."""

    def __init__(self, nest: Nest, pool: tuple[int, ...], hoist: bool) -> None:
        self.nest, self.pool = nest, pool
        self.asm = Assembler()
        self.addresses = Addresses(self.asm, self.nest)
        self.parallel = [d for d, is_reduction in enumerate(self.nest.reduction) if not is_reduction]
        self.reduction = [d for d, is_reduction in enumerate(self.nest.reduction) if is_reduction]
        self.pinned = self._hoisted() if hoist else {}

    def _hoisted(self) -> dict[int, int]:
        stored = {output.window for output in self.nest.outputs}
        invariant = [
            (position, value)
            for position, value in needed_values(self.nest)
            if isinstance(value, Access) and value.invariant and value.window not in stored
        ]
        if invariant:
            self.asm.set_vl(min(siw.VLMAX, max(self.nest.extents, default=1)))
        pinned = {}
        for position, access in invariant:
            pinned[position] = self.asm.vectors.take()
            self.addresses.memory("LD", pinned[position], access, None)
        return pinned

    def vector_dim(self) -> int | None:
        """The parallel dimension that takes the fewest instructions as the vector; the innermost of equals."""
        if not self.parallel:
            return None
        return min(self.parallel, key=lambda d: (ceil(self.nest.extents[d] / siw.VLMAX) / self.nest.extents[d], -d))

    def body(self, dim: int | None, pinned: dict[int, int] | None = None) -> Body:
        """Emission of the body with lanes along `dim`."""

        def load(register: int, access: Access, displacements: int | None) -> None:
            if displacements is None:
                self.addresses.memory("LD", register, access, dim)
            else:
                self.addresses.gather(register, access, displacements)

        return Body(self.asm, self.nest, load, {**self.pinned, **(pinned or {})})

    def chunks(self, dim: int | None, chunk: Callable[[int], None]) -> None:
        """All parallel dimensions, with `chunk(lanes)` along `dim` innermost."""
        others = [d for d in self.parallel if d != dim]
        if dim is None:
            self.addresses.walk(others, 1, lambda: chunk(1))
        else:
            self.addresses.walk(others, strip_lanes(self.nest.extents[dim]), lambda: self.addresses.strip(dim, chunk))

    def store(self, registers: Sequence[int], dim: int | None) -> None:
        """Stores one register per output."""
        for output, register in zip(self.nest.outputs, registers, strict=True):
            self.addresses.memory("ST", register, output, dim)

    def code(self) -> Code:
        """The finished program."""
        return Code(self.asm.finish(), self.pool, self.nest.windows)


def _prepared(nest: Nest) -> tuple[Nest, tuple[int, ...]]:
    pooled, pool = with_pool(nest)
    return simplify(pooled), pool


def _map(nest: Nest, hoist: bool) -> Code:
    """No reduction: load, compute, store."""
    body = tuple(nest.outputs[v.output] if isinstance(v, Carried) else v for v in nest.body)
    emitter = _Emitter(*_prepared(replace(nest, body=body)), hoist)
    dim = emitter.vector_dim()

    def chunk(lanes: int) -> None:
        emitter.asm.set_vl(lanes)
        code = emitter.body(dim)
        registers = code.run(emitter.nest.yields)
        emitter.store(registers, dim)
        code.free(registers)

    emitter.chunks(dim, chunk)
    return emitter.code()


def _sequential(nest: Nest, hoist: bool) -> Code:
    """Reductions in written order: lanes along a parallel dimension, accumulators in registers."""
    emitter = _Emitter(*_prepared(nest), hoist)
    asm, dim = emitter.asm, emitter.vector_dim()
    carried = {position: v.output for position, v in enumerate(emitter.nest.body) if isinstance(v, Carried)}

    def step(accumulators: Sequence[int], lanes: int) -> None:
        asm.set_vl(lanes)
        code = emitter.body(dim, {position: accumulators[output] for position, output in carried.items()})
        targets = dict(zip(emitter.nest.yields, accumulators, strict=True))
        registers = code.run(emitter.nest.yields, targets)
        moved = [(a, _kept(asm, r, accumulators)) for a, r in zip(accumulators, registers, strict=True) if a != r]
        for accumulator, register in moved:
            asm.compute("MOV", None, accumulator, (register,))
        code.free([register for _, register in moved])

    def chunk(lanes: int) -> None:
        asm.set_vl(lanes)
        accumulators = [asm.vectors.take() for _ in emitter.nest.outputs]
        for output, accumulator in zip(emitter.nest.outputs, accumulators, strict=True):
            emitter.addresses.memory("LD", accumulator, output, dim)
        emitter.addresses.walk(emitter.reduction, lanes, lambda: step(accumulators, lanes))
        emitter.store(accumulators, dim)
        for accumulator in accumulators:
            asm.vectors.give(accumulator)

    emitter.chunks(dim, chunk)
    return emitter.code()


def _kept(asm: Assembler, register: int, accumulators: Sequence[int]) -> int:
    """A register with the same value that moves into the accumulators do not change."""
    if register not in accumulators:
        return register
    copy = asm.vectors.take()
    asm.compute("MOV", None, copy, (register,))
    return copy


def _fold(nest: Nest, hoist: bool) -> Code:
    """Reductions by 16 partials: lanes along the innermost reduction, the initial value combined last."""
    nest, folds = with_identities(nest, folds_of(nest))
    emitter = _Emitter(*with_aligned_reduction(*_prepared(nest)), hoist)
    asm, (*outer, last) = emitter.asm, emitter.reduction
    sources = [fold.source for fold in folds]

    def accumulate(partials: Sequence[int], lanes: int) -> None:
        asm.set_vl(lanes)
        code = emitter.body(last)
        registers = code.run(sources)
        for fold, partial, register in zip(folds, partials, registers, strict=True):
            asm.compute("RED", fold.dtype, partial, (register,), fold.kind)
        code.free(registers)

    def result(fold: Fold, partial: int) -> None:
        output = emitter.nest.outputs[fold.output]
        total, initial = asm.vectors.take(), asm.vectors.take()
        asm.compute("FOLD", fold.dtype, total, (partial,), fold.kind)
        emitter.addresses.memory("LD", initial, output, None)
        asm.compute(fold.op, fold.dtype, total, (initial, total))
        emitter.addresses.memory("ST", total, output, None)
        for register in (total, initial, partial):
            asm.vectors.give(register)

    def reduce() -> None:
        asm.set_vl(siw.REDUCTION_LANES)
        partials = [asm.vectors.take() for _ in folds]
        for fold, partial in zip(folds, partials, strict=True):
            identity = emitter.nest.body[fold.identity]
            assert isinstance(identity, Access)
            emitter.addresses.memory("LD", partial, identity, None)
        emitter.addresses.walk(
            outer,
            strip_lanes(emitter.nest.extents[last]),
            lambda: emitter.addresses.strip(last, lambda lanes: accumulate(partials, lanes)),
        )
        asm.set_vl(1)
        for fold, partial in zip(folds, partials, strict=True):
            result(fold, partial)

    emitter.addresses.walk(emitter.parallel, None, reduce)
    return emitter.code()
