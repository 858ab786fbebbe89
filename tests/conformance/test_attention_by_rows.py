"""ATTENTION with heads side by side in rows, as projections leave them and as the next one takes them, by bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.builder import Builder
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_attention import CASES, Array, Attention, attend, case, operands
from tests.native import examples
from tfmbs.runtime.abi.records import NONE
from tfmbs.runtime.abi.types import DType

EXAMPLES = examples(40)
SIZES = st.sampled_from([1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 70])
WIDTHS = st.sampled_from([1, 3, 8, 16, 17, 32, 40, 48, 64])


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    """Blocks of rows that end within a head, several heads in one, keys and values for many panels or a part of one."""
    heads = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 1, 2, 4, 9]))
    rows, columns = draw(SIZES), draw(SIZES)
    sizes = (draw(st.sampled_from([1, 1, 2])), *heads, rows, columns, draw(WIDTHS), draw(WIDTHS))
    causal = draw(st.booleans())
    return Attention(sizes, scale=0.25, causal=causal, offset=draw(st.integers(0, columns)) if causal else 0)


def run_by_rows(
    device: DeviceUnderTest, a: Attention, arrays: tuple[Array, Array, Array, Array | None], *, by_rows: bool = True
) -> Array:
    """Queries, keys and values are parts of rows of one input; results are B×M×H×E, or B×H×M×E."""
    q, k, v, mask = arrays
    batch, groups, shared, rows, columns, width, value_width = a.sizes
    heads, longer = groups * shared, max(rows, columns)
    parts = [np.swapaxes(x, 1, 2).reshape(batch, x.shape[2], -1) for x in (q, k, v)]
    padded = [np.pad(part, ((0, 0), (0, longer - part.shape[1]), (0, 0)), constant_values=np.nan) for part in parts]
    joined = np.ascontiguousarray(np.concatenate(padded, -1))
    row, builder, given = joined.shape[-1], Builder(), {"x": joined}
    whole = builder.input("x", joined.shape, DType.F32)
    starts = np.cumsum([0, *(part.shape[-1] for part in parts[:-1])]).tolist()
    views = [builder.view(whole, (joined.size - start,), offset=4 * start) for start in starts]
    geometry: dict[str, float] = {
        "batch": batch, "groups": groups, "shared": shared, "rows": rows, "columns": columns, "width": width,
        "value_width": value_width, "scale": a.scale, "fill": a.fill, "causal": a.causal, "offset": a.offset,
        "clear": a.clear, "lhs_head_stride": width, "rhs_group_stride": width, "value_group_stride": value_width,
        "out_by_rows": by_rows, "mask": a.mode,
    }  # fmt: skip
    for name in ("lhs", "rhs", "value"):
        geometry |= {f"{name}_batch_stride": longer * row, f"{name}_row_stride": row, f"{name}_stride": 1}
    masked = NONE
    if mask is not None:
        masked, given["mask"] = builder.input("mask", mask.shape, DType.BOOL if mask.dtype == bool else DType.F32), mask
        for axis, name in enumerate(("batch", "head", "row", "column")):
            step = int(np.prod(mask.shape[axis + 1 :]))
            geometry[f"mask_{name}_stride"] = step if mask.shape[axis] > 1 else 0
    shape = (batch, rows, heads, value_width) if by_rows else (batch, heads, rows, value_width)
    builder.attention_of(*views, builder.output("y", shape, DType.F32), geometry, masked)
    y = device.run(builder.image(), given)["y"]
    return np.swapaxes(y, 1, 2) if by_rows else y


@pytest.mark.parametrize("name", CASES)
def test_every_form(device: DeviceUnderTest, name: str) -> None:
    arrays, expected = case(name)
    assert run_by_rows(device, CASES[name], arrays).tobytes() == expected.tobytes()


@given(a=attentions(), seed=st.integers(0, 99), by_rows=st.booleans())
@settings(max_examples=EXAMPLES)
def test_sizes(device: DeviceUnderTest, a: Attention, seed: int, by_rows: bool) -> None:
    arrays = operands(a, seed)
    assert run_by_rows(device, a, arrays, by_rows=by_rows).tobytes() == attend(*arrays, a).tobytes()


def test_a_sum_of_minus_zero_in_one_of_several_heads(device: DeviceUnderTest) -> None:
    """What is left out and then matters after all, in a block of rows with parts of two heads."""
    a = Attention((1, 1, 2, 3, 4, 1, 2), causal=True)
    q, k = np.zeros((1, 2, 3, 1), np.float32), np.zeros((1, 1, 4, 1), np.float32)
    v = np.float32([[[[-1e-45, -1e-45]] * 3 + [[1, -1]]]])
    expected = attend(q, k, v, None, a)
    assert (np.signbit(expected) & (expected == 0)).any()
    assert run_by_rows(device, a, (q, k, v, None)).tobytes() == expected.tobytes()
