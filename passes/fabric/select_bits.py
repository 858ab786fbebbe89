"""Selection rules of operations on the bits of integers: how many are set, and how many zeros are at an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfmbs.passes.fabric.scalars import INDEX_BITS, width_of
from tfmbs.runtime.abi.types import DType

if TYPE_CHECKING:
    from tfmbs.passes.fabric.select import Rule, Selector


class _Lanes:
    """Unsigned integers of a width in lanes of 32 or 64 bits, with zeros above."""

    def __init__(self, selector: Selector, width: int) -> None:
        self._selector = selector
        self._is_wide = width == INDEX_BITS
        self._dtype = DType.I64 if self._is_wide else DType.I32
        self.bits = INDEX_BITS if self._is_wide else INDEX_BITS // 2
        self.width = width

    def of(self, position: int) -> int:
        """The integer at a position, with zeros above its width."""
        selector = self._selector
        return selector.wide(position) if self._is_wide else selector.unsigned(position, self.width)

    def op(self, name: str, a: int, b: int) -> int:
        """An operation on two positions."""
        return self._selector.compute(name, self._dtype, a, b)

    def with_number(self, name: str, a: int, number: int) -> int:
        """An operation with a number."""
        return self.op(name, a, self._selector.constant(number, wide=self._is_wide))

    def repeated(self, byte: int) -> int:
        """A number that is `byte` in each of its bytes."""
        return sum(byte << i for i in range(0, self.bits, 8))

    def rest(self, count: int) -> int:
        """The bits of the width that are not counted."""
        return self._selector.compute("SUB", DType.I32, self._selector.constant(self.width), count)

    def result(self, position: int) -> int:
        """A count, which needs no 64 bits."""
        return self._selector.low(position)


def _count(lanes: _Lanes, x: int) -> int:
    """The number of bits that are set, in pairs, in fours, in bytes, then over all bytes."""
    pairs = lanes.with_number("AND", lanes.with_number("SHRL", x, 1), lanes.repeated(0x55))
    x = lanes.op("SUB", x, pairs)
    fours = lanes.with_number("AND", lanes.with_number("SHRL", x, 2), lanes.repeated(0x33))
    x = lanes.op("ADD", lanes.with_number("AND", x, lanes.repeated(0x33)), fours)
    x = lanes.with_number("AND", lanes.op("ADD", x, lanes.with_number("SHRL", x, 4)), lanes.repeated(0x0F))
    total = lanes.with_number("MUL", x, lanes.repeated(0x01))
    return lanes.result(lanes.with_number("SHRL", total, lanes.bits - 8))


def _population(lanes: _Lanes, x: int) -> int:
    return _count(lanes, lanes.of(x))


def _trailing(lanes: _Lanes, x: int) -> int:
    """The bits below the lowest one that is set are those of ~x & (x - 1)."""
    below = lanes.op("AND", lanes.with_number("XOR", lanes.of(x), -1), lanes.with_number("SUB", lanes.of(x), 1))
    return _count(lanes, lanes.of(below))


def _leading(lanes: _Lanes, x: int) -> int:
    """The width less the bits from the highest one that is set down."""
    x = lanes.of(x)
    distance = 1
    while distance < lanes.width:
        x = lanes.op("OR", x, lanes.with_number("SHRL", x, distance))
        distance *= 2
    return lanes.rest(_count(lanes, x))


def _rule(build: Callable[[_Lanes, int], int]) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        (x,) = selector.args(op)
        lanes = _Lanes(selector, width_of(op, op.results[0].type))
        return build(lanes, x)

    return rule


RULES: dict[str, Rule] = {
    "math.ctlz": _rule(_leading),
    "math.cttz": _rule(_trailing),
    "math.ctpop": _rule(_population),
}
