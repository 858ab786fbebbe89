"""A model that reaches us through `torch.onnx.export` gives what the direct path gives."""

from __future__ import annotations

import warnings

import pytest
import torch

import tfmbs
from examples.models.catalogue import DECODERS, MODELS
from examples.models.greedy import greedy, torch_step
from examples.models.onnx_path import export, onnx_step
from tests.models.torch_agreement import TOLERANCE, distance, run

pytest.importorskip("onnxscript", reason="torch.onnx.export needs it")


@pytest.mark.parametrize("name", MODELS)
def test_the_exported_model_gives_the_same_result(name: str) -> None:
    module, inputs = MODELS[name].build(MODELS[name].SMALL)
    direct = run(tfmbs.compile(module, example_inputs=inputs), inputs)
    by_onnx = run(tfmbs.compile(export(module, inputs)), inputs)
    for ours, theirs in zip(by_onnx.values(), direct.values(), strict=True):
        assert distance(ours, theirs) <= TOLERANCE


def test_a_decoder_whose_length_is_a_run_time_size() -> None:
    """Its causal mask depends on the length: it is computed by the run, not a constant of each size."""
    module, (ids,) = MODELS["gpt2"].build(MODELS["gpt2"].SMALL)
    length = torch.export.Dim("length", min=2, max=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(module.eval(), (ids,), dynamo=True, verbose=False, dynamic_shapes=({1: length},))
    assert exported is not None
    (name,) = (dim.dim_param for dim in exported.model_proto.graph.input[0].type.tensor_type.shape.dim if dim.dim_param)
    program = tfmbs.compile(exported.model_proto, dims={name: (2, 40)})
    for tokens in (2, 9, 33, 40):
        ids = torch.randint(0, 90, (1, tokens), generator=torch.Generator().manual_seed(tokens))
        (ours,) = program(ids.numpy()).values()
        with torch.no_grad():
            assert distance(ours, module(ids).numpy()) <= TOLERANCE


@pytest.mark.parametrize("name", DECODERS)
def test_exported_steps_that_hand_on_a_cache_give_the_text_of_torch(name: str) -> None:
    module, steps = MODELS[name].build_cached(MODELS[name].SMALL)
    ours, logits = greedy(onnx_step(module, steps), steps["prefill"][0], 12)
    theirs, expected = greedy(torch_step(module), steps["prefill"][0], 12)
    assert ours == theirs
    assert distance(logits, expected) <= TOLERANCE
