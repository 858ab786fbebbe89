"""Control flow on scalar registers: loops, skipped code, and addresses that loops move, linear in registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tfmbs.passes.siw.assembly import IMM_HIGH, IMM_LOW, Assembler
from tfmbs.passes.siw.machine import ZERO, Item, Reg
from tfmbs.passes.siw.ranges import INT64, Range, within
from tfmbs.runtime.abi.limits import MAX_STEPS


@dataclass(frozen=True)
class Atom:
    """A number that a scalar register holds, from scope `depth` on: 0 is the program. `known` is what it can be.

    The counter of a loop has no register of its own (`register` only names it): what is linear in it is a pointer.
    """

    register: Reg
    depth: int
    known: Range = INT64


@dataclass(frozen=True)
class Linear:
    """`offset` + sum of atom * coefficient over `terms`."""

    offset: int = 0
    terms: tuple[tuple[Atom, int], ...] = ()

    @property
    def range(self) -> Range:
        """What it can be; anything where it may wrap."""
        low = self.offset + sum(min(c * atom.known[0], c * atom.known[1]) for atom, c in self.terms)
        high = self.offset + sum(max(c * atom.known[0], c * atom.known[1]) for atom, c in self.terms)
        return (low, high) if within((low, high), INT64) else INT64

    def plus(self, other: Linear) -> Linear:
        """The sum."""
        terms = dict(self.terms)
        for atom, coefficient in other.terms:
            terms[atom] = terms.get(atom, 0) + coefficient
        kept = sorted(((a, c) for a, c in terms.items() if c), key=lambda term: term[0].register.number)
        return Linear(self.offset + other.offset, tuple(kept))

    def times(self, factor: int) -> Linear:
        """The product with a number."""
        if not factor:
            return Linear()
        return Linear(self.offset * factor, tuple((atom, c * factor) for atom, c in self.terms))


@dataclass
class _Scope:
    """Code that runs under one condition: the program, a loop's body, or code that may be skipped.

    `before` is the code in front of it. A loop has a counter that starts at `start` and grows by `step`.
    """

    before: list[Item]
    counter: Atom | None = None
    start: Linear = Linear()
    step: int | Reg = 1
    registers: dict[Linear, Reg] = field(default_factory=dict)
    moved: list[tuple[Reg, int]] = field(default_factory=list)


class Control:
    """Emits control flow into a program."""

    def __init__(self, asm: Assembler) -> None:
        self.asm = asm
        self._scopes = [_Scope(asm.prologue)]

    @property
    def depth(self) -> int:
        """Number of scopes around what is emitted now, without the program."""
        return len(self._scopes) - 1

    def atom(self, register: Reg, known: Range = INT64) -> Linear:
        """What a register that is written in the current scope holds."""
        return Linear(0, ((Atom(register, self.depth, known), 1),))

    def register(self, value: Linear) -> Reg:
        """A scalar register that holds a linear form; it is not to be changed."""
        base = self.base(value)
        if not value.offset:
            return base
        key = value
        depth = max((atom.depth for atom, _ in value.terms), default=0)
        scope = self._scopes[depth]
        if not value.terms:
            return self.asm.constant(value.offset)
        if key not in scope.registers:
            with self._at(depth):
                scope.registers[key] = self._sum(base, value.offset)
        return scope.registers[key]

    def base(self, value: Linear) -> Reg:
        """A scalar register that holds a linear form without its offset."""
        form = Linear(0, value.terms)
        if not form.terms:
            return ZERO
        depth = max(atom.depth for atom, _ in form.terms)
        scope = self._scopes[depth]
        if form not in scope.registers:
            scope.registers[form] = self._made(form, depth)
        return scope.registers[form]

    def copy(self, target: Reg, value: Linear) -> None:
        """Sets register `target`."""
        if IMM_LOW <= value.offset <= IMM_HIGH:
            self.asm.emit("S", "ADDI", reg=target, base=self.base(value), imm=value.offset)
        else:
            self.asm.emit("S", "ADDI", reg=target, base=self.register(value), imm=0)

    def operation(self, name: str, a: Linear, b: Linear, known: Range = INT64) -> Linear:
        """The result of an S operation on two numbers."""
        result = self.asm.scalar()
        self.asm.emit("S", name, reg=result, base=self.register(a), index=self.register(b))
        return self.atom(result, known)

    @contextmanager
    def counted(self, start: Linear, step: int | Linear, count: Linear, known: Range) -> Iterator[Linear]:
        """A loop that runs `count` times; gives its counter, which starts at `start` and is in `known`."""
        trips = None if count.terms else max(count.offset, 0)
        times = self.register(count)
        by = step if isinstance(step, int) else self.register(step)
        counter = Atom(self.asm.scalar(), self.depth + 1, known)
        scope = _Scope(self.asm.items, counter, start, by)
        with self.asm.counted(times, trips):
            self._scopes.append(scope)
            yield Linear(0, ((counter, 1),))
            for register, coefficient in scope.moved:
                self._advance(register, coefficient, by)
            self._scopes.pop()

    @contextmanager
    def forever(self) -> Iterator[None]:
        """A loop that only `leave_unless` ends."""
        times = self.asm.constant(MAX_STEPS)
        scope = _Scope(self.asm.items)
        with self.asm.counted(times):
            self._scopes.append(scope)
            yield
            self._scopes.pop()

    def leave_unless(self, condition: Reg) -> None:
        """Ends the loop of the current scope where a register is 0."""
        self.asm.emit("C", "BREAK", reg=condition)

    @contextmanager
    def under(self, condition: Reg) -> Iterator[None]:
        """Code that does not run where a register is 0."""
        scope = _Scope(self.asm.items)
        with self.asm.skipped(condition):
            self._scopes.append(scope)
            yield
            self._scopes.pop()

    def _made(self, form: Linear, depth: int) -> Reg:
        """A register for a form without offset whose innermost atom is of scope `depth`."""
        scope = self._scopes[depth]
        (atom, coefficient), *others = sorted(form.terms, key=lambda t: (t[0] != scope.counter, -t[0].depth))
        rest = Linear(0, tuple(others))
        if atom == scope.counter:
            return self._pointer(scope, depth, coefficient, rest)
        if coefficient == 1 and not others:
            return atom.register
        with self._at(depth):
            product = atom.register
            if coefficient != 1:
                product = self.asm.scalar()
                factor = self.asm.constant(coefficient)
                self.asm.emit("S", "SMUL", reg=product, base=atom.register, index=factor)
            if not others:
                return product
            total = self.asm.scalar()
            self.asm.emit("S", "SADD", reg=total, base=product, index=self.base(rest))
            return total

    def _pointer(self, scope: _Scope, depth: int, coefficient: int, rest: Linear) -> Reg:
        """A register that follows a loop's counter times `coefficient`, beside `rest`, which the loop leaves alone."""
        if any(atom.depth == depth for atom, _ in rest.terms):
            pointer, total = self._pointer(scope, depth, coefficient, Linear()), self.asm.scalar()
            with self._at(depth):
                self.asm.emit("S", "SADD", reg=total, base=pointer, index=self.base(rest))
            return total
        pointer = self.asm.scalar()
        first = scope.start.times(coefficient).plus(rest)
        with self._at(depth - 1):
            self.copy(pointer, first)
        scope.moved.append((pointer, coefficient))
        return pointer

    def _advance(self, register: Reg, coefficient: int, step: int | Reg) -> None:
        if isinstance(step, int):
            self.asm.add(register, coefficient * step)
            return
        amount = step
        if coefficient != 1:
            amount = self.asm.scalar()
            self.asm.emit("S", "SMUL", reg=amount, base=step, index=self.asm.constant(coefficient))
        self.asm.emit("S", "SADD", reg=register, base=register, index=amount)

    def _sum(self, base: Reg, offset: int) -> Reg:
        total = self.asm.scalar()
        if IMM_LOW <= offset <= IMM_HIGH:
            self.asm.emit("S", "ADDI", reg=total, base=base, imm=offset)
        else:
            self.asm.emit("S", "SADD", reg=total, base=base, index=self.asm.constant(offset))
        return total

    @contextmanager
    def _at(self, depth: int) -> Iterator[None]:
        """Emits into scope `depth`: here when it is the current one, else in front of the scope inside of it."""
        if depth == self.depth:
            yield
            return
        items, self.asm.items = self.asm.items, self._scopes[depth + 1].before
        yield
        self.asm.items = items
