"""Decoders from files of weights: GGUF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmbs.compiler.importers.decoder.builder import DecoderBuilder
from tfmbs.compiler.importers.decoder.entries import entries_of
from tfmbs.compiler.importers.decoder.names import GGUF, Names
from tfmbs.compiler.importers.decoder.tensors import Tensors
from tfmbs.compiler.importers.gguf.file import open_gguf
from tfmbs.compiler.importers.gguf.metadata import config_of
from tfmbs.runtime.abi.target_file import load_target


def import_gguf(
    path: Path, *, dims: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], target: str, context: Any
) -> Any:
    """The decoder of a GGUF file as a module at torch level; trits are packed for the target, a name or a file.

    Raises:
        TfmbsError: codes ``gguf.*``, ``decoder``, ``usage``, ``io``.
    """
    file = open_gguf(path)
    config = config_of(file)
    tensors = Tensors(file, Names(GGUF), config)
    tensors.check()
    return DecoderBuilder(tensors, load_target(target)).module(entries_of(dims, entries, config), context)
