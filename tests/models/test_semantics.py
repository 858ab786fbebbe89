"""What ops are for stays with them: at graph, kernel and fabric level, in the binary, and beside a run's counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.models.zoo import build, cnn, node, transformer_block, weights
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.semantics import Semantics, all_semantics, semantics_of
from tfmbs.passes.fabric.launches import LAUNCHES
from tfmbs.passes.graph.kernels import PRODUCTS, ops_of, ops_where
from tfmbs.passes.tfmbs_annotate import TfmbsAnnotate
from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.writing import write
from tfmbs.runtime.program import Program
from tfmbs.runtime.stats import Stats
from tfmbs.tools.objdump import main as objdump


def network(model: onnx.ModelProto) -> dict[str, Any]:
    [entry] = Compilation.of(model, Options()).annotate()["entries"]
    known = entry["network"]
    assert isinstance(known, dict)
    return known


def example(model: onnx.ModelProto) -> np.ndarray:
    sizes = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return np.linspace(-1, 1, int(np.prod(sizes)), dtype=np.float32).reshape(sizes)


def at(model: onnx.ModelProto, level: str, precision: str = "fp32") -> Any:
    samples = [{"x": example(model)}] if precision == "int8" else None
    return Compilation.of(model, Options(precision=precision, calibration=samples)).lower(level)


def convolutions(model: onnx.ModelProto) -> list[str]:
    """Numbers and patterns of the products of the graph level."""
    products = [semantics_of(op.operation) for op in ops_of(at(model, "tfmbs"), *PRODUCTS)]
    return [f"{known.number} {known.pattern}".strip() for known in products if known is not None]


def test_a_fused_op_keeps_its_roots() -> None:
    # Convolution, batch normalization, ReLU; convolution, batch normalization, clip; convolution, sum; pool; product.
    assert convolutions(cnn()) == ["0 convolution_backbone", "3 convolution_backbone", "6 convolution_backbone", "10"]


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4", "ternary"])
@pytest.mark.parametrize("level", ["tfmbs", "kernel"])
def test_every_launch_says_what_it_is_for(precision: str, level: str) -> None:
    module = at(cnn(), level, precision)
    launches = [op.operation for op in ops_where(module, lambda op: _is_launch(op.operation, level))]
    assert len(launches) >= 5
    assert all(SEMANTICS in op.attributes for op in launches if op.name != "tfmbs.kernel_copy")
    found = {part.number: part for op in launches for part in all_semantics(op)}
    # Whatever became part of a launch is still known: the sums are those of the network as it was imported.
    assert sum(part.flops for part in found.values()) == network(cnn())["flops"]
    assert sum(part.bytes for part in found.values()) == network(cnn())["bytes"]
    assert sorted(found) == list(range(12))


def _is_launch(op: Any, level: str) -> bool:
    if level == "kernel":
        return op.name in LAUNCHES
    return op.name == "linalg.generic" or isinstance(op.opview, PRODUCTS) or op.name == "tfmbs.pool"


def stats(image: Image, **inputs: np.ndarray) -> Stats:
    context = Program(image).context()
    context.run(inputs)
    assert context.stats is not None
    return context.stats


def image_of(model: onnx.ModelProto) -> Image:
    return Compilation.of(model, Options()).image()


def test_the_binary_says_it_launch_by_launch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, known = image_of(cnn()), network(cnn())
    rows = [
        (r["descriptor"], r["number"], image.strings[r["phase"]], image.strings[r["pattern"]]) for r in image.semantics
    ]
    backbone = "convolution_backbone"
    assert [row[:2] for row in rows[:8]] == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5), (2, 6), (2, 7)]
    assert [row[3] for row in rows[:8]] == [backbone, "", "", backbone, "", "", backbone, "residual_block"]
    assert {row[2] for row in rows} == {"vision"}
    assert sum(row["flops"] for row in image.semantics) == known["flops"]
    main = image.meta["semantics"]["main"]
    assert main == {
        "phase": "vision",
        "modality": "image",
        "flops": known["flops"],
        "bytes": known["bytes"],
        "inputs": {"x": {"residency": "ephemeral activation", "modality": "image"}},
    }
    image.save(tmp_path / "cnn.tfb")
    assert objdump([str(tmp_path / "cnn.tfb"), "--section", "SEMANTICS"]) == 0
    listing = capsys.readouterr().out
    assert '.semantics descriptor=%2 number=7 phase="vision" pattern="residual_block" flops=768 bytes=9216' in listing
    assert bytes(assemble(disassemble(image), "cnn.s").to_bytes()) == bytes(image.to_bytes())


def test_compiling_twice_gives_the_same_bytes() -> None:
    first, second = (write(Compilation.of(transformer_block(8, 32, 4), Options()).container()) for _ in range(2))
    assert first == second


def test_stats_have_what_each_launch_is_for() -> None:
    counted, known = stats(image_of(cnn()), x=example(cnn())), network(cnn())
    third = counted.launches[2]
    assert (third.phase, third.pattern) == ("vision", "convolution_backbone+residual_block")
    assert third.flops == 19200 + 768
    assert third.intensity == third.flops / third.bytes
    assert sum(launch.flops for launch in counted.launches) == known["flops"]
    assert sum(launch.bytes for launch in counted.launches) == known["bytes"]
    row = counted.to_json()["launches"][2]
    assert (row["phase"], row["pattern"], row["flops"], row["bytes"]) == (
        third.phase, third.pattern, third.flops, third.bytes,
    )  # fmt: skip


def test_an_op_of_several_launches_counts_once() -> None:
    model = build([node("Softmax", "x", "y", axis=-1)], (5, 7))
    image = image_of(model)
    assert len(image.descriptors) > 1
    assert [row["number"] for row in image.semantics] == [0] * len(image.descriptors)
    counted = stats(image, x=np.ones((5, 7), np.float32))
    assert [launch.flops for launch in counted.launches] == [5 * 35, *[0] * (len(image.descriptors) - 1)]


def test_siblings_in_one_launch_are_all_named() -> None:
    nodes = [node("MatMul", "x v", "a"), node("MatMul", "x w", "b"), node("Concat", "a b", "y", axis=1)]
    image = image_of(build(nodes, (1, 8), v=weights(1, 8, 3), w=weights(2, 8, 5)))
    assert sorted(row["flops"] for row in image.semantics if row["descriptor"] == 0) == [2 * 8 * 3, 2 * 8 * 5]


def test_files_without_it_load_and_run() -> None:
    """As files from before do: nothing is known of their launches."""
    image = image_of(cnn())
    bare = assemble(disassemble(image), "cnn.s")
    bare.semantics = []
    loaded = Image.from_buffer(bare.to_bytes())
    assert loaded.semantics == []
    x = example(cnn())
    first = stats(loaded, x=x).launches[0]
    assert (first.phase, first.pattern, first.flops, first.bytes, first.intensity) == ("", "", 0, 0, 0.0)
    outputs = [Program(one).run({"x": x})["y"].tobytes() for one in (image, loaded)]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"descriptor": 99}, "SEMANTICS[1].descriptor"),
        ({"pattern": 999}, "SEMANTICS[1].pattern"),
        ({"phase": 999}, "SEMANTICS[1].phase"),
        ({"number": 0}, "op of the launch, expected each once, got 0"),
    ],
)
def test_bad_rows_are_refused(change: dict[str, int], message: str) -> None:
    image = assemble(disassemble(image_of(cnn())), "cnn.s")
    image.semantics = [image.semantics[0], image.semantics[1] | change]
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(image.to_bytes())
    assert message in str(caught.value)


def test_rows_come_by_launch() -> None:
    image = assemble(disassemble(image_of(cnn())), "cnn.s")
    image.semantics = image.semantics[::-1]
    with pytest.raises(TfmbsError, match="order, expected at least"):
        Image.from_buffer(image.to_bytes())


def test_without_a_cost_there_is_no_intensity() -> None:
    assert Semantics(0, "attention").intensity == 0.0


@pytest.mark.parametrize("make", [cnn, lambda: transformer_block(8, 32, 4)])
def test_annotations_change_nothing_of_what_runs(
    make: Callable[[], onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> None:
    annotated = image_of(make())
    monkeypatch.setattr(TfmbsAnnotate, "run", lambda self, module: None)
    plain = image_of(make())
    assert annotated.semantics
    assert not plain.semantics
    assert "semantics" not in plain.meta
    # Strings are numbered by their first use: those of annotations come last.
    assert annotated.strings[: len(plain.strings)] == plain.strings
    told = ("semantics", "meta", "strings", "file")
    assert all(getattr(annotated, f.name) == getattr(plain, f.name) for f in fields(Image) if f.name not in told)
