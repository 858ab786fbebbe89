"""Vector code on the emulator against its meaning through linalg, byte for byte: every op, reduction and shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.models.graphs import (
    DECOMPOSE,
    Array,
    Build,
    Inputs,
    assert_same_bytes,
    elementwise,
    graph,
    normal,
    program,
)
from tfmbs.compiler.driver import Driver
from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.elementary import COMPOSED
from tfmbs.passes.linalg.scalar import compare, constant

P, R = "parallel", "reduction"


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 1e-45, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan, 127.5, -128.5],
    np.float32,
)
FLOATS = {"f16": (16, 10), "bf16": (16, 7), "f32": (32, 23), "f64": (64, 52)}  # bits, and those of the fraction
UNARY_FLOAT = (
    "absf", "ceil", "cos", "erf", "exp", "floor", "gelu", "log", "round", "roundeven", "rsqrt", "sigmoid", "sin",
    "sqrt", "tanh", "trunc",
)  # fmt: skip
OWN = frozenset({"gelu", "sigmoid"})
COMPOSED_UNARY = tuple(sorted(name.removeprefix("math.") for name in COMPOSED if name != "math.atan2"))
BINARY_FLOAT = ("addf", "subf", "mulf", "divf", "remf", "maximumf", "minimumf", "copysign", "powf", "atan2")
NUMBER_FLOAT = ("maxnumf", "minnumf")
FLOAT_TESTS = ("isfinite", "isinf", "isnan", "isnormal")
MATH = frozenset(
    (*UNARY_FLOAT, *COMPOSED_UNARY, "atan2", *FLOAT_TESTS, "copysign", "powf", "fma", "absi", "ctlz", "cttz", "ctpop")
)
BINARY_INTEGER = (
    "addi", "subi", "muli", "divsi", "divui", "remsi", "remui", "floordivsi", "ceildivsi", "ceildivui", "maxsi",
    "minsi", "maxui", "minui", "andi", "ori", "xori", "shli", "shrsi", "shrui",
)  # fmt: skip
UNARY_INTEGER = ("absi", "ctlz", "cttz", "ctpop")


def float_patterns(element: str) -> Array:
    """Bits of floats: zeros, ones, halves, least and greatest denormals and normals, infinities, NaNs of any kind."""
    bits, fraction = FLOATS[element]
    infinity = ((1 << (bits - 1 - fraction)) - 1) << fraction
    one = (infinity >> fraction >> 1) << fraction
    half, quiet = 1 << (fraction - 1), infinity | 1 << (fraction - 1)
    least, last = 1 << fraction, 1 << (bits - 1)
    magnitudes = [
        0, 1, half, least - 1, least, least + 3, one - least, one, one + 1, one + half, one + least + (half >> 1),
        one + 5 * least, one + 6 * least + half, one + 3 * least + (half >> 2), infinity - 1, infinity, infinity | 1,
        quiet, quiet | 5,
    ]  # fmt: skip
    return np.array([m | s for m in magnitudes for s in (0, last)], f"uint{bits}").view(f"int{bits}")


def scalar_op(name: str, *operands: Any, result: Any = None) -> Any:
    """The arith, math or tfmbs op of this name on scalars, of the first operand's type if no other is given."""
    dialect = "tfmbs" if name in OWN else "math" if name in MATH else "arith"
    kind = result or operands[0].type
    return ir.Operation.create(f"{dialect}.{name}", results=[kind], operands=list(operands)).results[0]


def each(
    names: Sequence[str], shape: tuple[int, ...], *maps: tuple[int, ...], element: str, result: str | None = None
) -> Build:
    """Builds one result for each scalar op, called like it, on elements that memory holds as integers of their size."""
    bits = FLOATS[element][0] if element in FLOATS else int(element[1:])

    def one(name: str, *scalars: Any) -> Any:
        operands = [bitcast(scalar, element) for scalar in scalars]
        made = scalar_op(name, *operands, result=ir.Type.parse(result) if result else None)
        return made if result else bitcast(made, f"i{bits}")

    def build(*inputs: Any) -> dict[str, Any]:
        return {
            name: elementwise(lambda *s, name=name: one(name, *s), shape, *maps, element=result or f"i{bits}")(*inputs)
            for name in names
        }

    return build


def bitcast(value: Any, element: str) -> Any:
    """A scalar's bits as another type of the same size."""
    target = ir.Type.parse(element)
    return value if value.type == target else arith.BitcastOp(target, value).result


@pytest.mark.parametrize("element", FLOATS)
def test_float_functions(element: str) -> None:
    values = float_patterns(element)
    if element == "f32":
        values = np.concatenate([values, (normal(500) * 4).view(np.int32)])
    inputs: Inputs = {"x": (values.shape, str(ir_integer(values)))}
    assert_same_bytes(
        graph(inputs, each(UNARY_FLOAT, values.shape, (0,), element=element)), {"x": values}, optimise=False
    )


@pytest.mark.parametrize("element", FLOATS)
def test_composed_functions(element: str) -> None:
    values = float_patterns(element)
    inputs: Inputs = {"x": (values.shape, ir_integer(values))}
    build = each(COMPOSED_UNARY, values.shape, (0,), element=element)
    assert_same_bytes(graph(inputs, build), {"x": values}, optimise=False)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_functions_of_constants(element: str) -> None:
    """Upstream would fold them to what the host's libm gives: the fabric's functions are not folded."""
    kind = np.dtype(f"f{FLOATS[element][0] // 8}")
    constants = np.random.default_rng(4).uniform(0.1, 0.9, 12).astype(kind).tolist()

    def build(x: Any) -> dict[str, Any]:
        def one(factor: Any, name: str, number: float) -> Any:
            return arith.MulFOp(factor, scalar_op(name, constant(factor.type, number))).result

        return {
            f"{name}{i}": elementwise(
                lambda factor, name=name, number=number: one(factor, name, number), (1,), (0,), element=element
            )(x)
            for name in ("exp", "log", "sin", "tanh", "erf", "sigmoid", "asinh")
            for i, number in enumerate(constants)
        }

    assert_same_bytes(graph({"x": ((1,), element)}, build), {"x": np.ones(1, kind)})


@pytest.mark.parametrize("element", FLOATS)
def test_classes_of_floats(element: str) -> None:
    """Against numpy: linalg has the same comparisons."""
    values = float_patterns(element)
    module = graph(
        {"x": (values.shape, ir_integer(values))}, each(FLOAT_TESTS, values.shape, (0,), element=element, result="i1")
    )
    Driver().run_text(module, DECOMPOSE)
    got = program(module).run({"x": values})
    numbers = (
        (values.astype(np.int32) << 16).view(np.float32)
        if element == "bf16"
        else values.view(f"float{FLOATS[element][0]}")
    )
    least = np.finfo(numbers.dtype).smallest_normal
    expected = {"isfinite": np.isfinite(numbers), "isinf": np.isinf(numbers), "isnan": np.isnan(numbers)}
    expected["isnormal"] = np.isfinite(numbers) & (np.abs(numbers) >= least)
    for name in FLOAT_TESTS:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def ir_integer(values: Array) -> str:
    """The integer type of an array's elements."""
    return f"i{values.dtype.itemsize * 8}"


@pytest.mark.parametrize("names", [BINARY_FLOAT, NUMBER_FLOAT], ids=["all", "numbers"])
@pytest.mark.parametrize("element", FLOATS)
def test_float_arithmetic(element: str, names: Sequence[str]) -> None:
    values = float_patterns(element)
    if names is NUMBER_FLOAT:  # which of two zeros they give is left open
        values = values[2:]
    inputs: Inputs = {name: (values.shape, ir_integer(values)) for name in "xy"}
    build = each(names, (values.size, values.size), (0,), (1,), element=element)
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values[::-1].copy()}, optimise=False)


@pytest.mark.parametrize("element", FLOATS)
def test_fused_multiply_add(element: str) -> None:
    values = float_patterns(element)[::3].copy()
    inputs: Inputs = {name: (values.shape, ir_integer(values)) for name in "xyz"}
    build = each(["fma"], (values.size,) * 3, (0,), (1,), (2,), element=element)
    assert_same_bytes(graph(inputs, build), dict.fromkeys("xyz", values), optimise=False)


@pytest.mark.parametrize("element", ["f16", "f32", "f64"])
def test_floats_in_memory(element: str) -> None:
    """Loaded and stored as what they are: bits of a NaN stay through a negation."""
    values = float_patterns(element)
    stored = values.view(f"float{FLOATS[element][0]}")

    def negated(x: Any) -> Any:
        return elementwise(arith.NegFOp, values.shape, (0,), element=element)(x)

    assert_same_bytes(graph({"x": (values.shape, element)}, negated), {"x": stored}, optimise=False)


def integer_edges(bits: int) -> Array:
    """Integers around 0, the width and the ends of the range."""
    limit = 1 << (bits - 1)
    edges = [0, 1, -1, 2, 7, 8, 9, bits - 1, bits, bits + 1, 100, -100, limit - 1, -limit, 1 - limit, limit >> 1]
    return np.array([(edge + limit) % (2 * limit) - limit for edge in edges], np.int64).astype(f"int{bits}")


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_arithmetic(bits: int) -> None:
    values = integer_edges(bits)
    inputs: Inputs = {"x": (values.shape, f"i{bits}"), "y": (values.shape, f"i{bits}")}
    build = each(BINARY_INTEGER, (values.size, values.size), (0,), (1,), element=f"i{bits}")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)
    build = each(UNARY_INTEGER, values.shape, (0,), element=f"i{bits}")
    assert_same_bytes(graph({"x": (values.shape, f"i{bits}")}, build), {"x": values}, optimise=False)


def test_arithmetic_on_bits() -> None:
    values = np.array([False, True])
    inputs: Inputs = {"x": ((2,), "i1"), "y": ((2,), "i1")}
    build = each(BINARY_INTEGER, (2, 2), (0,), (1,), element="i1")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_chains_of_narrow_integers(bits: int) -> None:
    """What upper bits of a lane do not matter for is not cut; what they matter for is."""

    def body(a: Any, b: Any) -> Any:
        for name in (
            "addi",
            "muli",
            "subi",
            "divsi",
            "addi",
            "remui",
            "shli",
            "minsi",
            "addi",
            "shrui",
            "xori",
            "maxui",
        ):
            a, b = b, scalar_op(name, a, b)
        return a

    values = integer_edges(bits)
    inputs: Inputs = {"x": (values.shape, f"i{bits}"), "y": (values.shape, f"i{bits}")}
    build = elementwise(body, (values.size,) * 2, (0,), (1,), element=f"i{bits}")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


PREDICATES_FLOAT = ("oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno")
PREDICATES_INTEGER = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


@pytest.mark.parametrize("element", ["i1", "i8", "i16", "i32", "i64", *FLOATS])
def test_comparisons(element: str) -> None:
    is_float = element in FLOATS
    values = float_patterns(element) if is_float else integer_edges(int(element[1:])) if element != "i1" else None
    if values is None:
        values = np.array([False, True])
    shape, stored = (values.size, values.size), "i1" if element == "i1" else ir_integer(values)

    def build(x: Any, y: Any) -> dict[str, Any]:
        def one(name: str, *scalars: Any) -> Any:
            return compare(name, *(bitcast(scalar, element) for scalar in scalars))

        return {
            name: elementwise(lambda *s, name=name: one(name, *s), shape, (0,), (1,), element="i1")(x, y)
            for name in (PREDICATES_FLOAT if is_float else PREDICATES_INTEGER)
        }

    inputs: Inputs = {"x": (values.shape, stored), "y": (values.shape, stored)}
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


INTEGERS = ("i1", "i8", "i16", "i32", "i64")


def conversions(source: str) -> list[tuple[str, str]]:
    """Ops and target types of all conversions from a type."""
    if source in FLOATS:
        bits = FLOATS[source][0]
        resized = [("truncf" if FLOATS[t][0] < bits else "extf", t) for t in FLOATS if FLOATS[t][0] != bits]
        return [*resized, *((op, t) for t in INTEGERS for op in ("fptosi", "fptoui"))]
    bits = int(source[1:])
    wider = [(op, t) for t in INTEGERS if int(t[1:]) > bits for op in ("extsi", "extui")]
    narrower = [("trunci", t) for t in INTEGERS if int(t[1:]) < bits]
    return [*wider, *narrower, *((op, t) for t in FLOATS for op in ("sitofp", "uitofp"))]


@pytest.mark.parametrize("source", [*INTEGERS, *FLOATS])
def test_conversions(source: str) -> None:
    if source == "i1":
        values = np.array([False, True])
    elif source in FLOATS:
        bits = FLOATS[source][0]
        more = np.array(
            [254.9, 255.5, 256, -0.9, 2049, 65504, 65519, 65520, 65536, 16777217, -(2.0**31), 2.0**31, 1e10]
        )
        more = np.concatenate([more, [2.0**63, -(2.0**63), 2.0**64, 1.0000001, 1 + 2.0**-11, 1 + 3 * 2.0**-9, 1e-7]])
        upper = more.astype(np.float32).view(np.uint32) >> 16
        encoded = {
            "f16": lambda: more.astype(np.float16).view(np.int16),
            "bf16": lambda: upper.astype(np.uint16).view(np.int16),
            "f32": lambda: more.astype(np.float32).view(np.int32),
            "f64": lambda: more.view(np.int64),
        }
        with np.errstate(over="ignore"):
            values = np.concatenate([float_patterns(source), encoded[source]()])
        assert values.dtype.itemsize * 8 == bits
    else:
        bits = int(source[1:])
        more = [127, 128, 255, 256, -129, 2049, 65519, 65520, 16777217, 2**31 - 1, -(2**31), 2**40 + 1, 2**53 + 1]
        values = np.concatenate([integer_edges(bits), np.array(more).astype(f"int{bits}")])

    def convert(value: Any, target: str, op: str) -> Any:
        def body(a: Any) -> Any:
            made = scalar_op(op, bitcast(a, source), result=ir.Type.parse(target))
            return bitcast(made, "i16") if target == "bf16" else made

        return elementwise(body, tuple(value.type.shape), (0,), element="i16" if target == "bf16" else target)(value)

    def build(x: Any) -> dict[str, Any]:
        return {f"{op}_{target}": convert(x, target, op) for op, target in conversions(source)}

    stored = source if source == "i1" else ir_integer(values)
    assert_same_bytes(graph({"x": (values.shape, stored)}, build), {"x": values}, optimise=False)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_index_casts(bits: int) -> None:
    def body(a: Any) -> Any:
        index = ir.IndexType.get()
        wide = scalar_op("index_cast", a, result=index)
        wide = scalar_op("addi", scalar_op("muli", wide, wide), scalar_op("index_castui", a, result=index))
        return scalar_op("index_cast", scalar_op("remsi", wide, constant(index, 1000003)), result=a.type)

    values = integer_edges(bits)
    build = elementwise(body, values.shape, (0,), element=f"i{bits}")
    assert_same_bytes(graph({"x": (values.shape, f"i{bits}")}, build), {"x": values}, optimise=False)
