"""Constants survive the way into attributes and back, by bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.resources import INLINE_ELEMENTS, read_elements, resource_attr, resource_name, row_major
from tfmbs.runtime.abi.errors import TfmbsError

DTYPES = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
ARRAYS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
examples = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def mlir() -> Iterator[Any]:
    with context() as mlir_context, ir.Location.unknown():
        yield mlir_context


def reparsed(attribute: Any) -> Any:
    """The attribute after a trip through text into another context, and that context's module."""
    module = ir.Module.create()
    module.operation.attributes["tfmbs.value"] = attribute
    with context():
        other = ir.Module.parse(str(module))
    return other.operation.attributes["tfmbs.value"]


def same(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


@given(array=ARRAYS)
@examples
def test_arrays_come_back_by_bytes(mlir: Any, array: np.ndarray[Any, Any]) -> None:
    attribute = resource_attr(array, "weights")
    assert str(attribute).startswith("dense<" if array.size <= INLINE_ELEMENTS or array.dtype == bool else "dense_res")
    assert same(read_elements(attribute), array)
    assert same(read_elements(reparsed(attribute)), array)


def test_views_are_read_in_logical_order(mlir: Any) -> None:
    array = np.arange(60, dtype=np.int32).reshape(5, 12)[::-1, ::2].T
    assert same(read_elements(resource_attr(array, "w")), np.ascontiguousarray(array))


@pytest.mark.parametrize("count", [3, 500])
def test_bf16_reads_as_float32(mlir: Any, count: int) -> None:
    values = np.linspace(-3, 3, count).astype(ml_dtypes.bfloat16)
    values[:3] = [np.inf, -0.0, 1e-40]
    attribute = resource_attr(values.view(np.uint16), "w", ir.BF16Type.get())
    for got in (read_elements(attribute), read_elements(reparsed(attribute))):
        assert same(got, values.astype(np.float32))


def test_splats_are_expanded(mlir: Any) -> None:
    for text, dtype in (("f32", np.float32), ("si64", np.int64), ("ui8", np.uint8), ("index", np.int64)):
        value = "2.0" if text == "f32" else "2"
        got = read_elements(ir.Attribute.parse(f"dense<{value}> : tensor<3x1000x{text}>"))
        assert same(got, np.full((3, 1000), 2, dtype))
    got = read_elements(ir.Attribute.parse("dense<1.5> : tensor<2x1000xbf16>"))
    assert same(got, np.full((2, 1000), 1.5, np.float32))


def foreign(blob: str, *types: str) -> list[Any]:
    """Attributes of these types on one resource of this data, as some other tool may have written them."""
    attributes = ", ".join(f"tfmbs.a{i} = dense_resource<blob> : tensor<{type_}>" for i, type_ in enumerate(types))
    text = f'{{-#\n  dialect_resources: {{\n    builtin: {{\n      blob: "0x{blob}"\n    }}\n  }}\n#-}}'
    module = ir.Module.parse(f"module attributes {{{attributes}}} {{}}\n{text}")
    return [module.operation.attributes[f"tfmbs.a{i}"] for i in range(len(types))]


def test_packed_flags_of_foreign_resources_are_unpacked(mlir: Any) -> None:
    packed, bytewise = foreign("010000000504", "11xi1", "2xi1")
    assert np.flatnonzero(read_elements(packed)).tolist() == [0, 2, 10]
    assert read_elements(bytewise).tolist() == [True, True]


def test_one_blob_serves_several_types(mlir: Any) -> None:
    array = np.arange(64, dtype=np.int8)
    types = {"8x8xi8": ((8, 8), np.int8), "16xf32": ((16,), np.float32), "64xui8": ((64,), np.uint8)}
    attributes = foreign("04000000" + array.tobytes().hex(), *types)
    for attribute, (shape, dtype) in zip(attributes, types.values(), strict=True):
        assert same(read_elements(attribute), array.view(dtype).reshape(shape))


def test_results_cannot_be_written_to(mlir: Any) -> None:
    for array in (np.arange(100), np.arange(3), np.arange(100) > 3):
        with pytest.raises(ValueError, match="read-only"):
            read_elements(resource_attr(array, "w"))[0] = 1


def test_the_array_may_change_afterwards(mlir: Any) -> None:
    array = np.zeros(100, np.float32)
    attribute = resource_attr(array, "w")
    array[:] = 7
    assert not read_elements(attribute).any()
    assert not read_elements(reparsed(attribute)).any()


def test_equal_bytes_are_kept_once(mlir: Any) -> None:
    tied = [read_elements(resource_attr(np.arange(100, dtype=np.float32), name)) for name in ("a", "b")]
    assert np.shares_memory(*tied)
    close = np.arange(100, dtype=np.float32)
    close[50] += 0.5  # not a byte that the sample has
    assert same(read_elements(resource_attr(close, "c")), close)
    assert same(tied[0], np.arange(100, dtype=np.float32))


def test_names_are_clean_and_the_same_in_every_context() -> None:
    names = []
    for _ in range(2):
        with context(), ir.Location.unknown():
            big = np.arange(100)
            names.append([resource_name(resource_attr(big, name)) for name in ("a/b:0", "1x", "w", "w", "")])
    assert names[0] == names[1] == ["a_b_0", "_1x", "w", "w_1", "_"]


def test_sizes_that_do_not_fit_are_programming_errors(mlir: Any) -> None:
    with pytest.raises(ValueError, match="constant w: 6 × int8 do not fill"):
        resource_attr(np.zeros(6, np.int8), "w", shape=(7,))
    with pytest.raises(ValueError, match="do not fill"):
        resource_attr(np.zeros(6, np.int8), "w", ir.F32Type.get())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dense_resource<nowhere> : tensor<4xi8>", "error: nowhere: resource without data"),
        ("dense<1> : tensor<4xi4>", "error: constant: element type i4"),
        ("4 : i8", "error: constant: attribute kind, expected dense elements, got 4 : i8"),
        ("sparse<[[0]], [1]> : tensor<4xi32>", "error: constant: attribute kind, expected dense elements"),
    ],
)
def test_what_cannot_be_read_is_refused(mlir: Any, text: str, message: str) -> None:
    module = ir.Module.parse(f"module attributes {{tfmbs.value = {text}}} {{}}")
    with pytest.raises(TfmbsError) as caught:
        read_elements(module.operation.attributes["tfmbs.value"])
    assert str(caught.value).startswith(message)


def test_a_resource_of_the_wrong_size_is_refused(mlir: Any) -> None:
    for attribute in foreign("0100000000010203", "5xi8", "3xi8", "2xi32"):
        with pytest.raises(TfmbsError, match=r"error: blob(_\d)?: bytes of the resource, expected \d, got 4"):
            read_elements(attribute)


def test_numpy_types_without_an_mlir_type_are_refused(mlir: Any) -> None:
    with pytest.raises(TfmbsError, match="element type complex64"):
        resource_attr(np.zeros(3, np.complex64), "w")


@pytest.mark.parametrize("shape", [(257, 301), (70000, 1), (1, 70000), (64, 1024), (3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.float64])
def test_rows_of_what_lies_by_columns(shape: tuple[int, int], dtype: type) -> None:
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)
    for seen in (array, array.T, array[::-1], np.asfortranarray(array), array[:, ::2], array[0, 0]):
        made = row_major(seen)
        assert made.flags.c_contiguous
        assert made.dtype == seen.dtype
        assert made.tobytes() == np.ascontiguousarray(seen).tobytes()
