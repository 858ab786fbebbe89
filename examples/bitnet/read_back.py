"""The numpy decoder of a GGUF file, read by the gguf package; trits are kept as bytes, the embedding as int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, quants
from gguf.constants import GGMLQuantizationType

from examples.bitnet.arithmetic import F32, F, grouped_product, ternary_product
from examples.bitnet.model_file import Geometry
from examples.bitnet.reference import Decoder, Shape

Kind = GGMLQuantizationType
_LUT = ((np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3).astype(np.int8) - np.int8(1)


def reference_of(path: Path, geometry: Geometry, cache: int) -> Decoder:
    """The decoder of a file of `geometry`, whose products are TQ2_0 and whose embedding is Q8_0."""
    tensors = {tensor.name.removesuffix(".weight"): tensor for tensor in GGUFReader(path).tensors}
    products = {name: trits_of(tensor) for name, tensor in tensors.items() if tensor.tensor_type == Kind.TQ2_0}
    vectors = {name: np.array(tensor.data) for name, tensor in tensors.items() if tensor.tensor_type == Kind.F32}
    rows = tensors["token_embd"].data
    shape = Shape(
        geometry.layers,
        geometry.heads,
        geometry.groups,
        geometry.width // geometry.heads,
        cache,
        theta=geometry.extra.get(f"{geometry.architecture}.rope.freq_base", 10000.0),
    )

    def row(token: int) -> F32:
        return quants.dequantize(np.array(rows[token : token + 1]), Kind.Q8_0)[0]

    head = groups_of(rows)

    def multiply(x: F32, name: str) -> F32:
        return ternary_product(x, *products[name])

    return Decoder(shape, multiply, row, vectors.__getitem__, lambda x: grouped_product(x, *head))


def trits_of(tensor: Any) -> tuple[Any, F32]:
    """Trits (rows, columns) of TQ2_0, and the scale of each row; every block has the same."""
    blocks = np.asarray(tensor.data).reshape(len(tensor.data), -1, 66)
    codes = _LUT[blocks[..., :64]].reshape(len(blocks), -1, 2, 32, 4)  # two runs of 32 bytes, lowest fields first
    trits = np.ascontiguousarray(codes.swapaxes(-1, -2)).reshape(len(blocks), -1)
    scales = np.ascontiguousarray(blocks[..., 64:]).view(np.float16).astype(F)[..., 0]
    assert (scales == scales[:1, :1]).all()
    return trits, scales[:, 0]


def groups_of(rows: Any) -> tuple[Any, F32]:
    """Rows of Q8_0 as groups (count, 32, rows) of i8, and their scales (count, rows)."""
    blocks = np.asarray(rows).reshape(len(rows), -1, 34)
    scales = np.ascontiguousarray(np.ascontiguousarray(blocks[..., :2]).view(np.float16)[..., 0].T).astype(F)
    return np.ascontiguousarray(np.moveaxis(blocks[..., 2:].view(np.int8), 0, -1)), scales
