"""Buffers that a module writes are state of the program: kept between runs, updated in place, as torch does it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tfmbs
from examples.models.catalogue import DECODERS, MODELS
from examples.models.greedy import greedy, program_step, torch_step
from tests.models.torch_agreement import TOLERANCE, as_array, distance
from tfmbs.runtime.abi.types import Region


@pytest.mark.parametrize("name", DECODERS)
def test_prefill_and_cached_decode_give_the_greedy_text_of_torch(name: str) -> None:
    config = MODELS[name].SMALL
    module, steps = MODELS[name].build_cached(config)
    program = tfmbs.compile(module, example_inputs=steps)
    prompt, count = steps["prefill"][0], config.cache - config.tokens
    context = program.context()
    ours, logits = greedy(program_step(context), prompt, count)
    theirs, expected = greedy(torch_step(module), prompt, count)
    assert ours == theirs
    assert distance(logits, expected) <= TOLERANCE
    context.reset()
    assert np.array_equal(greedy(program_step(context), prompt, count)[1], logits)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decode_step_does_not_copy_its_cache(name: str) -> None:
    module, steps = MODELS[name].build_cached(MODELS[name].SMALL)
    image = tfmbs.compile(module, example_inputs={"decode": steps["decode"]}).image
    caches = [buffer for buffer in module.buffers() if buffer.dim() == 4]
    assert [row["bytes"] for row in image.states] == [4 * cache.numel() for cache in caches]
    scratch = [tensor for tensor in image.tensors if tensor["region"] == Region.SCRATCH]
    assert max(tensor["bytes"] for tensor in scratch) < 4 * caches[0].numel()


def contexts_agree(module: nn.Module, runs: list[Tensor]) -> None:
    """A context gives what the module gives, run by run, and again after a reset."""
    program = tfmbs.compile(module, example_inputs=(runs[0],))
    context = program.context()
    name = program.inputs[0].name
    with torch.no_grad():
        expected = [as_array(module(x)).copy() for x in runs]
    for _ in range(2):
        for x, values in zip(runs, expected, strict=True):
            np.testing.assert_allclose(context.run({name: x.numpy()})["output"], values, rtol=1e-5, atol=1e-5)
        context.reset()


def test_running_statistics_start_from_what_the_module_has() -> None:
    module = nn.BatchNorm1d(4, affine=False).train()
    program = tfmbs.compile(module, example_inputs=(torch.zeros(3, 4),))
    names = {program.image.strings[row["name"]] for row in program.image.states}
    assert {"running_mean", "running_var", "running_var.started"} <= names

    class Statistics(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4, affine=False).train()

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            assert self.norm.running_var is not None
            return y + self.norm.running_var

    contexts_agree(Statistics(), [torch.randn(3, 4) for _ in range(4)])


class Swap(nn.Module):
    """Two buffers that change places while their old contents are still returned."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.zeros(20))
        self.register_buffer("two", torch.arange(20.0))

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.get_buffer("one").clone(), self.get_buffer("two").clone()
        self.get_buffer("one").copy_(two)
        self.get_buffer("two").copy_(one + 0 * x)
        return one * 100 + two


class Old(nn.Module):
    """Returns a buffer as it was before part of it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log", torch.zeros(4, 20))

    def forward(self, x: Tensor) -> Tensor:
        before = self.get_buffer("log").clone()
        self.get_buffer("log")[1:3] = x
        self.get_buffer("log").add_(1)
        return before


@pytest.mark.parametrize("kind", [Swap, Old])
def test_old_contents_are_read_before_they_are_overwritten(kind: type[nn.Module]) -> None:
    contexts_agree(kind(), [torch.full((20,), float(n)) for n in range(3)])
