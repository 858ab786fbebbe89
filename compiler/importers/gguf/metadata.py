"""The decoder that the metadata of a GGUF file describes: architectures llama and bitnet (b1.58)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.importers.decoder.config import RELU2, SILU, Config
from tfmbs.compiler.importers.decoder.names import GGUF, Names
from tfmbs.compiler.importers.gguf.file import GgufFile
from tfmbs.compiler.importers.gguf.header import Array
from tfmbs.runtime.abi.errors import TfmbsError

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"interleaved": True},
    "bitnet": {"sub_norms": True, "ternary": True, "activation": SILU},
    "bitnet-b1.58": {"sub_norms": True, "ternary": True, "activation": RELU2},
}
"""What an architecture chooses: llama.cpp's converter turns rows of llama's q and k into pairs, those of bitnet not."""

_REFUSED = ("expert_count", "attention.sliding_window", "attention.clamp_kqv", "logit_scale", "residual_scale")
_SCALINGS = ("none", "linear")


@dataclass(frozen=True)
class _Keys:
    """The keys of one architecture of a file."""

    file: GgufFile
    architecture: str

    def number(self, key: str, kind: type, default: Any = None) -> Any:
        """The number of a key below the architecture's name; an array of equal ones counts as one."""
        full = f"{self.architecture}.{key}"
        value = self.file.metadata.get(full, default)
        if isinstance(value, Array) and value.values and len(set(value.values)) == 1:
            value = value.values[0]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or isinstance(value, bool):
            raise self.error(full, "value", "a whole number" if kind is int else "a number", value)
        return value

    def refuse(self, keys: tuple[str, ...]) -> None:
        """Raises where one of the keys says something else than nothing."""
        for key in keys:
            if value := self.file.metadata.get(f"{self.architecture}.{key}"):
                raise self.error(f"{self.architecture}.{key}", "value", "0 or no such key", value)

    def error(self, key: str, what: str, expected: object, got: object) -> TfmbsError:
        """The error about a key."""
        return TfmbsError(
            "gguf.unsupported", f"{self.file.name}: {key}", what, expected, "nothing" if got is None else got
        )


def config_of(file: GgufFile) -> Config:
    """The decoder of a file.

    Raises:
        TfmbsError: ``gguf.unsupported``, an architecture or key that is not mapped, or a key that is missing;
            ``decoder`` for sizes that fit no decoder.
    """
    architecture = file.metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        where = f"{file.name}: general.architecture"
        raise TfmbsError("gguf.unsupported", where, "architecture", ", ".join(ARCHITECTURES), architecture)
    keys = _Keys(file, architecture)
    keys.refuse(_REFUSED)
    embedding = Names(GGUF).of("embedding")
    if embedding not in file.tensors:
        raise TfmbsError("decoder", f"{file.name}: tensor '{embedding}'", "tensor of the decoder", "a table", "none")
    width, heads = keys.number("embedding_length", int), keys.number("attention.head_count", int)
    if heads < 1:
        raise keys.error(f"{architecture}.attention.head_count", "value", "at least 1", heads)
    head_width = keys.number("attention.key_length", int, width // heads)
    if keys.number("attention.value_length", int, head_width) != head_width:
        raise keys.error(f"{architecture}.attention.value_length", "value", head_width, "another")
    config = Config(
        vocabulary=file.shape(embedding)[0],
        width=width,
        layers=keys.number("block_count", int),
        inner=keys.number("feed_forward_length", int),
        heads=heads,
        groups=keys.number("attention.head_count_kv", int, heads),
        head_width=head_width,
        rotary=keys.number("rope.dimension_count", int, head_width),
        context=keys.number("context_length", int),
        theta=float(keys.number("rope.freq_base", float, 10000.0)),
        frequency_scale=1 / _factor(keys),
        epsilon=keys.number("attention.layer_norm_rms_epsilon", float),
        **ARCHITECTURES[architecture],
    )
    config.check(file.name)
    return config


def _factor(keys: _Keys) -> float:
    """By what positions are divided: linear scaling (Chen et al., 2023)."""
    kind = keys.file.metadata.get(f"{keys.architecture}.rope.scaling.type", "none")
    if kind not in _SCALINGS:
        raise keys.error(f"{keys.architecture}.rope.scaling.type", "value", " or ".join(_SCALINGS), kind)
    factor = float(keys.number("rope.scaling.factor", float, 1.0)) if kind == "linear" else 1.0
    if not factor > 0:
        raise keys.error(f"{keys.architecture}.rope.scaling.factor", "value", "a positive number", factor)
    return factor
