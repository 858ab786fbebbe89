"""The ONNX-level stage: what it folds, inlines and leaves alone; that nothing depends on inputs' values."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.compiler.importers.rewrite import scope
from tfmbs.compiler.importers.rewrite.fold import FOLDED
from tfmbs.compiler.importers.rewrite.functions import INLINED
from tfmbs.compiler.importers.rewrite.hints import KEEPS_SHAPE
from tfmbs.compiler.importers.rewrite.renaming import captured
from tfmbs.compiler.importers.rewrite.scope import MAX_KNOWN
from tfmbs.runtime.abi.errors import TfmbsError


def prepared(body: str, opset: int = 21) -> onnx.GraphProto:
    """The graph of a model in ONNX's text form, rewritten."""
    return prepare(parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}]>\n{body}'), {}).graph


def ops(graph: onnx.GraphProto) -> list[str]:
    return [node.op_type for node in graph.node if node.op_type != "Constant"]


def constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    made = {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"}
    return {name: numpy_helper.to_array(tensor) for name, tensor in made.items()}


def shape(graph: onnx.GraphProto) -> list[int]:
    return [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]


def test_arithmetic_on_shapes_is_folded() -> None:
    graph = prepared(
        """g (float[2, 3, 4] x) => (float[a, b] y) {
            s = Shape(x)
            axis = Constant<value = int64[1] {0}>()
            two = Constant<value = int64[1] {2}>()
            first = Gather(s, axis)
            last = Gather(s, two)
            rest = Constant<value = int64[1] {-1}>()
            doubled = Mul(last, two)
            to = Concat<axis = 0>(rest, doubled)
            y = Reshape(x, to)
        }"""
    )
    assert ops(graph) == ["Reshape"]
    assert shape(graph) == [3, 8]
    assert [list(array) for array in constants(graph).values()] == [[-1, 8]]


def test_values_of_inputs_are_not_folded() -> None:
    with pytest.raises(TfmbsError, match=r"'y' .*Reshape|y.* depends on values"):
        prepared("g (float[6] x, int64[2] to) => (float[a, b] y) { y = Reshape(x, to) }")


def test_declared_shape_stands_where_values_would_decide() -> None:
    graph = prepared("g (float[6] x, int64[2] to) => (float[2, 3] y) { y = Reshape(x, to) }")
    assert shape(graph) == [2, 3]
    assert [list(array) for array in constants(graph).values()] == [[2, 3]]
    graph = prepared("g (float[2, 3] x, int64[2] by) => (float[4, 9] y) { y = Tile(x, by) }")
    assert [list(array) for array in constants(graph).values()] == [[2, 3]]


def test_declared_shape_is_carried_backwards() -> None:
    body = "r = ReduceSum<keepdims = 0>(x, axes) c = Cast<to = 11>(r) y = Sqrt(c)"
    graph = prepared(f"g (float[2, 3] x, int64[1] axes) => (double[2] y) {{ {body} }}")
    assert [[d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.value_info] == [[2], [2]]


def test_declared_shape_that_cannot_be_is_refused() -> None:
    with pytest.raises(TfmbsError) as caught:
        prepared("g (float[2, 3] x) => (float[3, 3] y) { y = Relu(x) }")
    assert caught.value.code == "onnx.invalid"


def test_stale_record_of_an_inner_value_is_dropped() -> None:
    model = parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { h = Relu(x) y = Relu(h) }'
    )
    model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [7]))
    (info,) = prepare(model, {}).graph.value_info
    assert [dim.dim_value for dim in info.type.tensor_type.shape.dim] == [2]


def test_large_constants_stay_nodes() -> None:
    side = int(np.sqrt(MAX_KNOWN)) + 1
    graph = prepared(
        f"""g (float[{side}, {side}] x) => (float[{side}, {side}] y) {{
            s = Shape(x)
            c = ConstantOfShape<value = float[1] {{2.0}}>(s)
            y = Mul(x, c)
        }}"""
    )
    assert ops(graph) == ["ConstantOfShape", "Mul"]


def test_known_condition_takes_its_branch() -> None:
    graph = prepared(
        """g (float[2] x) => (float[2] y) {
            n = Size(x)
            two = Constant<value = int64 {2}>()
            even = Equal(n, two)
            y = If(even) <
                then_branch = t () => (float[2] a) { h = Neg(x) a = Abs(h) },
                else_branch = e () => (float[2] b) { h = Exp(x) b = Log(h) }>
            }"""
    )
    assert ops(graph) == ["Neg", "Abs", "Identity"]


def loops_in_loops(depth: int) -> str:
    """A Loop of 30 iterations around a Loop of 30 iterations around …"""
    if not depth:
        return "Abs(x)"
    body = f"body{depth} (int64 i{depth}, bool c{depth}, float[2] v{depth}) => (bool d{depth}, float[2] w{depth})"
    inner = loops_in_loops(depth - 1).replace("x)", f"v{depth})", 1) if depth == 1 else loops_in_loops(depth - 1)
    return f'Loop(n, "", x) <body = {body} {{ d{depth} = Identity(c{depth}) w{depth} = {inner} }}>'


def test_loops_in_loops_stay_loops_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out, three of them would be 27,000 iterations."""
    monkeypatch.setattr(scope, "MOST_NAMES", 500)
    graph = prepared(
        f"g (float[2] x) => (float[2] y) {{ n = Constant<value = int64 {{30}}>() y = {loops_in_loops(3)} }}"
    )
    assert "Loop" in ops(graph)
    assert len(graph.node) < 2000


def test_names_of_two_copies_of_a_body_differ() -> None:
    graph = prepared("g (float[4] x) => (float[4] y) { h = Swish(x) y = Swish(h) }", opset=24)
    names = [name for node in graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert "Swish" not in ops(graph)
    assert not captured(graph)


def test_attributes_reach_a_body() -> None:
    graph = prepared("g (float[4] x) => (float[4] y) { y = Swish<alpha = 0.5>(x) }", opset=24)
    assert any(np.all(array == np.float32(0.5)) for array in constants(graph).values())


def test_bodies_exist_where_the_table_says_so() -> None:
    """At the newest opset, each operator of the table has a function body of ONNX."""
    for domain, name in INLINED:
        schema = onnx.defs.get_schema(name, domain=domain)
        assert schema.function_opset_versions or schema.context_dependent_function_opset_versions


@pytest.mark.parametrize("name", sorted(KEEPS_SHAPE))
def test_operators_that_keep_the_shape(name: str) -> None:
    """Onnx infers the shape of the first operand for them."""
    schema = onnx.defs.get_schema(name)
    node = helper.make_node(name, ["x"] + ["x"] * (schema.min_input - 1), ["y"])
    if "to" in schema.attributes:
        node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    types = {"x": helper.make_tensor_type_proto(TensorProto.FLOAT, [2, 3])}
    (inferred,) = onnx.shape_inference.infer_node_outputs(schema, node, types).values()
    assert [dim.dim_value for dim in inferred.tensor_type.shape.dim] == [2, 3]


@pytest.mark.parametrize("name", sorted(FOLDED))
def test_folded_operators_exist_and_are_deterministic(name: str) -> None:
    assert not onnx.defs.get_schema(name).non_deterministic


def test_sequences_of_known_tensors_leave_nothing_but_them() -> None:
    graph = prepared(
        """g (float[5, 2] x, float[2, 2] z) => (float[8, 2] y, int64 n) {
            two = Constant<value = int64 {2}>()
            parts = SplitToSequence<axis = 0>(x, two)
            one = Constant<value = int64 {-3}>()
            longer = SequenceInsert(parts, z, one)
            last = SequenceErase(longer)
            n = SequenceLength(last)
            zero = Constant<value = int64 {0}>()
            first = SequenceAt(last, zero)
            all = ConcatFromSequence<axis = 0>(last)
            y = Concat<axis = 0>(first, all)
        }"""
    )
    assert {op for op in ops(graph) if "equence" in op} == set()
    assert 3 in [array.tolist() for array in constants(graph).values()]


@pytest.mark.parametrize(("position", "expected"), [(-2, "zab"), (-1, "azb"), (0, "zab"), (1, "azb"), (2, "abz")])
def test_positions_of_insertion(position: int, expected: str) -> None:
    """As in a list: negative ones count from the end, and the length itself is behind the last."""
    graph = prepared(
        f"""g (float[1] a, float[1] b, float[1] z) => (float[3] y) {{
            s = SequenceConstruct(a, b)
            p = Constant<value = int64 {{{position}}}>()
            t = SequenceInsert(s, z, p)
            y = ConcatFromSequence<axis = 0>(t)
        }}"""
    )
    assert "".join(next(node for node in graph.node if node.op_type == "Concat").input) == expected


def test_optional_inputs_are_inputs_that_must_be_given() -> None:
    body = "h = OptionalHasElement(x) v = OptionalGetElement(x) y = Neg(v)"
    graph = prepared(f"g (optional(float[2]) x) => (float[2] y, bool h) {{ {body} }}")
    assert ops(graph) == ["Identity", "Neg"]
    assert True in [array.tolist() for array in constants(graph).values()]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("(float[6] x, int64 n) => (float[a] y) { s = SplitToSequence(x, n) y = SequenceAt(s, n) }",
         r"SplitToSequence.*split.*depends on values"),
        ("(float[6] x) => (seq(float[a]) y) { y = SequenceConstruct(x, x) }",
         r"output 'y'.*expected a tensor, got sequence"),
    ],
)  # fmt: skip
def test_sequences_that_are_not_known_are_refused(body: str, message: str) -> None:
    with pytest.raises(TfmbsError, match=message):
        prepared(f"g {body}")


def test_operands_that_an_operator_cannot_take_are_the_models_fault() -> None:
    with pytest.raises(TfmbsError) as caught:
        prepared(
            """g (float[2] x) => (float[2] y) {
                s = Shape(x)
                far = Constant<value = int64[1] {5}>()
                n = Gather(s, far)
                y = Expand(x, n)
            }"""
        )
    assert caught.value.code == "onnx.invalid"
    assert "Gather" in str(caught.value)


def test_casts_out_of_range_are_the_devices() -> None:
    """numpy wraps where the device saturates: such a cast stays."""
    text = """g (float[2] x) => (int32[2] y, float[2] z) {{
        k = Constant<value = float[2] {{{}}}>()
        y = Cast<to = 6>(k)
        z = Abs(x)
    }}"""
    assert ops(prepared(text.format("1.5, -3"))) == ["Abs"]
    for numbers in ("inf, 0", "nan, 0", "3e9, 0", "0, -2147483904"):
        assert ops(prepared(text.format(numbers))) == ["Cast", "Abs"]


def test_an_optional_of_nothing_is_empty() -> None:
    nothing = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    nodes = [
        helper.make_node("Optional", [], ["o"], type=nothing),
        helper.make_node("OptionalHasElement", ["o"], ["none"]),
        helper.make_node("Optional", ["x"], ["p"]),
        helper.make_node("OptionalHasElement", ["p"], ["some"]),
        helper.make_node("OptionalGetElement", ["p"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("none", "some")]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [x], [*ends, y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    arrays = constants(prepare(model, {}).graph)
    assert [bool(array) for array in arrays.values()] == [False, True]
    nodes[4].input[0] = "o"
    with pytest.raises(TfmbsError, match="OptionalGetElement"):
        prepare(helper.make_model(helper.make_graph(nodes, "g", [x], [*ends, y]), opset_imports=model.opset_import), {})


def test_functions_of_another_opset_are_converted() -> None:
    body = [helper.make_node("Squeeze", ["a"], ["b"], axes=[0])]  # an attribute until opset 13
    function = helper.make_function("own", "F", ["a"], ["b"], body, [helper.make_opsetid("", 11)])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in (("x", [1, 2]), ("y", [2])))
    graph = helper.make_graph([helper.make_node("F", ["x"], ["y"], domain="own")], "g", [x], [y])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10)
    assert ops(prepare(model, {}).graph) == ["Squeeze"]


def test_scans_and_recurrences_over_nothing_end_by_name() -> None:
    scan = """g (float[2] s, float[0, 2] x) => (float[2] t, float[0, 2] y) {
        t, y = Scan<num_scan_inputs = 1, body = b (float[2] a, float[2] e) => (float[2] r, float[2] q) {
            r = Add(a, e)
            q = Identity(r)
        }>(s, x)
    }"""
    assert ops(prepared(scan)) == ["Scan"]
    rnn = """g (float[0, 1, 2] x, float[1, 3, 2] w, float[1, 3, 3] r) => (float[1, 1, 3] y) {
        q, y = RNN<hidden_size = 3>(x, w, r)
    }"""
    assert "Scan" in ops(prepared(rnn))


def test_types_that_an_operator_lacks_are_refused_by_name() -> None:
    with pytest.raises(TfmbsError, match=r"Round.*unsupported type"):
        prepared("g (bfloat16[2] x) => (bfloat16[2] y) { y = Round(x) }")


def test_weights_are_not_looked_at() -> None:
    """A constant too large to be remembered comes through as it was, and no constant stays an input."""
    weights = np.random.default_rng(0).standard_normal((70, 70)).astype(np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 70))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(weights, "unused")],
        ), opset_imports=[helper.make_opsetid("", 21)],
    )  # fmt: skip
    graph: Any = prepare(model, {}).graph
    assert [value.name for value in graph.input] == ["x"]
    (kept,) = graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(kept), weights)
