"""Comparisons and conversions in vector code between all types: the emulator against linalg, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.graphs import Inputs, assert_same_bytes, elementwise, graph
from tests.models.scalar_ops import FLOATS, bitcast, float_patterns, integer_edges, ir_integer, scalar_op
from tfmbs.dialect.mlir import ir
from tfmbs.passes.linalg.scalar import compare, constant

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
