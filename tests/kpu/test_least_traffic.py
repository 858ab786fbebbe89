"""The least external bytes of launches, by hand."""

from itertools import pairwise, product
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.measured.least import least_external, strided_parts

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


def test_heads_side_by_side_count_what_they_touch() -> None:
    """Queries, keys and values are thirds of the rows of one input, then two of them the same part."""
    n, heads, width = 6, 3, 4
    row = 3 * heads * width
    for starts, parts in (((0, 12, 24), 3), ((0, 12, 12), 2), ((0, 0, 0), 1), ((0, 6, 12), 2)):
        builder = Builder()
        x = builder.input("x", (n, row), DType.F32)
        views = [builder.view(x, (n * row - start,), offset=4 * start) for start in starts]
        geometry = {"batch": 1, "groups": heads, "shared": 1, "rows": n, "columns": n, "width": width}
        geometry |= {"value_width": width, "scale": 1.0, "out_by_rows": 1}
        for name, head in (("lhs", "head"), ("rhs", "group"), ("value", "group")):
            geometry |= {f"{name}_{head}_stride": width, f"{name}_row_stride": row, f"{name}_stride": 1}
        builder.attention_of(*views, builder.output("y", (n, heads, width), DType.F32), geometry)
        image = builder.image()
        assert least_external(image, image.descriptors[0], 0) == 4 * n * heads * width * (parts + 1)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 20)), min_size=1, max_size=4), st.integers(1, 8))
def test_parts_are_those_of_all_elements(axes: list[tuple[int, int]], element: int) -> None:
    sizes, strides = zip(*axes, strict=True)
    touched = {
        sum(i * stride for i, stride in zip(place, strides, strict=True)) * element + byte
        for place in product(*map(range, sizes))
        for byte in range(element)
    }
    parts = strided_parts(sizes, strides, element)
    assert {byte for low, high in parts for byte in range(low, high)} == touched
    assert all(low > end for (_, end), (low, _) in pairwise(parts))  # neighbours are one part


def test_keys_that_lie_transposed_are_one_part_however_long_they_are() -> None:
    columns, width = 1 << 40, 64
    assert strided_parts((1, 1, columns, width), (0, 0, 1, columns), 4) == [(0, 4 * columns * width)]
