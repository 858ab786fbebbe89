"""The reference models by name: each module has `FULL` and `SMALL` configurations and `build(config)`."""

from __future__ import annotations

from types import ModuleType

from examples.models import bert, dlrm, gpt2, llama, mobilenet_v2, resnet18, vit

MODELS: dict[str, ModuleType] = {
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
    "bert": bert,
    "gpt2": gpt2,
    "llama": llama,
    "vit": vit,
    "dlrm": dlrm,
}

DECODERS = ("gpt2", "llama")
"""Those that also have `build_cached(config)`: a prefill and a decode step that share a cache."""
