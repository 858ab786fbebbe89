"""Entry points of a decoder, from the sizes that a compilation is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmbs.compiler.importers.decoder.config import Config, Sizes
from tfmbs.runtime.abi.errors import TfmbsError

DECODE = "decode"
_NAMES = ("tokens", "cache")


def entries_of(dims: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], config: Config) -> dict[str, Sizes]:
    """Sizes by entry point; without any, `decode` with one token. The cache is min(512, context) where none is given.

    Raises:
        TfmbsError: ``usage``, a dimension that a decoder does not have, or sizes that do not fit each other.
    """
    found = {name: _sizes({**dims, **own}, config) for name, own in (entries or {DECODE: {}}).items()}
    caches = {sizes.cache for sizes in found.values()}
    if len(caches) > 1:
        raise TfmbsError("usage", "dims", "cache of entry points that share it", "one size", sorted(caches))
    return found


def _sizes(dims: Mapping[str, Any], config: Config) -> Sizes:
    for name, size in dims.items():
        if name not in _NAMES:
            raise TfmbsError("usage", "dims", f"dimension '{name}'", " or ".join(_NAMES), name)
        if not isinstance(size, int) or size < 1:
            raise TfmbsError("usage", "dims", f"size of '{name}'", "a number of at least 1", size)
    sizes = Sizes(dims.get("tokens", 1), dims.get("cache", min(Sizes().cache, config.context)))
    if not sizes.tokens <= sizes.cache <= config.context:
        expected = f"tokens ≤ cache ≤ {config.context}, the model's context"
        raise TfmbsError("usage", "dims", "sizes", expected, f"{sizes.tokens} and {sizes.cache}")
    return sizes
