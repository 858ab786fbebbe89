"""Reductions, control flow and data movement of the byte reference, by bytes, against numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.scalar_code import NUMPY, canonical, same_bits
from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.runtime.abi.errors import TfmbsError

Array = NDArray[Any]


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context(), ir.Location.unknown():
        yield


def run(text: str, *arrays: Array) -> list[Array]:
    reference = Reference(ir.Module.parse(text), optimization=0)
    given = {slot.name: array.view(slot.dtype) for slot, array in zip(reference.inputs, arrays, strict=True)}
    outputs = reference.run(given)
    return [outputs[slot.name] for slot in reference.outputs]


def partial_sums(x: Array, init: Array) -> Array:
    """16 partials over the last axis, folded; the init value comes last."""
    partial = np.zeros((*x.shape[:-1], 16), x.dtype)
    for i in range(x.shape[-1]):
        partial[..., i % 16] += x[..., i]
    for half in (8, 4, 2, 1):
        partial = partial[..., :half] + partial[..., half : 2 * half]
    return init + partial[..., 0]


def ascending(x: Array, init: Array) -> Array:
    """One sum over the last axis, rounded to the element type at each step."""
    total = init
    for i in range(x.shape[-1]):
        total = (total.astype(np.float32) + x[..., i].astype(np.float32)).astype(x.dtype)
    return total


def reduced(combiner: str, element: str, n: int = 45) -> str:
    x, y = f"tensor<3x{n}x{element}>", f"tensor<3x{element}>"
    return f"""func.func @f(%x: {x}, %init: {y}) -> {y} {{
      %0 = linalg.reduce {{ {combiner} }} ins(%x : {x}) outs(%init : {y}) dimensions = [1]
      return %0 : {y}
    }}"""


@pytest.mark.parametrize("element", ["f16", "bf16", "f32", "f64"])
def test_sums_have_partials_where_each_step_is_not_rounded(element: str) -> None:
    rng = np.random.default_rng(1)
    x, init = (rng.standard_normal(shape).astype(NUMPY[element]) for shape in ((3, 45), (3,)))
    (got,) = run(reduced("arith.addf", element), x, init)
    rule = ascending if element in ("f16", "bf16") else partial_sums
    same_bits(got.view(x.dtype), rule(x, init))


@pytest.mark.parametrize("combiner", ["arith.mulf", "arith.maximumf", "arith.minimumf"])
@pytest.mark.parametrize("element", ["f16", "f64"])
def test_other_float_reductions_ascend(combiner: str, element: str) -> None:
    rng = np.random.default_rng(2)
    x, init = ((1 + rng.standard_normal(shape) / 8).astype(NUMPY[element]) for shape in ((3, 45), (3,)))
    function = {"arith.mulf": np.multiply, "arith.maximumf": np.maximum, "arith.minimumf": np.minimum}[combiner]
    expected, wide = init, np.float32 if element == "f16" else np.float64
    for i in range(45):
        expected = function(expected.astype(wide), x[:, i].astype(wide)).astype(x.dtype)
    same_bits(run(reduced(combiner, element), x, init)[0], canonical(expected, element))


@pytest.mark.parametrize("element", ["i8", "i16", "i32", "i64"])
def test_integer_reductions_wrap(element: str) -> None:
    rng, dtype = np.random.default_rng(3), NUMPY[element]
    x, init = (rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype) for shape in ((3, 45), (3,)))
    functions = {"addi": np.add, "muli": np.multiply, "maxsi": np.maximum, "minsi": np.minimum, "xori": np.bitwise_xor}
    for name, function in functions.items():
        same_bits(run(reduced(f"arith.{name}", element), x, init)[0], function(function.reduce(x, 1, dtype), init))


def test_a_sum_beside_a_maximum() -> None:
    rng = np.random.default_rng(4)
    x, init = rng.standard_normal((3, 45)), rng.standard_normal(3)
    total, most = run(
        """func.func @f(%x: tensor<3x45xf64>, %i: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
          %0:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>,
              affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
              ins(%x : tensor<3x45xf64>) outs(%i, %i : tensor<3xf64>, tensor<3xf64>) {
          ^bb0(%e: f64, %s: f64, %m: f64):
            %1 = arith.addf %s, %e : f64
            %2 = arith.maximumf %m, %e : f64
            linalg.yield %1, %2 : f64, f64
          } -> (tensor<3xf64>, tensor<3xf64>)
          return %0#0, %0#1 : tensor<3xf64>, tensor<3xf64>
        }""",
        x,
        init,
    )
    same_bits(total, partial_sums(x, init))
    same_bits(most, np.maximum(x.max(1), init))


def test_sums_in_loops_are_as_written() -> None:
    x = np.random.default_rng(5).standard_normal(100).astype(np.float32)
    (got,) = run(
        """func.func @f(%x: tensor<100xf32>) -> tensor<f32> {
          %c0 = arith.constant 0 : index
          %c1 = arith.constant 1 : index
          %n = arith.constant 100 : index
          %zero = arith.constant 0.0 : f32
          %0 = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> (f32) {
            %v = tensor.extract %x[%i] : tensor<100xf32>
            %s = arith.addf %sum, %v : f32
            scf.yield %s : f32
          }
          %1 = tensor.from_elements %0 : tensor<f32>
          return %1 : tensor<f32>
        }""",
        x,
    )
    same_bits(got, np.add.accumulate(x)[-1:].reshape(()))


def test_loops_swap_tensors_and_stop_where_the_data_says() -> None:
    x, y, n = np.arange(8, dtype=np.float16), -np.ones(8, np.float16), np.array(3, np.int32)
    text = """func.func @f(%x: tensor<8xf16>, %y: tensor<8xf16>, %n: tensor<i32>) -> (tensor<8xf16>, tensor<8xf16>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %k = tensor.extract %n[] : tensor<i32>
      %end = arith.index_cast %k : i32 to index
      %0:2 = scf.for %i = %c0 to %end step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8xf16>, tensor<8xf16>) {
        %v = tensor.extract %a[%i] : tensor<8xf16>
        %w = arith.addf %v, %v : f16
        %p = arith.cmpf ogt, %w, %v : f16
        %c = scf.if %p -> (tensor<8xf16>) {
          %d = tensor.insert %w into %a[%i] : tensor<8xf16>
          scf.yield %d : tensor<8xf16>
        } else {
          %e = tensor.empty() : tensor<8xf16>
          %d = linalg.add ins(%a, %b : tensor<8xf16>, tensor<8xf16>) outs(%e : tensor<8xf16>) -> tensor<8xf16>
          scf.yield %d : tensor<8xf16>
        }
        scf.yield %b, %c : tensor<8xf16>, tensor<8xf16>
      }
      return %0#0, %0#1 : tensor<8xf16>, tensor<8xf16>
    }"""
    got = run(text, x, y, n)
    a, b = x, y
    for i in range(3):
        v = a[i]
        c = a.copy()
        if v + v > v:
            c[i] = v + v
        else:
            c = a + b
        a, b = b, c
    same_bits(got[0], a)
    same_bits(got[1], b)


def test_while_and_switch() -> None:
    text = """func.func @f(%x: tensor<4xi64>, %k: tensor<index>) -> tensor<4xi64> {
      %c0 = arith.constant 0 : index
      %limit = arith.constant 100 : i64
      %0 = scf.while (%t = %x) : (tensor<4xi64>) -> (tensor<4xi64>) {
        %v = tensor.extract %t[%c0] : tensor<4xi64>
        %p = arith.cmpi slt, %v, %limit : i64
        scf.condition(%p) %t : tensor<4xi64>
      } do {
      ^bb0(%t: tensor<4xi64>):
        %s = linalg.add ins(%t, %t : tensor<4xi64>, tensor<4xi64>) outs(%t : tensor<4xi64>) -> tensor<4xi64>
        scf.yield %s : tensor<4xi64>
      }
      %i = tensor.extract %k[] : tensor<index>
      %1 = scf.index_switch %i -> tensor<4xi64>
      case 1 { scf.yield %x : tensor<4xi64> }
      default { scf.yield %0 : tensor<4xi64> }
      return %1 : tensor<4xi64>
    }"""
    x = np.array([3, -1, 0, 7])
    assert run(text, x, np.array(1))[0].tolist() == x.tolist()
    assert run(text, x, np.array(5))[0].tolist() == (x * 64).tolist()


def test_slices_at_places_that_the_data_says_and_padding_with_code() -> None:
    x, k = np.arange(60, dtype=np.uint16).reshape(10, 6) + 0x7F80, np.array(2)  # bf16 patterns, NaNs too
    sliced, padded = run(
        """func.func @f(%x: tensor<10x6xbf16>, %k: tensor<index>) -> (tensor<10x6xbf16>, tensor<4x3xi32>) {
          %i = tensor.extract %k[] : tensor<index>
          %s = tensor.extract_slice %x[%i, 1] [3, 4] [2, 1] : tensor<10x6xbf16> to tensor<3x4xbf16>
          %r = tensor.insert_slice %s into %x[0, %i] [3, 4] [1, 1] : tensor<3x4xbf16> into tensor<10x6xbf16>
          %e = tensor.generate {
          ^bb0(%a: index, %b: index):
            %v = arith.muli %a, %b : index
            %w = arith.index_cast %v : index to i32
            tensor.yield %w : i32
          } : tensor<2x2xi32>
          %p = tensor.pad %e low[1, 0] high[1, 1] {
          ^bb0(%a: index, %b: index):
            %v = arith.addi %a, %b : index
            %w = arith.index_cast %v : index to i32
            tensor.yield %w : i32
          } : tensor<2x2xi32> to tensor<4x3xi32>
          return %r, %p : tensor<10x6xbf16>, tensor<4x3xi32>
        }""",
        x,
        k,
    )
    expected = x.copy()
    expected[0:3, 2:6] = x[2:8:2, 1:5]
    assert sliced.tolist() == expected.tolist()
    rows, columns = np.indices((4, 3))
    sums = rows + columns
    sums[1:3, 0:2] = [[0, 0], [0, 1]]
    assert padded.tolist() == sums.tolist()


def test_constants_of_small_floats_keep_their_bits() -> None:
    text = """func.func @f() -> (tensor<4xf16>, tensor<3xbf16>, tensor<f16>, tensor<20xbf16>) {
      %a = arith.constant dense<[1.0, 0x7C01, -0.0, 0xFE11]> : tensor<4xf16>
      %b = arith.constant dense<0x7F81> : tensor<3xbf16>
      %c = arith.constant 0x7C01 : f16
      %d = tensor.from_elements %c : tensor<f16>
      %e = arith.constant dense<0.0> : tensor<20xbf16>
      return %a, %b, %d, %e : tensor<4xf16>, tensor<3xbf16>, tensor<f16>, tensor<20xbf16>
    }"""
    module = ir.Module.parse(text)
    resource = np.arange(0x7F70, 0x7F84, dtype=np.uint16)
    last = [op for op in module.body.operations[0].entry_block.operations if op.operation.name == "arith.constant"][-1]
    last.attributes["value"] = resource_attr(resource, "patterns", ir.BF16Type.get(), (20,))
    got = [array.view(np.uint16).ravel().tolist() for array in Reference(module).run({}).values()]
    assert got == [[0x3C00, 0x7C01, 0x8000, 0xFE11], [0x7F81] * 3, [0x7C01], resource.tolist()]


@pytest.mark.parametrize("element", ["index", "i32", "i64"])
def test_gather_at_two_coordinates(element: str) -> None:
    x = np.random.default_rng(6).standard_normal((10, 6, 4))
    k = np.array([[[3, 1], [9, 0], [0, 3]], [[5, 2], [5, 2], [1, 1]]], NUMPY[element])
    text = f"""func.func @f(%x: tensor<10x6x4xf64>, %k: tensor<2x3x2x{element}>) -> tensor<2x3x6xf64> {{
      %0 = tensor.gather %x[%k] gather_dims([0, 2])
          : (tensor<10x6x4xf64>, tensor<2x3x2x{element}>) -> tensor<2x3x6xf64>
      return %0 : tensor<2x3x6xf64>
    }}"""
    same_bits(run(text, x, k)[0], x[k[..., 0], :, k[..., 1]])


def test_gather_that_keeps_the_dimension() -> None:
    x, k = np.arange(60).reshape(10, 6), np.array([[3], [5], [0]])
    text = """func.func @f(%x: tensor<10x6xi64>, %k: tensor<3x1xindex>) -> tensor<3x10x1xi64> {
      %0 = tensor.gather %x[%k] gather_dims([1]) : (tensor<10x6xi64>, tensor<3x1xindex>) -> tensor<3x10x1xi64>
      return %0 : tensor<3x10x1xi64>
    }"""
    assert run(text, x, k)[0].tolist() == x[:, k.ravel()].T[:, :, None].tolist()


@pytest.mark.parametrize("shape", [(3, 6), (3, 1, 6, 1)])
def test_scatter(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    x, u = (rng.standard_normal(sizes).astype(np.float16) for sizes in ((10, 6, 4), shape))
    k, type_ = np.array([[3, 1], [9, 0], [0, 3]]), f"tensor<{'x'.join(map(str, shape))}xf16>"
    text = f"""func.func @f(%u: {type_}, %x: tensor<10x6x4xf16>, %k: tensor<3x2xindex>) -> tensor<10x6x4xf16> {{
      %0 = tensor.scatter %u into %x[%k] scatter_dims([0, 2]) unique
          : ({type_}, tensor<10x6x4xf16>, tensor<3x2xindex>) -> tensor<10x6x4xf16>
      return %0 : tensor<10x6x4xf16>
    }}"""
    expected = x.copy()
    expected[k[:, 0], :, k[:, 1]] = u.reshape(3, 6)
    same_bits(run(text, u, x, k)[0], expected)


def test_softmax() -> None:
    text = """func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
      %e = tensor.empty() : tensor<3x4xf32>
      %r = linalg.softmax dimension(1) ins(%x : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
      return %r : tensor<3x4xf32>
    }"""
    x = np.linspace(-4, 5, 12, dtype=np.float32).reshape(3, 4)
    powers = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(run(text, x)[0], powers / powers.sum(axis=1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            """func.func @f(%x: tensor<8xf32>) -> tensor<2x4xf32> {
              %e = tensor.empty() : tensor<2x4xf32>
              %r = linalg.pack %x inner_dims_pos = [0] inner_tiles = [4] into %e : tensor<8xf32> -> tensor<2x4xf32>
              return %r : tensor<2x4xf32>
            }""",
            "linalg.pack",
        ),
    ],
)
def test_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(TfmbsError, match=reason):
        Reference(ir.Module.parse(text))
