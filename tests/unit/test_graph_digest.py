"""The digest of a graph: what it depends on, and what not."""

from typing import Any

import numpy as np

from tests.models.graphs import graph, normal, weights
from tfmbs.compiler.graph_digest import graph_digest
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.kernels import ops_of


def network(array: np.ndarray, rows: int = 3) -> Any:
    return graph({"x": ((rows, array.shape[1]), "f32")}, lambda x: ops.matmul(x, weights(array)).result)


def test_equal_graphs_have_one_digest() -> None:
    first, second = network(normal(40, 50)), network(normal(40, 50))
    assert graph_digest(first) == graph_digest(second) == graph_digest(first)
    assert len(graph_digest(first)) == 64


def test_each_weight_and_each_size_counts() -> None:
    array, small = normal(40, 50), normal(2, 3)
    changed = array.copy()
    changed[3, 7] = np.nextafter(changed[3, 7], np.float32(9))
    modules = [network(array), network(changed), network(array, rows=4), network(small), network(-small)]
    assert len({graph_digest(module) for module in modules}) == 5


def test_what_calibration_says_does_not_count() -> None:
    module = network(normal(4, 5))
    before = graph_digest(module)
    (op,) = ops_of(module, ops.MatmulOp)
    with module.context, ir.Location.unknown():
        op.attributes["tfmbs.input_range"] = ir.DenseF32ArrayAttr.get([-1.0, 1.0])
        op.attributes["tfmbs.precision"] = ir.StringAttr.get("int4")
        module.operation.attributes["tfmbs.precision"] = ir.StringAttr.get("mixed")
    assert graph_digest(module) == before
    assert "tfmbs.input_range" in op.attributes
