"""The decoder that a Hugging Face ``config.json`` describes: model types llama and bitnet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmbs.compiler.importers.decoder.config import RELU2, SILU, Config
from tfmbs.runtime.abi.errors import TfmbsError

MODEL_TYPES: dict[str, dict[str, Any]] = {"llama": {}, "bitnet": {"sub_norms": True, "ternary": True}}
ACTIVATIONS = {"silu": SILU, "relu2": RELU2}
_REFUSED = ("attention_bias", "mlp_bias", "quantization_config", "sliding_window")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class _Keys:
    where: str
    values: dict[str, Any]

    def number(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.values.get(key)
        value = default if value is None else value
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or isinstance(value, bool):
            raise self.error(key, "a whole number" if kind is int else "a number", value)
        return value

    def error(self, key: str, expected: object, got: object) -> TfmbsError:
        return TfmbsError("decoder", f"{self.where}: {key}", "value", expected, "nothing" if got is None else got)


def read_config(path: Path) -> Config:
    """The decoder of a ``config.json``.

    Raises:
        TfmbsError: ``io``; ``decoder`` for text that is no object, and for a key that is missing or not mapped.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        values = json.loads(text) if len(text) <= _MOST_BYTES else None
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the sizes of the decoder", got=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise TfmbsError("decoder", path, "the file is no JSON", got=error) from error
    if not isinstance(values, dict):
        raise TfmbsError("decoder", path, "sizes of the decoder", f"a JSON object of at most {_MOST_BYTES} bytes")
    config = _config(_Keys(str(path), values))
    config.check(str(path))
    return config


def _config(keys: _Keys) -> Config:
    kind, activation = keys.values.get("model_type"), keys.values.get("hidden_act")
    if not isinstance(kind, str) or kind not in MODEL_TYPES:
        raise keys.error("model_type", " or ".join(MODEL_TYPES), kind)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise keys.error("hidden_act", " or ".join(ACTIVATIONS), activation)
    for key in _REFUSED:
        if keys.values.get(key):
            raise keys.error(key, "no such key, or false", keys.values[key])
    heads, width = keys.number("num_attention_heads", int), keys.number("hidden_size", int)
    if heads < 1:
        raise keys.error("num_attention_heads", "at least 1", heads)
    head_width = keys.number("head_dim", int, width // heads)
    return Config(
        vocabulary=keys.number("vocab_size", int),
        width=width,
        layers=keys.number("num_hidden_layers", int),
        inner=keys.number("intermediate_size", int),
        heads=heads,
        groups=keys.number("num_key_value_heads", int, heads),
        head_width=head_width,
        rotary=head_width,
        context=keys.number("max_position_embeddings", int),
        theta=float(keys.number("rope_theta", float, 10000.0)),
        frequency_scale=1 / _factor(keys),
        epsilon=keys.number("rms_norm_eps", float),
        activation=ACTIVATIONS[activation],
        **MODEL_TYPES[kind],
    )


def _factor(keys: _Keys) -> float:
    """By what positions are divided: linear scaling."""
    scaling = keys.values.get("rope_scaling")
    if scaling is None:
        return 1.0
    kind = scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, dict) else scaling
    factor = scaling.get("factor") if isinstance(scaling, dict) else None
    if kind != "linear" or not isinstance(factor, int | float) or isinstance(factor, bool) or not factor > 0:
        raise keys.error("rope_scaling", "null, or linear with a positive factor", scaling)
    return float(factor)
