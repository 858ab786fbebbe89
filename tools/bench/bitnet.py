"""The geometry of BitNet b1.58 2B with random trits, from a GGUF file, as `tfmbs-compile` compiles it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import tfmbs
from tfmbs.tools.bench.checkout import example
from tfmbs.tools.bench.problem import Array

PREFILL = 512
DECODED = 64
"""Positions of the cache behind the prompt."""

POSITION = 1
"""Of the token whose step is measured: numpy takes seconds for each, and a step attends to the whole cache."""


@dataclass(frozen=True)
class Decoder:
    """The mapped program, a prompt, and numpy's logits of its tokens up to `POSITION`."""

    program: tfmbs.Program
    prompt: Array
    logits: list[Array]

    def step(self, position: int) -> dict[str, Array]:
        """Inputs of ``decode``: the prompt's token at a position."""
        return {"tokens": self.prompt[position : position + 1], "start": np.array([position])}

    def whole(self) -> dict[str, Array]:
        """Inputs of ``prefill``: the prompt."""
        return {"tokens": self.prompt, "start": np.array([0])}

    def stepwise(self) -> Array:
        """Logits of the last token of the prompt, by steps of one token."""
        context = self.program.context(threads=len(os.sched_getaffinity(0)))
        for position in range(len(self.prompt)):
            logits = context.run(self.step(position), "decode")["logits"]
        return logits


@lru_cache(maxsize=1)
def decoder(size: str) -> Decoder:
    """Written, compiled, saved and loaded again. FULL or SMALL."""
    file = example("bitnet.model_file")
    geometry, tokens = (example("bitnet.geometry_2b").FULL, PREFILL) if size == "FULL" else (file.Geometry(), 8)
    prompt = np.random.default_rng(0).integers(0, geometry.vocabulary, tokens)
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "model.gguf", Path(folder) / "model.tfb"
        file.write_model(source, geometry)
        cache = tokens + DECODED
        dims: dict[str, Any] = {"cache": cache, "prefill": {"tokens": tokens}, "decode": {"tokens": 1}}
        tfmbs.compile(str(source), dims=dims).save(binary)
        reference = example("bitnet.read_back").reference_of(source, geometry, cache)
        logits = [reference.step(int(token)) for token in prompt[: POSITION + 1]]
        return Decoder(tfmbs.load(binary), prompt, logits)  # the file stays mapped
