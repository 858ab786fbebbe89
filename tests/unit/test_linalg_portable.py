"""`tfmbs-to-linalg{numerics=portable}`: near the exact result, and readable by a tool that does not know tfmbs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfmbs.compiler.jit import Reference
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.dialect.mlir import context, ir, opt_tool
from tfmbs.passes.tfmbs_to_linalg import TfmbsToLinalg

TWO = "operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>"
WINDOW = "strides = array<i64: 2, 1>, dilations = array<i64: 1, 2>, pads = array<i64: 1, 2, 0, 1>"
VOLUME = "strides = array<i64: 2, 1, 1>, dilations = array<i64: 1, 2, 1>, pads = array<i64: 1, 2, 0, 1, 0, 1>"
BODIES = {
    "matmul": (
        "%a: tensor<5x30xf32>, %b: tensor<7x30xf32>",
        "tensor<5x7xf32>",
        f'"tfmbs.matmul"(%a, %b) ({{}}) {{roles = [], {TWO}}} : (tensor<5x30xf32>, tensor<7x30xf32>)',
    ),
    "conv2d": (
        "%a: tensor<2x4x9x9xf32>, %b: tensor<6x4x3x3xf32>",
        "tensor<2x6x4x8xf32>",
        f'"tfmbs.conv2d"(%a, %b) ({{}}) {{roles = [], groups = 1 : i64, {WINDOW}, {TWO}}}'
        " : (tensor<2x4x9x9xf32>, tensor<6x4x3x3xf32>)",
    ),
    "grouped": (
        "%a: tensor<2x4x9x9xf32>, %b: tensor<6x2x3x3xf32>",
        "tensor<2x6x4x8xf32>",
        f'"tfmbs.conv2d"(%a, %b) ({{}}) {{roles = [], groups = 2 : i64, {WINDOW}, {TWO}}}'
        " : (tensor<2x4x9x9xf32>, tensor<6x2x3x3xf32>)",
    ),
    "volumes": (
        "%a: tensor<1x4x5x6x7xf32>, %b: tensor<6x4x3x3x3xf32>",
        "tensor<1x6x3x4x6xf32>",
        f'"tfmbs.conv3d"(%a, %b) ({{}}) {{roles = [], groups = 1 : i64, {VOLUME}, {TWO}}}'
        " : (tensor<1x4x5x6x7xf32>, tensor<6x4x3x3x3xf32>)",
    ),
    "grouped_volumes": (
        "%a: tensor<1x4x5x6x7xf32>, %b: tensor<6x2x3x3x3xf32>",
        "tensor<1x6x3x4x6xf32>",
        f'"tfmbs.conv3d"(%a, %b) ({{}}) {{roles = [], groups = 2 : i64, {VOLUME}, {TWO}}}'
        " : (tensor<1x4x5x6x7xf32>, tensor<6x2x3x3x3xf32>)",
    ),
    "max_pool": (
        "%a: tensor<2x4x9x9xf32>",
        "tensor<2x4x4x8xf32>",
        f'"tfmbs.pool"(%a) {{kind = "max", kernel = array<i64: 3, 3>, count_include_pad = false, {WINDOW}}}'
        " : (tensor<2x4x9x9xf32>)",
    ),
    "avg_pool": (
        "%a: tensor<2x4x9x9xf32>",
        "tensor<2x4x4x8xf32>",
        f'"tfmbs.pool"(%a) {{kind = "avg", kernel = array<i64: 3, 3>, count_include_pad = false, {WINDOW}}}'
        " : (tensor<2x4x9x9xf32>)",
    ),
    "softmax": (
        "%a: tensor<5x70xf32>",
        "tensor<5x70xf32>",
        '"tfmbs.softmax"(%a) {axis = 1 : i64} : (tensor<5x70xf32>)',
    ),
    "lstm": (
        "%a: tensor<3x2x5xf32>, %b: tensor<2x12x5xf32>, %c: tensor<2x12x3xf32>, %d: tensor<2x12xf32>",
        "tensor<4x2x2x3xf32>",
        '"tfmbs.lstm"(%a, %b, %c, %d) {direction = "both", gates = "ifco", roles = ["bias"], keep_cell = true,'
        " operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>}"
        " : (tensor<3x2x5xf32>, tensor<2x12x5xf32>, tensor<2x12x3xf32>, tensor<2x12xf32>)",
    ),
    "long_lstm": (
        "%a: tensor<40x2x5xf32>, %b: tensor<1x12x5xf32>, %c: tensor<1x12x3xf32>",
        "tensor<40x1x2x3xf32>",
        '"tfmbs.lstm"(%a, %b, %c) {direction = "forward", gates = "iofc", roles = [], keep_cell = false,'
        " operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>}"
        " : (tensor<40x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>)",
    ),
    "attention": (
        "%a: tensor<1x4x5x8xf32>, %b: tensor<1x2x9x8xf32>, %c: tensor<1x2x9x6xf32>, %d: tensor<1x1x5x9xf32>",
        "tensor<1x4x5x6xf32>",
        '"tfmbs.attention"(%a, %b, %c, %d) {scale = 0.5 : f32, mask_mode = "add", fill = 0xFF800000 : f32,'
        " causal = true, offset = 4 : i64, clear = false}"
        " : (tensor<1x4x5x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x6xf32>, tensor<1x1x5x9xf32>)",
    ),
    "layer_norm": (
        "%a: tensor<5x70xf32>, %b: tensor<70xf32>",
        "tensor<5x70xf32>",
        '"tfmbs.layer_norm"(%a, %b, %b) {axis = 1 : i64, epsilon = 1.0e-5 : f32}'
        " : (tensor<5x70xf32>, tensor<70xf32>, tensor<70xf32>)",
    ),
}


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context(), ir.Location.unknown():
        yield


def module_of(name: str) -> Any:
    arguments, result, op = BODIES[name]
    return ir.Module.parse(f"func.func @f({arguments}) -> {result} {{ %r = {op} -> {result}\n return %r : {result} }}")


@pytest.mark.parametrize("name", BODIES)
def test_portable_is_near_exact(name: str) -> None:
    exact, portable = Reference(module_of(name)), module_of(name)
    TfmbsToLinalg(numerics="portable").run(portable)
    inputs = random_inputs(exact.inputs, seed=3)
    expected = exact.run(inputs)["result0"]
    got = Reference(portable).run(inputs)["result0"]
    assert float(np.max(np.abs(got - expected))) <= 1e-5 * float(np.max(np.abs(expected)))


@pytest.mark.parametrize("name", BODIES)
def test_upstream_s_tool_reads_portable_ir(name: str) -> None:
    module = module_of(name)
    TfmbsToLinalg(numerics="portable").run(module)
    text = str(module)
    assert "tfmbs" not in text
    done = subprocess.run([str(opt_tool()), "--canonicalize"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "linalg." in done.stdout
