"""`tfmbs-check`: it agrees with the compiler, lists all problems at once, says what would help and what runs where."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.backend.test.case import node as node_cases

import tfmbs
from tests.models.test_hostile_models import of, typed
from tests.models.zoo import build, node, transformer_block, weights
from tfmbs.compiler import compilation
from tfmbs.compiler.check import report
from tfmbs.compiler.check.checker import check
from tfmbs.compiler.check.names import own_names
from tfmbs.compiler.check.onnx_helps import OnnxCandidate, remedies
from tfmbs.compiler.check.onnx_nodes import singles
from tfmbs.compiler.check.subject import Attempt
from tfmbs.compiler.check.subjects import subject_of
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.writing import write
from tfmbs.tools.check import main

ROOT = Path(__file__).parents[2]
F32 = TensorProto.FLOAT


def compiles(model: onnx.ModelProto, **options: Any) -> bool:
    try:
        tfmbs.compile(model, **options)
    except TfmbsError:
        return False
    return True


CASES = {
    "test_cumsum_1d", "test_equal_string", "test_gelu_default_1", "test_nonzero_example",
    "test_reduce_l1_keep_dims_random", "test_sequence_insert_at_back", "test_softmax_axis_1", "test_string_concat",
}  # fmt: skip


def test_supported_means_that_it_compiles() -> None:
    """On some node cases of onnx's own backend test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some overflow on purpose while they are made
        for module in ("cumsum", "equal", "gelu", "nonzero", "reducel1", "sequenceinsert", "softmax", "string_concat"):
            import_module(f"onnx.backend.test.case.node.{module}")
    verdicts = set()
    cases = {case.name: case for case in node_cases._NodeTestCases if case.name in CASES}
    assert cases.keys() == CASES
    for case in cases.values():
        model = case.model
        result = check(model, Options())
        assert result.supported == compiles(model), case.name
        nodes = {n.name or f"{n.op_type}_{i}" for i, n in enumerate(model.graph.node)}
        assert {name for work in result.work for name in work.nodes} <= nodes
        verdicts.add(result.supported)
    assert verdicts == {True, False}


@pytest.mark.parametrize("name", ["cnn", "mlp_ternary"])
def test_the_examples_are_supported(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"{ROOT}/examples/digits/{name}.onnx"
    assert main([path, "--dim", "batch=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: supported"
    assert any(line.startswith("gemv") and "fc1+relu" in line for line in lines)
    assert main([path]) == 1
    out = capsys.readouterr().out
    assert "1. dimension 'batch': it is symbolic and has no size\n   would help: --dim batch=N" in out


def untyped(model: onnx.ModelProto) -> onnx.ModelProto:
    for value in model.graph.output:
        value.CopyFrom(ValueInfoProto(name=value.name))
    return model


def many_problems() -> onnx.ModelProto:
    """One of each kind: a dimension, an op and one on it, an attribute, a tensor, a shape, channels."""
    nodes = [
        node("MatMul", "x w", "a"),
        node("Frobnicate", "a", "b"),
        node("Relu", "b", "after"),
        node("Softmax", "a", "c", axis=7),
        node("NonZero", "a", "d"),
        node("RandomNormalLike", "a", "e"),
        node("MatMul", "a short", "f"),
        node("Relu", "f", "g"),
        node("Conv", "image filter", "h", group=3),
        node("Erf", "a", "k"),
    ]
    model = of(
        nodes, ("x", F32, ("n", 8)), ("image", F32, (1, 2, 8, 8)),
        outputs="after c d e g h k", w=weights(1, 8, 8), short=weights(1, 8, 8),
        filter=np.ones((3, 2, 2, 2), np.float32),
    )  # fmt: skip
    model.graph.initializer[1].raw_data = b"123"
    return untyped(typed(model))


def test_all_problems_are_listed_at_once() -> None:
    result = check(many_problems(), Options())
    found = {problem.where: problem for problem in result.problems}
    assert set(found) == {
        "dimension 'n'", "node 'frobnicate_b' (Frobnicate)", "tensor 'short'", "node 'softmax_c' (Softmax)",
        "node 'nonzero_d' (NonZero)", "node 'randomnormallike_e' (RandomNormalLike)", "node 'conv_h' (Conv)",
    }  # fmt: skip
    assert result.unseen == ["relu_after"]
    assert found["dimension 'n'"].helps == ["--dim n=N"]
    assert "fold constants" in found["node 'nonzero_d' (NonZero)"].helps[0]
    assert found["tensor 'short'"].message == "data, expected 256 bytes, got 3"
    assert {name: work.kernel for work in result.work for name in work.nodes} == {
        "matmul_a": "gemm", "relu_g": "vector", "erf_k": "vector",
    }  # fmt: skip
    assert all(work.alone for work in result.work)


def test_equal_nodes_are_one_problem() -> None:
    """Three convolutions that cannot be, two of them alike but for their names."""
    nodes = [
        node("Conv", "x w1", "p", group=3, kernel_shape=[2, 2]),
        node("Conv", "x w2", "q", group=3, kernel_shape=[2, 2]),
        node("Conv", "x w1", "r", group=3, kernel_shape=[2, 2], strides=[2, 2]),
    ]
    ones = np.ones((3, 2, 2, 2), np.float32)
    model = untyped(typed(of(nodes, ("x", F32, (1, 2, 8, 8)), outputs="p q r", w1=ones, w2=ones)))
    assert [p.nodes for p in check(model, Options()).problems] == [["conv_p", "conv_q"], ["conv_r"]]


def test_operands_become_constants_where_that_may_help() -> None:
    """Short lists of integers behind the first operand: the sizes of the result, or zeros."""
    integers = TensorProto.INT64
    reshape = typed(of([node("Reshape", "x s", "y")], ("x", F32, (2, 3)), ("s", integers, (1,))), shape=(6,))
    [constants] = [remedy for remedy in remedies() if "constant" in remedy.says]
    changed = constants.change(Attempt(OnnxCandidate(reshape), Options()))
    assert changed is not None
    assert isinstance(changed.candidate, OnnxCandidate)
    graph = changed.candidate.proto.graph
    assert [v.name for v in graph.input] == ["x"]
    assert numpy_helper.to_array(graph.initializer[0]).tolist() == [6]
    relu = typed(of([node("Relu", "x", "y")], ("x", integers, (2,))))
    assert constants.change(Attempt(OnnxCandidate(relu), Options())) is None


HELPS: dict[str, tuple[onnx.ModelProto, Options, str]] = {
    "newer opset": (
        typed(of([node("Gelu", "x", "y")], opset=17)), Options(),
        "opset 20, which has that op: export again, or use onnx.version_converter"),
    "op of onnxruntime": (
        typed(of([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft", name="f")])), Options(),
        "export without onnxruntime's graph optimizations: that is one of its own fused ops"),
    "calibration": (
        build([node("MatMul", "x w", "y")], (2, 8), w=weights(1, 8, 4)), Options(precision="int8"),
        "--calibrate DATA.npz, samples of the inputs"),
    "precision": (
        build([node("MatMul", "x w", "y")], (2, 8), w=weights(1, 8, 4)), Options(precision="int8"),
        "--precision fp32"),
    "no such dimension": (typed(of([node("Relu", "x", "y")])), Options(dims={"n": 2}), "leave that --dim out"),
}  # fmt: skip


@pytest.mark.parametrize("name", HELPS)
def test_what_would_help(name: str) -> None:
    model, options, message = HELPS[name]
    assert message in [text for problem in check(model, options).problems for text in problem.helps]


def reasons(model: onnx.ModelProto) -> list[tuple[str, str, str]]:
    return [(d.name, d.kernel, d.reason) for d in check(model, Options()).declined]


def test_why_there_is_no_better_kernel() -> None:
    line = build([node("Conv", "x w", "y")], (1, 3, 9), w=weights(1, 4, 3, 3))
    assert reasons(line)[0][2] == "it has 1 spatial dimensions, the kernels 2 or 3"
    given = typed(of([node("Conv", "x w", "y")], ("x", F32, (1, 2, 4, 4)), ("w", F32, (3, 2, 2, 2))))
    assert reasons(given) == [("conv_y", "conv2d", "the weights are no constant")]
    wide = TensorProto.DOUBLE
    double = typed(of([node("MatMul", "x w", "y")], ("x", wide, (2, 3)), ("w", wide, (3, 4))), wide)
    assert reasons(double) == [("matmul_y", "gemm", "its elements are f64, the kernel takes f32")]
    broadcast = typed(of([node("MatMul", "x w", "y")], ("x", F32, (2, 5, 3)), ("w", F32, (1, 3, 4))))
    assert reasons(broadcast) == [("matmul_y", "gemm", "batches (2,) and (1,) differ: one is broadcast")]
    assert reasons(build([node("MatMul", "x w", "y")], (2, 8), w=weights(1, 8, 4))) == []


def attention(*scored: onnx.NodeProto, weights: str = "p", **arrays: np.ndarray) -> onnx.ModelProto:
    """Attention of x to itself, with `scored` from the scores s0 to s."""
    nodes = [node("Transpose", "x", "t", perm=(0, 1, 3, 2)), node("MatMul", "x t", "s0"), *scored]
    nodes += [node("Softmax", "s", "p", axis=-1), node("MatMul", f"{weights} x", "y")]
    return build(nodes, (1, 2, 5, 8), **arrays)


def test_why_attention_is_no_single_launch() -> None:
    half = np.float32(0.5)
    whole = attention(node("Mul", "s0 half", "s"), half=half)
    assert reasons(whole) == []
    assert [work.kernel for work in check(whole, Options()).work if "matmul_y" in work.nodes] == ["attention"]
    capped = attention(node("Tanh", "s0", "s"))
    assert reasons(capped) == [("matmul_y", "attention", "tanh stands between scores and softmax")]
    third = attention(node("Div", "s0 three", "s"), three=np.float32(3))
    assert reasons(third) == [("matmul_y", "attention", "div.Tensor stands between scores and softmax")]
    assert "products and vector code, not attention: tanh stands" in report.text(check(capped, Options()), "capped")
    layer = build([node("Softmax", "x", "p", axis=-1), node("MatMul", "p w", "y")], (2, 8), w=weights(1, 8, 4))
    assert reasons(layer) == []


def test_repeated_layers_are_looked_at_once() -> None:
    block = transformer_block(4, 8, 2)
    deep = onnx.ModelProto()
    deep.CopyFrom(block)
    previous = "y"
    for layer in range(5):
        for part in block.graph.node:
            copy = deep.graph.node.add()
            copy.CopyFrom(part)
            copy.name = f"{layer}_{part.name}"
            for names in (copy.input, copy.output):
                own = {n for each in block.graph.node for n in each.output}
                names[:] = [f"{layer}_{n}" if n in own else previous if n == "x" else n for n in names]
        previous = f"{layer}_y"
    deep.graph.output[0].name = previous
    once = singles(prepare(block, {}), {})
    assert len(singles(prepare(deep, {}), {})) == len(once)
    names = {name for part in once for name in part.names}
    assert set(own_names(names, subject_of(block, "m").nodes)) == {n.name for n in block.graph.node}


def validate(value: Any, schema: dict[str, Any], at: str = "$") -> None:
    """The part of JSON Schema that the published schema uses."""
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    assert set(schema) <= {
        "$schema", "title", "description", "type", "enum", "items", "properties", "required", "additionalProperties",
    }, at  # fmt: skip
    assert "enum" not in schema or value in schema["enum"], at
    assert "type" not in schema or type(value) is kinds[schema["type"]], at
    if isinstance(value, list):
        for index, item in enumerate(value):
            validate(item, schema["items"], f"{at}[{index}]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), at
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            assert inner, f"{at}.{key}"
            validate(item, inner, f"{at}.{key}")


def test_json_has_the_published_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((ROOT / "docs" / "tfmbs-check.schema.json").read_text())
    bad, good = tmp_path / "bad.onnx", tmp_path / "good.onnx"
    bad.write_bytes(many_problems().SerializeToString())
    good.write_bytes(
        build([node("MatMul", "x w", "h"), node("Relu", "h", "y")], (2, 8), w=weights(1, 8, 4)).SerializeToString()
    )
    for path, code in ((bad, 1), (good, 0)):
        assert main([str(path), "--json", "-"]) == code
        value = json.loads(capsys.readouterr().out)
        validate(value, schema)
        assert value["supported"] == (code == 0)
    assert value["work"] == [
        {"kernel": "gemm", "nodes": ["matmul_h", "relu_y"], "shapes": [[2, 8], [4, 8], [2, 4]], "alone": False}
    ]
    assert main([str(good), "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == value
    assert "supported" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.onnx"], 1, "error: none.onnx: cannot read the model"),
        (["m.pt"], 1, "error: m.pt: kind of model, expected .onnx or .pt2, got .pt"),
        (["m.onnx", "--jobs", "0"], 2, "error: --jobs: number of processes"),
        (["m.onnx", "--precision", "int9"], 2, "error: precision: unknown value"),
        (["m.onnx", "--target", "none.toml"], 1, "error: none.toml: file cannot be read"),
    ],
)
def test_what_cannot_be_checked(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(build([node("Relu", "x", "y")], (2, 3)).SerializeToString())
    assert main(arguments) == code
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(message)


def test_an_error_that_no_part_shows_is_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever refuses the whole model makes it unsupported, also if each node compiles."""
    emit = compilation.emit

    def picky(module: Any) -> Any:
        content = emit(module)
        if (count := len(Image.from_buffer(write(content)).descriptors)) > 1:
            raise TfmbsError("target", "fabric", "too many launches", 1, count)
        return content

    model = build(
        [node("MatMul", "x w", "h"), node("MatMul", "h v", "y")], (2, 8), w=weights(1, 8, 4), v=weights(2, 4, 3)
    )
    monkeypatch.setattr(compilation, "emit", picky)
    result = check(model, Options())
    assert [(p.where, p.message) for p in result.problems] == [("fabric", "too many launches, expected 1, got 2")]
    assert [work.nodes for work in result.work] == [("matmul_h",), ("matmul_y",)]
