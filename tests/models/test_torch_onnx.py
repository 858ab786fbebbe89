"""A model that reaches us through `torch.onnx.export` gives what the direct path gives."""

from __future__ import annotations

import pytest
import torch

import tfmbs
from examples.models.catalogue import MODELS
from tests.models.torch_agreement import TOLERANCE, distance, run

pytest.importorskip("onnxscript", reason="torch.onnx.export needs it")


# Torch's exporter calls what torch and onnxscript have deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", MODELS)
def test_the_exported_model_gives_the_same_result(name: str) -> None:
    module, inputs = MODELS[name].build(MODELS[name].SMALL)
    exported = torch.onnx.export(module, inputs, dynamo=True, verbose=False)
    assert exported is not None
    direct = run(tfmbs.compile(module, example_inputs=inputs), inputs)
    by_onnx = run(tfmbs.compile(exported.model_proto), inputs)
    for ours, theirs in zip(by_onnx.values(), direct.values(), strict=True):
        assert distance(ours, theirs) <= TOLERANCE
