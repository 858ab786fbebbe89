"""The reference models are what their pages say: published sizes, seeded weights, a cache that changes nothing."""

import pytest
import torch

from examples.models import gpt2
from examples.models.catalogue import DECODERS, MODELS

# Parameters of the published models (torchvision for the first two, transformers for bert and gpt2, timm for vit).
PUBLISHED = {
    "resnet18": 11_689_512,
    "mobilenet_v2": 3_504_872,
    "bert": 109_482_240,
    "gpt2": 124_439_808,
    "vit": 86_567_656,
}

_CLASSES = {
    "resnet18": "ResNet", "mobilenet_v2": "MobileNetV2", "bert": "Bert", "gpt2": "Gpt2", "vit": "VisionTransformer",
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_full_model_has_the_published_number_of_parameters(name: str) -> None:
    model = MODELS[name]
    with torch.device("meta"):
        module = getattr(model, _CLASSES[name])(model.FULL)
    assert sum(parameter.numel() for parameter in module.parameters()) == PUBLISHED[name]


@pytest.mark.parametrize("name", MODELS)
def test_weights_and_outputs_are_reproducible_and_well_scaled(name: str) -> None:
    (first, inputs), (second, _) = (MODELS[name].build(MODELS[name].SMALL) for _ in range(2))
    outputs, again = (_outputs(module(*inputs)) for module in (first, second))
    for a, b in zip(outputs, again, strict=True):
        assert torch.equal(a, b)
        assert 1e-2 < a.abs().max() < 1e3
        assert a.std() > 1e-2


@pytest.mark.parametrize("name", DECODERS)
def test_the_cached_steps_compute_what_the_plain_model_does(name: str) -> None:
    model, steps = MODELS[name].build_cached(MODELS[name].SMALL)
    ids, start = steps["prefill"]
    more = torch.tensor([[5, 1, 7]])
    whole = model(torch.cat([ids, more], dim=1))
    cached = [model(ids, start)]
    cached += [model(more[:, i : i + 1], start + ids.shape[1] + i) for i in range(3)]
    torch.testing.assert_close(torch.cat(cached, dim=1), whole)


def test_greedy_text_of_gpt2_is_varied() -> None:
    model, steps = gpt2.build_cached(gpt2.SMALL)
    ids, start = steps["prefill"]
    token, position, text = model(ids, start)[0, -1].argmax(), ids.shape[1], []
    for _ in range(gpt2.SMALL.cache - ids.shape[1]):
        text.append(int(token))
        token = model(token.view(1, 1), torch.tensor([position]))[0, -1].argmax()
        position += 1
    assert len(set(text)) >= 20


def _outputs(value: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)
