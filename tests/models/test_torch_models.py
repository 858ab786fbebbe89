"""PyTorch models compile through every entrance and compute what torch computes."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tfmbs
from examples.models.catalogue import MODELS
from tests.models.torch_agreement import assert_agrees, run
from tfmbs.compiler.api import lower
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.compile import main


@pytest.mark.parametrize("name", MODELS)
def test_a_reference_model_computes_what_torch_computes(name: str) -> None:
    module, inputs = MODELS[name].build(MODELS[name].SMALL)
    assert_agrees(tfmbs.compile(module, example_inputs=inputs), module, inputs)


def test_exported_programs_files_and_the_tool_give_the_same_binary(tmp_path: Path) -> None:
    module, inputs = MODELS["mobilenet_v2"].build(MODELS["mobilenet_v2"].SMALL)
    exported = torch.export.export(module, inputs)
    file, binary = tmp_path / "model.pt2", tmp_path / "model.tfb"
    torch.export.save(exported, file)
    assert main([str(file), "-o", str(binary)]) == 0
    expected = tfmbs.compile(module, example_inputs=inputs).image.to_bytes()
    assert tfmbs.compile(exported).image.to_bytes() == expected
    assert binary.read_bytes() == expected
    assert tfmbs.compile(file).image.to_bytes() == expected


def test_layers_are_called_after_their_modules() -> None:
    module, inputs = MODELS["bert"].build(MODELS["bert"].SMALL)
    image = tfmbs.compile(module, example_inputs=inputs).image
    layers = {image.strings[row["layer"]] for row in image.telemetry}
    assert {"layers.0.attention.query", "layers.1.down", "pooler"} <= layers
    places = {image.strings[row["location"]] for row in image.debug}
    assert "layers.1.attention.output" in places


class Tied(nn.Module):
    """An embedding that is the output layer as well, and a parameter under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.head(self.embedding(ids))
        return out


def test_parameters_are_not_copied_and_tied_ones_are_stored_once() -> None:
    module, inputs = Tied().eval(), (torch.tensor([[3, 1, 49]]),)
    torch_level = lower(module, "torch", example_inputs=inputs)
    literals = ops_where(torch_level, lambda op: op.operation.name == "torch.vtensor.literal")
    arrays = [read_elements(op.operation.attributes["value"]) for op in literals]
    addresses = {array.ctypes.data for array in arrays if array.size == 800}
    assert addresses == {module.embedding.weight.data_ptr()}
    program = tfmbs.compile(module, example_inputs=inputs)
    assert_agrees(program, module, inputs)
    assert 3200 <= len(program.image.weights) < 2 * 3200


class Ports(nn.Module):
    """Keyword-like inputs, several outputs under names, one of them an input, one twice."""

    def forward(self, x: Tensor, more: list[Tensor]) -> dict[str, Any]:
        total = x + more[0] * more[1]
        return {"total": total, "again": total, "same": x, "pair": (x - 1, x.sum())}


def test_inputs_and_outputs_have_the_names_of_the_signature() -> None:
    inputs = (torch.randn(2, 3), [torch.randn(2, 3), torch.randn(3)])
    program = tfmbs.compile(Ports(), example_inputs=inputs)
    assert [argument.name for argument in program.inputs] == ["x", "more_0", "more_1"]
    outputs = run(program, (inputs[0], *inputs[1]))
    assert list(outputs) == ["total", "again", "same", "pair_0", "pair_1"]
    expected = Ports()(*inputs)
    np.testing.assert_array_equal(outputs["same"], inputs[0].numpy())
    np.testing.assert_allclose(outputs["again"], expected["again"].numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(outputs["pair_1"], expected["pair"][1].numpy(), rtol=1e-5, atol=1e-6)


def test_several_entry_points_share_the_weights() -> None:
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU()).eval()
    entries = {"one": (torch.randn(1, 64),), "many": (torch.randn(5, 64),)}
    program = tfmbs.compile(module, example_inputs=entries)
    assert [entry.name for entry in program.entries] == ["one", "many"]
    assert len(program.image.weights) < 2 * 64 * 64 * 4
    for name, inputs in entries.items():
        got = program.run({"input": inputs[0].numpy()}, entry=name)
        np.testing.assert_allclose(got["output"], module(*inputs).detach().numpy(), rtol=1e-5, atol=1e-6)


ELEMENTS = (
    torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32,
    torch.float64, torch.bfloat16,
)  # fmt: skip


class Constant(nn.Module):
    """Chooses between the input and a buffer of its type."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x == 1, x, self.get_buffer("value"))


@pytest.mark.parametrize("dtype", ELEMENTS, ids=str)
def test_elements_of_every_type_come_through(dtype: torch.dtype) -> None:
    value, x = (torch.arange(n, n + 40).remainder(2 if dtype is torch.bool else 100).to(dtype) for n in (90, 0))
    module = Constant(value)
    program = tfmbs.compile(module, example_inputs=(x,))
    ours = run(program, (x,))["output"]
    expected = module(x)
    assert ours.tobytes() == expected.contiguous().view(torch.uint8).numpy().tobytes()


class Writes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.add_(1)


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Random(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Bytes(nn.Module):
    """Makes bytes of integers, moves them, and goes on with integers."""

    def forward(self, x: Tensor) -> Tensor:
        moved = torch.cat([x.to(torch.uint8).reshape(2, 3).permute(1, 0)[1:], x.to(torch.uint8)[:2].unsqueeze(0)])
        return moved.expand(3, 2).clone().to(torch.int32)


class Work(nn.Module):
    """One op on bytes."""

    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._work = work

    def forward(self, x: Tensor) -> Tensor:
        return self._work(x).to(torch.int32)


def test_bytes_are_moved() -> None:
    x = torch.tensor([3, 255, 256, -1, 128, 700])
    ours = run(tfmbs.compile(Bytes(), example_inputs=(x,)), (x,))["output"]
    assert ours.tobytes() == Bytes()(x).contiguous().numpy().tobytes()


@pytest.mark.parametrize(
    "work",
    [
        lambda x: torch.maximum(x.to(torch.uint8), x.to(torch.uint8)),
        lambda x: x.to(torch.uint8) >> 1,
        lambda x: x.to(torch.uint8).sum(),
        lambda x: x.to(torch.float32).to(torch.uint8),
    ],
)
def test_work_on_bytes_is_refused(work: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(TfmbsError, match=r"a signed integer or bool, got torch\.uint8"):
        tfmbs.compile(Work(work), example_inputs=(torch.arange(4),))


X = torch.ones(2)

REFUSED: dict[str, tuple[Any, Any, str, str]] = {
    "written input": (Writes(), (X,), "torch.unsupported", "model: input 'x'"),
    "branch on a value": (Branches(), (X,), "torch.export", "model"),
    "no example": (nn.ReLU(), None, "usage", "model"),
    "example of a program": (torch.export.export(nn.ReLU(), (X,)), (X,), "usage", "model"),
    "not a module": (X, (X,), "unsupported", "model"),
    "random": (Random(), (X,), "torch.unsupported", "model: rand_like (aten.rand_like)"),
    "unsigned": (nn.Identity(), (torch.ones(2, dtype=torch.uint8),), "torch.unsupported", "model: input 'input'"),
    "complex": (nn.Identity(), (torch.ones(2, dtype=torch.complex64),), "torch.unsupported", "model: input 'input'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_compile_is_refused_by_name(case: str) -> None:
    model, inputs, code, where = REFUSED[case]
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(model, example_inputs=inputs)
    assert (caught.value.code, caught.value.location) == (code, where)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.bin"])
def test_pickles_are_refused_unread(name: str, tmp_path: Path) -> None:
    with pytest.raises(TfmbsError, match="a pickle can run any code") as caught:
        tfmbs.compile(tmp_path / name)
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive"])
def test_files_that_hold_no_program_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.pt2"
    file.write_bytes(content)
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(file)
    assert caught.value.code == "torch.parse"


class Payload:
    """Unpickling it creates a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


@pytest.mark.parametrize("member", ["data/sample_inputs/model.pt", "data/constants/custom_obj_0"])
def test_nothing_in_a_file_is_run(member: str, tmp_path: Path) -> None:
    good, bad, traces = tmp_path / "good.pt2", tmp_path / "bad.pt2", tmp_path / "traces"
    torch.export.save(torch.export.export(nn.ReLU(), (X,)), good)
    payload = io.BytesIO()
    torch.save(Payload(traces), payload)
    replaced = False
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        root = source.namelist()[0].partition("/")[0]
        for name in source.namelist():
            replaced |= name == f"{root}/{member}"
            target.writestr(name, payload.getvalue() if name == f"{root}/{member}" else source.read(name))
        if not replaced:
            target.writestr(f"{root}/{member}", payload.getvalue())
    assert tfmbs.compile(good)
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(bad)
    assert caught.value.code == "torch.parse"
    assert not traces.exists()


def crafted(folder: Path, old: str, new: str) -> Path:
    """A saved program in whose JSON `old` became `new`, once."""
    good, bad = folder / "good.pt2", folder / "bad.pt2"
    torch.export.save(torch.export.export(nn.ReLU(), (X,)), good)
    changed = 0
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/models/model.json"):
                changed = content.count(old.encode())
                content = content.replace(old.encode(), new.encode())
            target.writestr(name, content)
    assert changed
    return bad


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('{"as_int": 2}', '{"as_expr": {"expr_str": "CODE", "hint": null}}', "torch.unsupported"),
        ('"guards_code": []', '"guards_code": ["CODE"]', "torch.unsupported"),
        ('"input"', '"input=CODE"', "torch.parse"),
        ("torch.ops.aten.relu.default", "torch.os.system", "torch.parse"),
        ("builtins.tuple", "collections.defaultdict", "torch.parse"),
    ],
    ids=["size", "guard", "name", "target", "container"],
)
def test_no_string_in_a_file_is_evaluated(old: str, new: str, code: str, tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    call = f"__import__('pathlib').Path('{traces}').touch()"
    file = crafted(tmp_path, old, new.replace("CODE", call))
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(file)
    assert caught.value.code == code
    assert not traces.exists()


def test_a_weight_and_its_transpose_are_two_constants() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weight = torch.arange(9.0).reshape(3, 3)
            self.register_buffer("weight", weight)
            self.register_buffer("turned", weight.t())

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.get_buffer("weight") + 10 * (x @ self.get_buffer("turned"))

    module, x = Both(), torch.tensor([[1.0, 2.0, 4.0]])
    assert_agrees(tfmbs.compile(module, example_inputs=(x,)), module, (x,))


def test_a_row_hidden_by_a_float_mask_is_zero() -> None:
    class Attention(nn.Module):
        def forward(self, q: Tensor, mask: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(q, q, q, mask)

    mask = torch.tensor([[0.0, -math.inf, 1.0], [-math.inf] * 3, [0.5, 0.0, -2.0]])
    module, inputs = Attention(), (torch.randn(1, 2, 3, 4), mask)
    program = tfmbs.compile(module, example_inputs=inputs)
    assert_agrees(program, module, inputs)
    assert not run(program, inputs)["output"][:, :, 1].any()


def test_outputs_of_one_name_are_refused_with_both_places() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> dict[str, object]:
            return {"a_b": x + 1, "a": {"b": x + 2}}

    with pytest.raises(TfmbsError, match=r"\['a_b'\] and \['a'\]\['b'\]") as caught:
        tfmbs.compile(Twice(), example_inputs=(X,))
    assert caught.value.code == "torch.unsupported"


def test_an_error_of_decompositions_is_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no rule")

    exported = torch.export.export(nn.ReLU(), (X,))
    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", fail)
    with pytest.raises(TfmbsError, match="no rule") as caught:
        tfmbs.compile(exported)
    assert caught.value.code == "torch.unsupported"
