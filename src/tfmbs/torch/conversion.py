"""Making layers with ternary weights of those of an existing module tree."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from torch import nn

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.torch.layers import BitLinear, TernaryConv2d, TernaryLayer, TernaryLinear

M = TypeVar("M", bound=nn.Module)

KINDS: dict[str, dict[type[nn.Module], type[TernaryLayer]]] = {
    "ternary": {nn.Linear: TernaryLinear, nn.Conv2d: TernaryConv2d},
    "bitnet": {nn.Linear: BitLinear},
}
"""What layers become: by the kind that `convert` is asked for, torch's own class → ours."""


def convert(
    module: M,
    kind: Literal["ternary", "bitnet"] = "ternary",
    *,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> M:
    """Makes the linear layers and convolutions of a tree train with ternary weights, and returns the tree.

    The tree is changed in place: layers keep their parameters, hooks and ties, and what an optimizer refers to. Only
    layers of exactly torch's classes are taken, not those of classes derived from them.

    Args:
        module: the tree; it may be a layer itself, whose path is "".
        kind: "ternary": `TernaryLinear` and `TernaryConv2d`; "bitnet": `BitLinear`.
        include, exclude: patterns of paths (`layers.*.attention.*`, as of `fnmatch`); a layer is converted if one of
            `include` matches it and none of `exclude` does.

    Raises:
        TfmbsError: ``usage``, an unknown kind, a pattern that matches no module, or nothing to convert.
    """
    if kind not in KINDS:
        raise TfmbsError("usage", "convert", "kind", " or ".join(KINDS), kind)
    modules = dict(module.named_modules(remove_duplicate=False))
    for pattern in (*include, *exclude):
        if not any(fnmatchcase(path, pattern) for path in modules):
            raise TfmbsError("usage", "convert", "pattern", "one that matches the path of a module", pattern)
    chosen = [
        layer
        for path, layer in modules.items()
        if type(layer) in KINDS[kind] and _matches(path, include) and not _matches(path, exclude)
    ]
    if not chosen:
        names = " or ".join(source.__name__ for source in KINDS[kind])
        raise TfmbsError("usage", "convert", "layers to convert", names, "none that the patterns choose")
    for layer in chosen:
        if type(layer) in KINDS[kind]:  # a layer that is there twice has been converted at its first place
            layer.__class__ = KINDS[kind][type(layer)]
    return module


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
