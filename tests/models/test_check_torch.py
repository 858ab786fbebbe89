"""tfmbs-check of exported PyTorch programs: all problems at once, by layers and lines of the user's code."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from tests.models.test_check import ROOT, validate
from tfmbs.compiler.check.checker import Check, check
from tfmbs.compiler.compilation import Options
from tfmbs.tools.check import main


def exported(module: nn.Module, *inputs: Any, **options: Any) -> torch.export.ExportedProgram:
    return torch.export.export(module, inputs, strict=False, **options)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop = nn.Linear(8, 8), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.first(x))
        spectrum = torch.fft.rfft(y)
        return torch.special.bessel_j0(y) + spectrum.abs().std()


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Block(), Block()

    def forward(self, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        bits = image.to(torch.uint8)
        high, low = bits[:2], bits[2:]
        return self.a(x) + self.b(x), torch.cat([high, low]).to(torch.int32)


def line_of(text: str) -> int:
    lines, start = inspect.getsourcelines(Block)
    return start + next(number for number, line in enumerate(lines) if text in line)


@pytest.fixture(scope="module")
def refused() -> Check:
    program = exported(Network(), torch.zeros(3, 8), torch.zeros(4, dtype=torch.uint8))
    return check(program, Options(), "m")


def test_all_problems_are_listed_at_once_by_layer(refused: Check) -> None:
    assert [(p.where, p.nodes) for p in refused.problems] == [
        ("input 'image'", []),
        ("node 'a.drop' (aten.dropout.default)", ["a.drop", "b.drop"]),
        ("node 'a.fft_rfft' (aten.fft_rfft.default)", ["a.fft_rfft", "b.fft_rfft_1"]),
        ("node 'a.special_bessel_j0' (aten.special_bessel_j0.default)",
         ["a.special_bessel_j0", "b.special_bessel_j0_1"]),
        ("node 'a.abs_1' (aten.abs.default)", ["a.abs_1", "b.abs_2"]),
    ]  # fmt: skip
    assert all("element type" in refused.problems[i].message for i in (0, 2, 4))
    assert refused.problems[1].helps == [
        "call eval() of the module before torch.export.export: the op is random in training only"
    ]


def test_problems_name_lines_of_the_code(refused: Check) -> None:
    sources = {problem.op: [(s.node, s.value, s.line) for s in problem.sources] for problem in refused.problems}
    line = line_of("bessel_j0")
    assert sources["aten.special_bessel_j0.default"] == [
        ("a.special_bessel_j0", "special_bessel_j0", line), ("b.special_bessel_j0_1", "special_bessel_j0_1", line),
    ]  # fmt: skip
    assert all(Path(s.file) == Path(__file__) for problem in refused.problems for s in problem.sources)


def test_what_runs_where_of_the_other_nodes(refused: Check) -> None:
    kernels = {name: work.kernel for work in refused.work for name in work.nodes}
    assert kernels["a.first"] == kernels["b.first"] == "gemm"
    assert kernels["a.std"] == "vector"
    # Of unsigned numbers inside: they are converted in their places of the concatenation, which is no copy then.
    assert [work.kernel for work in refused.work if work.nodes == ("cat",)] == ["vector"]
    assert kernels["to_1"] == "vector"
    assert all(work.alone for work in refused.work)


def test_a_decomposed_node_keeps_its_name() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.logsumexp(self.inner(x).add_(1), -1)

    result = check(exported(Two(), torch.zeros(3, 8)), Options())
    assert result.supported
    nodes = {name for work in result.work for name in work.nodes}
    assert nodes == {"inner", "add_", "logsumexp"}
    assert result.free == []


def test_a_type_that_would_help() -> None:
    class Wide(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.nn.functional.interpolate(x, scale_factor=1.5, mode="bicubic")

    narrow, wide = (
        check(exported(Wide(), torch.zeros(1, 1, 4, 4, dtype=d)), Options()) for d in (torch.float32, torch.float64)
    )
    assert narrow.supported
    assert wide.supported or wide.problems[0].helps == ["elements of type float (32 bits)"]


def test_inputs_that_are_written() -> None:
    class Writing(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x.add_(1) + y.mul_(2)

    result = check(exported(Writing(), torch.zeros(2), torch.zeros(2)), Options())
    assert [p.where for p in result.problems] == ["input 'x'", "input 'y'"]
    assert result.problems[0].message == "an input that the module writes, expected buffers for state"


def test_calibration_is_tried_with_samples_of_the_nodes_own_inputs() -> None:
    result = check(exported(nn.Linear(8, 4), torch.zeros(3, 8)), Options(precision="int8"))
    assert [p.helps for p in result.problems] == [["--calibrate DATA.npz, samples of the inputs", "--precision fp32"]]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((ROOT / "docs" / "tfmbs-check.schema.json").read_text())

    class Bessel(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x.relu())

    for name, module, code in (("good", nn.Linear(8, 4), 0), ("bad", Bessel(), 1)):
        path = tmp_path / f"{name}.pt2"
        torch.export.save(exported(module, torch.zeros(3, 8)), path)
        assert main([str(path), "--json", "-"]) == code
        value = json.loads(capsys.readouterr().out)
        validate(value, schema)
        assert value["supported"] == (code == 0)
    (problem,) = value["problems"]
    assert problem["sources"][0]["file"] == __file__
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert "1. node 'special_bessel_j0' (aten.special_bessel_j0.default): failed to legalize" in out
    assert f"\n   {__file__}:" in out


def test_sizes_that_are_not_fixed_are_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x @ y

    rows, inner = Dim("rows"), Dim("inner")
    shapes = ({0: rows, 1: inner}, {0: inner})
    path = tmp_path / "m.pt2"
    torch.export.save(exported(Product(), torch.zeros(3, 4), torch.zeros(4, 5), dynamic_shapes=shapes), path)
    assert main([str(path)]) == 1
    assert "export without dynamic_shapes, got 'x' axis 0, 1; 'y' axis 0" in capsys.readouterr().err
