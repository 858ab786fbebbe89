"""Costs of ops of the torch level against closed formulas, and against torch's own counter."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from examples.models.catalogue import MODELS
from tests.models.zoo import build, cnn, node, weights
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.semantics import semantics_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.tfmbs_annotate import TfmbsAnnotate
from tfmbs.passes.torch import values as tv
from tfmbs.passes.torch.costs import FORMULAS, TABLE

CONSTANTS = """
  %none = torch.constant.none
  %true = torch.constant.bool true
  %false = torch.constant.bool false
  %0 = torch.constant.int 0
  %1 = torch.constant.int 1
  %2 = torch.constant.int 2
  %3 = torch.constant.int 3
  %eps = torch.constant.float 1.0e-05
  %str = torch.constant.str "none"
  %no = torch.prim.ListConstruct : () -> !torch.list<int>
  %ones = torch.prim.ListConstruct %1, %1 : (!torch.int, !torch.int) -> !torch.list<int>
  %zeros = torch.prim.ListConstruct %0, %0 : (!torch.int, !torch.int) -> !torch.list<int>
  %window = torch.prim.ListConstruct %2, %3 : (!torch.int, !torch.int) -> !torch.list<int>
"""
TYPES = {
    **dict.fromkeys(("%none",), "!torch.none"),
    **dict.fromkeys(("%true", "%false"), "!torch.bool"),
    **dict.fromkeys(("%0", "%1", "%2", "%3"), "!torch.int"),
    **dict.fromkeys(("%no", "%ones", "%zeros", "%window"), "!torch.list<int>"),
    "%eps": "!torch.float",
    "%str": "!torch.str",
}


def tensor(text: str) -> str:
    """The type of a tensor written as `2x3xf32`."""
    *sizes, element = text.split("x")
    return f"!torch.vtensor<[{','.join(sizes)}],{element}>"


def cost(name: str, operands: str, result: str, **tensors: str) -> tuple[int, int] | None:
    """Operations and bytes of one op; names among the operands that are no constants are `tensors`."""
    types = {**TYPES, **{f"%{key}": tensor(text) for key, text in tensors.items()}}
    arguments = ", ".join(f"%{key}: {types[f'%{key}']}" for key in tensors)
    given = [f"%{key}" for key in operands.split()]
    signature = ", ".join(types[key] for key in given)
    line = f"%r = torch.aten.{name} {', '.join(given)} : {signature} -> {tensor(result)}"
    body = f"{CONSTANTS}  {line}\n  return %r : {tensor(result)}"
    module = ir.Module.parse(f"func.func @f({arguments}) -> {tensor(result)} {{\n{body}\n}}", context())
    TfmbsAnnotate().run(module.operation)
    [op] = ops_where(module, lambda op: op.operation.name == f"torch.aten.{name}")
    known = semantics_of(op.operation)
    if known is None:
        return None
    assert known.intensity == (known.flops / known.bytes if known.bytes else 0)
    return known.flops, known.bytes


M, K, N = 3, 5, 7
S = M * N
CASES: list[tuple[str, str, str, Mapping[str, str], int, int]] = [
    # Products: 2·M·N·K; every operand and the result once, 4 bytes each.
    ("mm", "a b", "3x7xf32", {"a": "3x5xf32", "b": "5x7xf32"}, 2 * M * N * K, 4 * (M * K + K * N + S)),
    ("mm", "a b", "3x7xf16", {"a": "3x5xf16", "b": "5x7xf16"}, 2 * M * N * K, 2 * (M * K + K * N + S)),
    ("bmm", "a b", "2x3x7xf32", {"a": "2x3x5xf32", "b": "2x5x7xf32"}, 4 * M * N * K, 8 * (M * K + K * N + S)),
    # A matrix for all batches is read once; so is one that is both operands.
    ("matmul", "a b", "2x3x7xf32", {"a": "2x3x5xf32", "b": "5x7xf32"}, 4 * S * K, 4 * (2 * M * K + K * N + 2 * S)),
    ("mm", "a a", "5x5xf32", {"a": "5x5xf32"}, 2 * K * K * K, 4 * (K * K + K * K)),
    ("linear", "a w none", "3x7xf32", {"a": "3x5xf32", "w": "7x5xf32"}, 2 * S * K, 4 * (M * K + K * N + S)),
    ("linear", "a w b", "3x7xf32", {"a": "3x5xf32", "w": "7x5xf32", "b": "7xf32"}, 2 * S * K + S,
     4 * (M * K + K * N + N + S)),
    ("addmm", "c a b 1 1", "3x7xf32", {"c": "7xf32", "a": "3x5xf32", "b": "5x7xf32"}, 2 * S * K + S,
     4 * (N + M * K + K * N + S)),
    # Convolutions: 2·(N·O·H·W)·(I / groups)·(kh·kw).
    ("convolution", "x w none ones zeros ones false zeros 1", "1x8x4x5xf32", {"x": "1x6x5x7xf32", "w": "8x6x2x3xf32"},
     2 * (8 * 4 * 5) * 6 * (2 * 3), 4 * (6 * 5 * 7 + 8 * 6 * 2 * 3 + 8 * 4 * 5)),
    ("convolution", "x w b ones zeros ones false zeros 2", "1x8x4x5xf32",
     {"x": "1x6x5x7xf32", "w": "8x3x2x3xf32", "b": "8xf32"},
     2 * (8 * 4 * 5) * 3 * (2 * 3) + 8 * 4 * 5, 4 * (6 * 5 * 7 + 8 * 3 * 2 * 3 + 8 + 8 * 4 * 5)),
    # Each element of a transposed convolution's operand meets O/groups·kh·kw weights.
    ("convolution", "x w none ones zeros ones true zeros 1", "1x8x6x9xf32", {"x": "1x6x5x7xf32", "w": "6x8x2x3xf32"},
     2 * (6 * 5 * 7) * 8 * (2 * 3), 4 * (6 * 5 * 7 + 6 * 8 * 2 * 3 + 8 * 6 * 9)),
    ("scaled_dot_product_attention", "q k v none eps false none false", "2x3x4x9xf32",
     {"q": "2x3x4x5xf32", "k": "2x3x7x5xf32", "v": "2x3x7x9xf32"},
     2 * (6 * 4 * 7) * (5 + 9) + 5 * (6 * 4 * 7), 4 * 6 * (4 * 5 + 7 * 5 + 7 * 9 + 4 * 9)),
    ("softmax.int", "x 1 none", "3x7xf32", {"x": "3x7xf32"}, 5 * S, 8 * S),
    ("layer_norm", "x no g b eps true", "3x7xf32", {"x": "3x7xf32", "g": "7xf32", "b": "7xf32"}, 7 * S,
     4 * (2 * S + 2 * N)),
    ("max_pool2d", "x window ones zeros ones false", "1x2x4x5xf32", {"x": "1x2x5x7xf32"}, 40 * 6, 4 * (70 + 40)),
    # Elementwise work: one operation for each element of the result, whatever is broadcast.
    ("add.Tensor", "x b 1", "3x7xf32", {"x": "3x7xf32", "b": "7xf32"}, S, 4 * (2 * S + N)),
    ("mul.Tensor", "x x", "3x7xf32", {"x": "3x7xf32"}, S, 4 * 2 * S),
    ("gelu", "x str", "3x7xf32", {"x": "3x7xf32"}, S, 8 * S),
    ("lt.Scalar", "x 2", "3x7xi1", {"x": "3x7xsi64"}, S, 9 * S),
    ("amax", "x zeros false", "7xf32", {"x": "3x7xf32"}, S, 4 * (S + N)),
    # Of a table only the rows that are looked up are read.
    ("embedding", "t i 0 false false", "4x8xf32", {"t": "100x8xf32", "i": "4xsi64"}, 0, 2 * 4 * 32 + 8 * 4),
    ("index_select", "t 0 i", "4x8xf32", {"t": "100x8xf32", "i": "4xsi64"}, 0, 2 * 4 * 32 + 8 * 4),
    # Of what is updated only what is new is written.
    ("scatter.src", "c 0 i n", "50x8xf32", {"c": "50x8xf32", "i": "2x8xsi64", "n": "2x8xf32"}, 0, 2 * 64 + 16 * 8),
    ("where.self", "c x y", "3x7xf32", {"c": "3x7xi1", "x": "3x7xf32", "y": "3x7xf32"}, 0, S * (1 + 3 * 4)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "result", "tensors", "flops", "moved"), CASES)
def test_closed_formulas(
    name: str, operands: str, result: str, tensors: Mapping[str, str], flops: int, moved: int
) -> None:
    assert cost(name, operands, result, **tensors) == (flops, moved)


def test_every_formula_has_a_case() -> None:
    tried = {f"torch.aten.{case[0]}" for case in CASES}
    untried = [formula.flops for formula in FORMULAS.values() if tried.isdisjoint(formula.ops)]
    # An LSTM is no op of torch; batch normalization is tried below.
    assert set(untried) == {FORMULAS["torch.aten.batch_norm"].flops, FORMULAS["tfmbs.lstm"].flops}


@pytest.mark.parametrize(
    ("name", "operands", "result", "tensors"),
    [
        ("transpose.int", "x 0 1", "7x3xf32", {"x": "3x7xf32"}),  # only shows elements otherwise
        ("erfinv", "x", "3x7xf32", {"x": "3x7xf32"}),  # has no formula
        ("relu", "x", "?x7xf32", {"x": "?x7xf32"}),  # has no size
    ],
)
def test_what_is_not_known_has_no_cost(name: str, operands: str, result: str, tensors: Mapping[str, str]) -> None:
    assert cost(name, operands, result, **tensors) is None


def test_structured_code_beside_the_torch_level() -> None:
    text = """
        #all = affine_map<(i, j) -> (i, j)>
        #rows = affine_map<(i, j) -> (i)>
        func.func @f(%x: tensor<3x7xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {
          %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
              ins(%x : tensor<3x7xf32>) outs(%y : tensor<3xf32>) {
          ^bb0(%in: f32, %sum: f32):
            %c = arith.constant 2.0 : f32
            %1 = arith.mulf %in, %c : f32
            %2 = math.exp %1 : f32
            %3 = arith.addf %2, %sum : f32
            linalg.yield %3 : f32
          } -> tensor<3xf32>
          return %0 : tensor<3xf32>
        }"""
    module = ir.Module.parse(text, context())
    TfmbsAnnotate().run(module.operation)
    [op] = ops_where(module, lambda op: op.operation.name == "linalg.generic")
    known = semantics_of(op.operation)
    assert known is not None
    assert (known.flops, known.bytes) == (3 * 7 * 3, 4 * (3 * 7 + 3))


def test_batch_normalization_is_two_operations_for_each_element() -> None:
    [known] = [part for part in _parts(cnn()) if part["op"] == "torch.aten.batch_norm"][:1]
    assert known["flops"] == 2 * 12 * 8 * 8
    assert known["bytes"] == 4 * (2 * 12 * 8 * 8 + 4 * 12)


@pytest.mark.parametrize("biases", [False, True])
def test_an_lstm_is_two_products_and_its_gates_at_each_step(biases: bool) -> None:
    steps, batch, width, hidden = 3, 2, 5, 4
    arrays = {"w": weights(1, 1, 4 * hidden, width), "r": weights(2, 1, 4 * hidden, hidden)}
    arrays |= {"b": weights(3, 1, 8 * hidden)} if biases else {}
    operands = "x w r b" if biases else "x w r"
    model = build([node("LSTM", operands, "y", hidden_size=hidden)], (steps, batch, width), **arrays)
    [known] = [part for part in _parts(model) if part["op"] == "tfmbs.lstm"]
    products = 2 * 4 * hidden * width + 2 * 4 * hidden * hidden
    # The two biases of ONNX are added up once, in front of the op.
    gates = 4 * hidden + 4 * hidden + (3 + 2) * hidden + 4 * hidden * biases
    assert known["flops"] == steps * batch * (products + gates)
    tensors = steps * batch * (width + hidden) + 4 * hidden * (width + hidden) + 4 * hidden * biases
    assert known["bytes"] == 4 * tensors


def _parts(model: Any) -> list[dict[str, Any]]:
    [entry] = Compilation.of(model, Options()).annotate()["entries"]
    return list(entry["parts"])


PRODUCTS = {f"torch.aten.{name}" for name in ("mm", "bmm", "matmul", "linear", "convolution")}


def biases(op: Any) -> int:
    """Additions of a bias, which torch's counter leaves out."""
    has_one = op.name in ("torch.aten.linear", "torch.aten.convolution") and not tv.is_none(op.operands[2])
    return prod(tv.shape(op.results[0])) if has_one else 0


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "bert", "vit", "dlrm", "gpt2", "llama"])
def test_products_of_the_reference_models_are_those_that_torch_counts(name: str) -> None:
    module, inputs = MODELS[name].build(MODELS[name].SMALL)
    # The kernel of attention for processors is one that the counter does not know.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    compilation = Compilation.of(module, Options(example_inputs=inputs))
    products = [op.operation for op in ops_where(compilation.module, lambda op: op.operation.name in PRODUCTS)]
    ours = sum(known.flops - biases(op) for op in products if (known := semantics_of(op)) is not None)
    assert ours == counter.get_total_flops() > 0


def test_the_page_has_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs/annotations.md").read_text()
    for formula in TABLE:
        names = ", ".join(name.removeprefix("torch.aten.") for name in formula.ops)
        assert f"| {formula.flops} | {names} |\n" in page
