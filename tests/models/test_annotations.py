"""`tfmbs-annotate` finds structures by what they are, and not what only looks like them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from examples.models.catalogue import DECODERS, MODELS
from examples.models.onnx_path import WithCache, export
from tests.models.test_hostile_models import of, typed
from tests.models.zoo import build, cnn, node, transformer_block, weights
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.passes.graph.kernels import PRODUCTS, ops_of
from tfmbs.tools.compile import main

F32, I64 = TensorProto.FLOAT, TensorProto.INT64


def found(model: onnx.ModelProto) -> dict[str, Any]:
    [entry] = Compilation.of(model, Options()).annotate()["entries"]
    assert isinstance(entry, dict)
    return entry


def patterns(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Nodes by pattern."""
    result: dict[str, list[str]] = {}
    for part in found(model)["parts"]:
        for pattern in filter(None, part.get("pattern", "").split("+")):
            result.setdefault(pattern, []).append(part["node"])
    return result


def products(softmax_axis: int, constant: str = "") -> onnx.ModelProto:
    """softmax(q · k) · v for tensors 1×2×4×4, one of which may be a constant."""
    nodes = [node("MatMul", "q k", "s"), node("Softmax", "s", "p", axis=softmax_axis), node("MatMul", "p v", "y")]
    given = [(name, F32, (1, 2, 4, 4)) for name in "qkv" if name != constant]
    return typed(of(nodes, *given, **({constant: weights(1, 1, 2, 4, 4)} if constant else {})))


def decoder(length: int = 1, returned: bool = True, attended: bool = True) -> onnx.ModelProto:
    """Attention to a key cache of 7 that a step of `length` tokens extends."""
    nodes = [
        node("MatMul", "x wk", "new"),
        node("Concat", "past new", "keys", axis=2),
        node("Transpose", "keys" if attended else "other", "kt", perm=[0, 1, 3, 2]),
        node("MatMul", "x kt", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p other", "y"),
    ]
    inputs = [
        ("x", F32, (1, 2, length, 4)), ("past", F32, (1, 2, 7, 4)), ("other", F32, (1, 2, 7 + length, 4)),
    ]  # fmt: skip
    model = of(nodes, *inputs, outputs="y keys" if returned else "y", wk=weights(1, 4, 4))
    return typed(model)


def test_a_transformer_block() -> None:
    report = found(transformer_block(8, 32, 4))
    by_pattern = patterns(transformer_block(8, 32, 4))
    assert by_pattern["attention"] == ["matmul_c0"]
    assert by_pattern["residual_block"] == ["add_r1", "add_y"]
    assert set(by_pattern) == {"attention", "residual_block"}
    assert report["network"]["phase"] == "encoder"
    assert report["inputs"] == {"x": {"residency": "ephemeral activation"}}
    wide = next(part for part in report["parts"] if part["node"] == "matmul_u0")
    assert wide["flops"] == 2 * 8 * 32 * 128
    assert wide["bytes"] == 4 * (8 * 32 + 32 * 128 + 8 * 128)
    assert wide["intensity"] == pytest.approx(wide["flops"] / wide["bytes"])
    by_op: Counter[str] = Counter()
    for part in report["parts"]:
        by_op[part["op"].split(".")[2]] += part.get("flops", 0)
    # Four projections, scores and context, two layers of the feed-forward part.
    assert by_op["matmul"] == 2 * (4 * 8 * 32 * 32 + 2 * 8 * 8 * 32 + 2 * 8 * 32 * 128)
    assert by_op["native_layer_norm"] == 2 * 7 * 8 * 32
    assert report["network"]["flops"] == sum(by_op.values())
    assert report["network"]["bytes"] == sum(part["bytes"] for part in report["parts"])


@pytest.mark.parametrize("constant", ["k", "v"])
def test_a_softmax_between_products_with_weights_is_no_attention(constant: str) -> None:
    assert patterns(products(-1)) == {"attention": ["matmul_y"]}
    assert patterns(products(-1, constant)) == {}


def test_a_softmax_over_another_axis_is_no_attention() -> None:
    assert patterns(products(1)) == {}


def test_a_cache_is_attended_to_and_handed_on() -> None:
    step = found(decoder(1))
    assert patterns(decoder(1)) == {"kv_cache": ["concat_keys"], "attention": ["matmul_y"]}
    assert step["network"]["phase"] == "decode"
    assert step["inputs"]["past"] == {"residency": "stateful KV cache"}
    assert found(decoder(3))["network"]["phase"] == "prefill"


@pytest.mark.parametrize("change", ["returned", "attended"])
def test_a_concatenation_alone_is_no_cache(change: str) -> None:
    model = decoder(1, **{change: False})
    assert "kv_cache" not in patterns(model)
    assert found(model)["network"]["phase"] == "encoder"
    assert {group["residency"] for group in found(model)["inputs"].values()} == {"ephemeral activation"}


def test_a_sum_is_a_residual_only_around_a_product() -> None:
    w = weights(1, 8, 8)
    block = build([node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("Add", "r x", "y")], (2, 8), w=w)
    assert patterns(block) == {"residual_block": ["add_y"]}
    for nodes in (
        [node("Relu", "x", "r"), node("Add", "r x", "y")],
        [node("MatMul", "x w", "h"), node("Add", "h b", "y")],
        [node("MatMul", "x w", "h"), node("MatMul", "x v", "g"), node("Add", "h g", "y")],
    ):
        assert patterns(build(nodes, (2, 8), w=w, v=weights(2, 8, 8), b=weights(3, 8))) == {}, nodes


def test_a_backbone_is_a_chain_of_convolutions() -> None:
    report, by_pattern = found(cnn()), patterns(cnn())
    assert by_pattern["convolution_backbone"] == ["conv_c1", "conv_c2", "conv_c3"]
    assert by_pattern["residual_block"] == ["add_r3"]
    assert report["network"]["phase"] == "vision"
    assert report["inputs"]["x"]["modality"] == report["network"]["modality"] == "image"
    one = build([node("Conv", "x w", "h"), node("Relu", "h", "y")], (1, 3, 8, 8), w=weights(1, 4, 3, 3, 3))
    assert patterns(one) == {}
    assert "modality" not in found(one)["network"]


def test_a_table_is_constant_and_its_indices_are_not() -> None:
    table, indices = ("t", F32, (9, 4)), ("i", I64, (3,))
    lookup = [node("Gather", "t i", "y")]
    assert patterns(typed(of(lookup, indices, t=weights(1, 9, 4)))) == {"embedding_table": ["gather_y"]}
    assert found(typed(of(lookup, indices, t=weights(1, 9, 4))))["inputs"]["i"]["modality"] == "categorical"
    assert patterns(typed(of(lookup, table, indices))) == {}
    assert patterns(typed(of(lookup, table, i=np.array([1, 2])))) == {}


CACHED = {"attention": 2, "residual_block": 4, "kv_cache": 4}
REFERENCE: dict[str, tuple[dict[str, int], list[str | None], str | None]] = {
    "resnet18": ({"convolution_backbone": 6, "residual_block": 1}, ["vision"], "image"),
    "mobilenet_v2": ({"convolution_backbone": 10, "residual_block": 2}, ["vision"], "image"),
    "bert": ({"attention": 2, "residual_block": 4, "embedding_table": 3}, ["encoder"], "text"),
    "vit": ({"attention": 2, "residual_block": 4, "patch_embedding": 1}, ["vision"], "image"),
    "gpt2": ({"attention": 2, "residual_block": 4, "embedding_table": 2, "kv_cache": 4}, ["prefill", "decode"], "text"),
    "llama": (
        {"attention": 2, "residual_block": 4, "embedding_table": 1, "kv_cache": 4},
        ["prefill", "decode"],
        "text",
    ),
    "dlrm": ({"embedding_table": 3}, ["recommender"], "categorical"),
}
"""By reference model, in its small form: patterns, phases of its entries, modality."""


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_models(name: str) -> None:
    expected, phases, modality = REFERENCE[name]
    module = MODELS[name]
    network, inputs = (module.build_cached if name in DECODERS else module.build)(module.SMALL)
    entries = Compilation.of(network, Options(example_inputs=inputs)).annotate()["entries"]
    assert [entry["network"].get("phase") for entry in entries] == phases
    for entry in entries:
        counts = Counter(p for part in entry["parts"] for p in part.get("pattern", "").split("+") if p)
        assert counts == expected
        assert entry["network"].get("modality") == modality
        caches = [name for name, known in entry["inputs"].items() if known["residency"] == "stateful KV cache"]
        assert len(caches) == expected.get("kv_cache", 0)
        assert all(".cache." in name for name in caches)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_without_a_cache_is_a_prefill(name: str) -> None:
    network, inputs = MODELS[name].build(MODELS[name].SMALL)
    [entry] = Compilation.of(network, Options(example_inputs=inputs)).annotate()["entries"]
    assert entry["network"]["phase"] == "prefill"
    assert {known["residency"] for known in entry["inputs"].values()} == {"ephemeral activation"}


def test_a_decode_step_by_way_of_onnx() -> None:
    """Its caches go in and come out; positions are in front there, and keys are scaled."""
    network, steps = MODELS["gpt2"].build_cached(MODELS["gpt2"].SMALL)
    step = WithCache(network).eval()
    [entry] = Compilation.of(export(step, (*steps["decode"], step.empty())), Options()).annotate()["entries"]
    assert entry["network"]["phase"] == "decode"
    caches = [name for name, known in entry["inputs"].items() if known["residency"] == "stateful KV cache"]
    assert caches == [f"cache_{number}" for number in range(4)]
    counts = Counter(p for part in entry["parts"] for p in part.get("pattern", "").split("+") if p)
    assert counts == REFERENCE["gpt2"][0]


def test_products_carry_their_meaning_to_the_graph() -> None:
    module = Compilation.of(transformer_block(8, 32, 4), Options()).lower("tfmbs")
    carried = [op.attributes[SEMANTICS] for op in ops_of(module, *PRODUCTS) if SEMANTICS in op.attributes]
    assert len(carried) == len(ops_of(module, *PRODUCTS)) == 8
    assert [c["pattern"].value for c in carried if "pattern" in c] == ["attention"]


def test_a_report_changes_no_byte_of_the_binary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(transformer_block(8, 32, 4).SerializeToString())
    plain, annotated, report = tmp_path / "plain.tfb", tmp_path / "annotated.tfb", tmp_path / "m.json"
    assert main([str(model), "-o", str(plain)]) == 0
    assert main([str(model), "-o", str(annotated), "--emit-annotations", str(report)]) == 0
    assert plain.read_bytes() == annotated.read_bytes()
    assert json.loads(report.read_text()) == {"entries": [found(onnx.load(model))]}
    assert main([str(model), "-o", str(annotated), "--emit-annotations", "-"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("main: phase encoder, flops ")
    assert "matmul_c0 (torch.aten.matmul): " in out
