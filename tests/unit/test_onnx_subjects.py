"""Errors of ONNX models say in a field what of the model they are about, whoever found it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.models.test_hostile_models import of, typed
from tests.models.zoo import node
from tfmbs.compiler.check.checker import check
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.onnx_blame import blamed
from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.runtime.abi.errors import TfmbsError

F32 = TensorProto.FLOAT


def chain(*nodes: onnx.NodeProto, **tensors: np.ndarray) -> onnx.ModelProto:
    return typed(of(list(nodes), ("x", F32, (2, 3)), outputs=nodes[-1].output[0], **tensors))


CASES = {
    "shape inference": (
        chain(node("Relu", "x", "a"), node("Softmax", "a", "b", axis=7), node("Relu", "b", "y")), "node", "softmax_b"),
    "checker": (
        chain(node("Relu", "x", "a"), node("Erf", "a", "b", wrong=1), node("Relu", "b", "y")), "node", "erf_b"),
    "our rules": (chain(node("RandomNormalLike", "x", "y")), "node", "randomnormallike_y"),
    "no name": (chain(helper.make_node("Frobnicate", ["x"], ["y"])), "node", "y"),
    "dimension": (typed(of([node("Relu", "x", "y")], ("x", F32, ("n",)))), "dimension", "n"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_error_carries_its_subject(case: str) -> None:
    model, kind, name = CASES[case]
    with pytest.raises(TfmbsError) as caught:
        prepare(model, {})
    assert caught.value.subject is not None
    assert (caught.value.subject.kind, caught.value.subject.name) == (kind, name)


def test_a_walk_that_fails_without_nodes_blames_none() -> None:
    def refuse(model: onnx.ModelProto) -> None:
        raise ValueError("no")

    assert blamed(CASES["our rules"][0], refuse, (ValueError,), "m") == "m"


def test_the_first_of_many_nodes_is_blamed() -> None:
    nodes = [node("Relu", "x", "v0"), *(node("Relu", f"v{i}", f"v{i + 1}") for i in range(40))]

    def refuse(model: onnx.ModelProto) -> None:
        if len(model.graph.node) > 17:
            raise ValueError("too long")

    assert str(blamed(chain(*nodes), refuse, (ValueError,), "m")) == f"m: node '{nodes[17].name}' (Relu)"


def test_a_node_in_a_branch_is_a_problem_of_the_node_that_holds_it() -> None:
    """Two nodes of one name in two branches, each refused."""
    branch = [
        helper.make_graph([helper.make_node("RandomNormalLike", ["x"], ["r"], name="r")], name, [],
                          [helper.make_tensor_value_info("r", F32, (2, 3))])
        for name in ("yes", "no")
    ]  # fmt: skip
    choice = node("If", "c", "y", then_branch=branch[0], else_branch=branch[1])
    model = typed(of([choice, node("Relu", "y", "z")], ("c", TensorProto.BOOL, ()), ("x", F32, (2, 3)), outputs="z"))
    problems = check(model, Options()).problems
    assert [problem.nodes for problem in problems] == [[choice.name]]
