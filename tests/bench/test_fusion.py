"""What fusion can save of a feed-forward block: the int8 workload by hand, and why f32 cannot reach the bar."""

from __future__ import annotations

from itertools import product

import numpy as np
import onnxruntime

from tfmbs.runtime.abi.target_file import load_target
from tfmbs.tools.bench.simulated import models, suites
from tfmbs.tools.bench.simulated.ops import measured
from tfmbs.tools.bench.simulated.workload import DEFAULT_TARGET, Workload, run

ROWS, WIDTH, HIDDEN = 1024, 768, 3072
WORD = 4


def test_int8_ops_are_counted_with_the_types_that_they_pass_on() -> None:
    rows, width, hidden = 16, 32, 64
    found = measured(Workload("t", "t", lambda: models.feed_forward_int8(rows, width, hidden), against_ops=True))
    assert found.exact
    assert found.ops is not None
    h, y = rows * hidden, rows * width
    products = (y + width * hidden + h) + (h + hidden * width + y)  # i8 to i8
    to_f32, biases = 5 * h + 5 * y, 8 * h + 8 * y + WORD * (hidden + width)
    gelu, to_i8 = 8 * h, 5 * h + 5 * y
    grids = 2 * (5 + WORD) + 4 * 5  # scale and zero point, of products those of weights too
    assert found.ops.count == 9
    assert found.ops.least_external_bytes == products + to_f32 + biases + gelu + to_i8 + grids


def test_int8_values_are_those_of_onnx_runtime() -> None:
    model = models.feed_forward_int8(24, 48, 64)
    (expected,) = onnxruntime.InferenceSession(model.onnx.SerializeToString()).run(None, dict(model.inputs))
    (found,) = run(Workload("t", "t", lambda: model))[1].values()
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 200


def test_none_of_these_nests_of_f32_reaches_half_of_what_its_ops_move() -> None:
    """The figures of docs/kpu.md: as if all bytes on chip held operands or sums, and nothing was in two places."""
    target = load_target(DEFAULT_TARGET)
    words = (target.tiles * target.l1.size + target.l2.size + target.l3.size) // WORD
    ops = least_of_ops()
    bar = (1 - suites.FUSION_BARS["feed-forward"]) * ops
    unfused = least_of_product(ROWS, HIDDEN, WIDTH, words) + least_of_product(ROWS, WIDTH, HIDDEN, words)
    fused = least_of_rows(words)
    assert (round(ops / 1e5), round(unfused / 1e5), round(fused / 1e5)) == (1070, 881, 1070)
    assert bar < min(unfused, fused)


def least_of_ops() -> int:
    """Bytes of two products, two biases and GELU, each operand and result once."""
    h, y = ROWS * HIDDEN, ROWS * WIDTH
    products = (y + WIDTH * HIDDEN + h) + (h + HIDDEN * WIDTH + y)
    return WORD * (products + 2 * h + HIDDEN + 2 * y + WIDTH + 2 * h)


def least_of_product(m: int, n: int, k: int, words: int) -> int:
    """Bytes of the best nest of a product: a block of sums stays, or a panel of an operand with all of k."""
    row_sizes, column_sizes = ({-(-size // parts) for parts in range(1, size + 1)} for size in (m, n))
    blocks = [
        m * k * -(-n // columns) + n * k * -(-m // rows)
        for rows, columns in product(row_sizes, column_sizes)
        if rows * columns + rows + columns <= words
    ]
    panel = (words - 1) // (k + 1)  # vectors, a k of the other operand at a time and a sum of each
    panels = [m * k + n * k * -(-m // panel), n * k + m * k * -(-n // panel)]
    return WORD * (m * n + min(*blocks, *panels))


def least_of_rows(words: int) -> int:
    """Bytes of the best nest of both products at once, by blocks of rows whose sums of y stay; weights come for each.

    x stays too, or a block of columns of h, for each of which x comes again.
    """
    rows = words // (2 * WIDTH)
    found = [2 * ROWS * WIDTH + 2 * WIDTH * HIDDEN * -(-ROWS // rows)]
    for blocks in range(1, ROWS + 1):
        rows = -(-ROWS // blocks)
        columns = (words - rows * WIDTH - rows) // (rows + 1)  # and a k of x and of weights at a time
        if columns > 0:
            found.append(ROWS * WIDTH * (-(-HIDDEN // columns) + 1) + 2 * WIDTH * HIDDEN * blocks)
    return WORD * min(found)
