"""Decoders from files of weights: GGUF, and safetensors with a ``config.json`` in the same folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfmbs.compiler.importers.decoder.builder import DecoderBuilder
from tfmbs.compiler.importers.decoder.entries import entries_of
from tfmbs.compiler.importers.decoder.names import GGUF, HUGGING_FACE, Names
from tfmbs.compiler.importers.decoder.tensors import Tensors
from tfmbs.runtime.abi.target_file import load_target


def _gguf(path: Path) -> Tensors:
    from tfmbs.compiler.importers.gguf.file import open_gguf
    from tfmbs.compiler.importers.gguf.metadata import config_of

    file = open_gguf(path)
    return Tensors(file, Names(GGUF), config_of(file))


def _safetensors(path: Path) -> Tensors:
    from tfmbs.compiler.importers.decoder.hugging_face import read_config
    from tfmbs.compiler.importers.safetensors_file import open_safetensors

    return Tensors(open_safetensors(path), Names(HUGGING_FACE), read_config(path.with_name("config.json")))


READERS: dict[str, Callable[[Path], Tensors]] = {".gguf": _gguf, ".safetensors": _safetensors}
"""What reads a file of weights, by its suffix."""


def import_decoder(
    path: Path, *, dims: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], target: str, context: Any
) -> Any:
    """The decoder of a file of weights as a module at torch level; trits are packed for the target, a name or a file.

    Raises:
        TfmbsError: codes ``gguf.*``, ``safetensors.parse``, ``decoder``, ``unsupported``, ``usage``, ``io``.
    """
    tensors = READERS[path.suffix](path)
    tensors.check()
    return DecoderBuilder(tensors, load_target(target)).module(entries_of(dims, entries, tensors.config), context)
