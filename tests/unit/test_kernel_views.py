"""Views of buffers in other shapes: numpy, which refuses a shape that takes a copy, says which there are."""

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.passes.kernel.buffers import View

SIZES = st.lists(st.sampled_from([1, 1, 2, 3, 4, 6]), min_size=1, max_size=4)


@st.composite
def views(draw: st.DrawFn) -> tuple[View, np.ndarray]:
    """A part of a dense buffer with its dimensions in any order, and the same of an array that numbers the elements."""
    whole = draw(SIZES)
    offsets = [draw(st.integers(0, size - 1)) for size in whole]
    steps = [draw(st.sampled_from([1, 1, 1, 2])) for _ in whole]
    sizes = [1 + (size - offset - 1) // step for size, offset, step in zip(whole, offsets, steps, strict=True)]
    order = draw(st.permutations(range(len(whole))))
    dense = tuple(prod(whole[axis + 1 :]) for axis in range(len(whole)))
    view = View(None, tuple(whole), dense).sliced(offsets, sizes, steps).permuted(order)
    parts = tuple(
        slice(offset, offset + size * step, step) for offset, size, step in zip(offsets, sizes, steps, strict=True)
    )
    return view, np.arange(prod(whole), dtype=np.int64).reshape(whole)[parts].transpose(order)


def elements(view: View) -> np.ndarray:
    """The numbers of a view's elements in its buffer."""
    places = np.full((), view.offset)
    for size, stride in zip(view.shape, view.strides, strict=True):
        places = np.add.outer(places, np.arange(size) * stride)
    return places


@given(given=views(), data=st.data())
def test_other_shapes_are_views_where_numpy_needs_no_copy(given: tuple[View, np.ndarray], data: st.DataObject) -> None:
    view, array = given
    np.testing.assert_array_equal(elements(view), array)
    shape, left = [], array.size
    while left > 1:
        shape.append(data.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0]), "size"))
        left //= shape[-1]
    other = array.view()
    got = view.regrouped(tuple(shape))
    try:
        other.shape = tuple(shape)
    except AttributeError:
        assert got is None
        return
    assert got is not None
    assert got.shape == tuple(shape)
    np.testing.assert_array_equal(elements(got), other)
