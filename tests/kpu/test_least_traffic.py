"""The least external bytes of launches, by hand."""

from math import prod

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.measured.least import least_external

X, W, Y = (32, 16), (8, 16), (32, 8)


def least(lhs_rows: int, rhs_offset: int) -> int:
    """Of a product whose operands are parts of one input of 32×16 bytes: its first rows, and 8 rows from an offset."""
    builder = Builder()
    x = builder.input("x", X, DType.I8)
    w = builder.view(x, W, offset=rhs_offset)
    y = builder.output("y", (lhs_rows, 8), DType.I32)
    lhs = builder.view(x, (lhs_rows, 16))
    builder.gemm(lhs, w, y, m=lhs_rows, n=8, k=16, schedule=builder.schedule())
    image = builder.image()
    return least_external(image, image.descriptors[0], 0)


def test_what_operands_share_counts_once() -> None:
    assert least(32, 64) == prod(X) + 4 * prod(Y)  # the right operand lies within the left one
    assert least(8, 128) == 8 * 16 + 8 * 16 + 4 * 8 * 8  # they are neighbours
    assert least(8, 64) == 64 + 8 * 16 + 4 * 8 * 8  # they overlap by half
    assert least(2, 320) == 2 * 16 + 8 * 16 + 4 * 2 * 8  # apart
