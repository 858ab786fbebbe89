"""Refusal of vector code that works on element types which the target's vector engine does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.passes.fabric.sources import Sources
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.target import VECTOR_TYPES, Target


def check_types(
    op: Any, words: Sequence[bytes], places: Sequence[Mapping[str, int]], sources: Sources, target: Target
) -> None:
    """Raises TfmbsError naming the first operation of another type; `places` are those of `words`, by slot."""
    has = target.vector.types
    if len(has) == len(VECTOR_TYPES):
        return
    for word, numbers in zip(words, places, strict=True):
        for slot in decode_word(word, "word").slots:
            for dtype in slot.types:
                if dtype.name.lower() not in has:
                    where = sources.place(numbers.get(slot.op.slot, -1)) or place(op.location)
                    what = f"{op.name}: element type of vector code for {target.name}"
                    raise TfmbsError("unsupported", where, what, "/".join(has), dtype.name.lower())
