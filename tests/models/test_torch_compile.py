"""`torch.compile` with this backend: the values, types and side effects are torch's."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfmbs
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.torch import backend

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The modules that were compiled."""
    torch.compiler.reset()
    seen: list[object] = []
    original = tfmbs.compile

    def counted(model: object, **options: Any) -> object:
        seen.append(model)
        return original(model, **options)

    monkeypatch.setattr(tfmbs, "compile", counted)
    yield seen
    torch.compiler.reset()


class Broken(nn.Module):
    """A branch on a value breaks the graph in two; batch normalization has buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y = self.norm(self.linear(x)).relu()
        y = y + 1 if y.sum() > 1e-3 else y - 1
        return nn.functional.gelu(y), {"columns": y.sum(0)}


def assert_same(ours: tuple[Tensor, dict[str, Tensor]], theirs: tuple[Tensor, dict[str, Tensor]]) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_graph_breaks_give_programs_of_their_own_which_are_kept(compilations: list[object]) -> None:
    module = Broken().eval()
    compiled = torch.compile(module, backend=backend)
    with torch.no_grad():
        for _ in range(3):
            x = torch.randn(4, 8)
            assert_same(compiled(x), module(x))
        assert len(compilations) == 2
        for rows in (5, 6, 5, 6, 4):  # other sizes: once each, whatever dynamo makes of them
            x = torch.randn(rows, 8)
            assert_same(compiled(x), module(x))
        assert len(compilations) <= 8


def test_parameters_that_are_written_later_are_read_again(compilations: list[object]) -> None:
    module = nn.Linear(8, 8).eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(2, 8)
    with torch.no_grad():
        for _ in range(4):
            torch.testing.assert_close(compiled(x), module(x), rtol=1e-5, atol=1e-5)
            module.weight.mul_(2)
    assert len(compilations) == 2  # from the second time on the weight is an ordinary input


def test_writes_that_torch_does_not_count_are_seen(compilations: list[object]) -> None:
    module = nn.Linear(8, 8).eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(2, 8)
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(compiled(x), module(x), rtol=1e-5, atol=1e-5)
            module.weight.data.mul_(3)
    assert len(compilations) == 2


def test_a_module_made_in_inference_mode_runs(compilations: list[object]) -> None:
    with torch.inference_mode():
        module = nn.Linear(8, 8).eval()
        compiled = torch.compile(module, backend=backend)
        for _ in range(2):
            x = torch.randn(2, 8)
            torch.testing.assert_close(compiled(x), module(x), rtol=1e-5, atol=1e-5)
    assert compilations


# Dynamo looks for gradients of what passes a graph break.
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_gradients_and_running_statistics_are_those_of_torch(compilations: list[object]) -> None:
    module = Broken().train()
    twin = copy.deepcopy(module)
    x = torch.randn(4, 8)
    compiled = torch.compile(twin, backend=backend)
    for model in (module, compiled):
        model(x)[0].square().sum().backward()
    assert compilations
    for (name, ours), theirs in zip(twin.named_parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4, msg=name)
    for (name, one), two in zip(twin.named_buffers(), module.buffers(), strict=True):
        torch.testing.assert_close(one, two, msg=name)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.bool], ids=str)
def test_the_element_type_is_kept(dtype: torch.dtype, compilations: list[object]) -> None:
    def choose(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x > y, x, y), x == y

    x, y = ((torch.randn(3, 5) * 4).to(dtype) for _ in range(2))
    for ours, theirs in zip(torch.compile(choose, backend=backend)(x, y), choose(x, y), strict=True):
        assert (ours.dtype, ours.device) == (theirs.dtype, theirs.device)
        assert torch.equal(ours, theirs)
    assert len(compilations) == 1


def test_inputs_are_written_as_by_torch(compilations: list[object]) -> None:
    def write(x: Tensor) -> Tensor:
        x.mul_(2)
        return x[0].add_(1)

    x = torch.randn(2, 3)
    twin = x.clone()
    torch.testing.assert_close(torch.compile(write, backend=backend)(x), write(twin))
    torch.testing.assert_close(x, twin)
    assert compilations


def test_what_is_refused_is_an_error_of_ours() -> None:
    torch.compiler.reset()
    with pytest.raises(TfmbsError, match="a random op has no fixed result"):
        torch.compile(lambda x: x + torch.rand_like(x), backend=backend)(torch.zeros(3))


def test_the_backend_has_a_name_once_the_package_is_installed(tmp_path: Path) -> None:
    """With the entry points of pyproject.toml as an installation writes them."""
    tomli = pytest.importorskip("tomli")
    groups = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    folder = tmp_path / "tfmbs_names-0.0.0.dist-info"
    folder.mkdir()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups.items()]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tfmbs-names\nVersion: 0.0.0\n")
    code = "import torch\nf = torch.compile(lambda x: x * 2, backend='tfmbs')\nprint(f(torch.ones(3)).tolist())"
    paths = [str(tmp_path), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[2.0, 2.0, 2.0]\n", done.stderr
