"""GGUF files of decoders with random weights, written by the gguf package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

Kind = GGMLQuantizationType
Bytes = npt.NDArray[Any]


@dataclass(frozen=True)
class Geometry:
    """Sizes of a decoder; `kind` is the type of its products, `table` that of its embedding, which is the head too."""

    architecture: str = "bitnet-b1.58"
    width: int = 256
    inner: int = 512
    layers: int = 2
    heads: int = 4
    groups: int = 2
    vocabulary: int = 97
    context: int = 128
    kind: GGMLQuantizationType = Kind.TQ2_0
    table: GGMLQuantizationType = Kind.Q8_0
    scale: float = 0.0625
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ternary(self) -> bool:
        """Whether products are of trits."""
        return self.architecture.startswith("bitnet")

    @property
    def ternary_weights(self) -> int:
        """How many trits there are."""
        shapes = (shape for name, shape in self.shapes() if name.startswith("blk.") and len(shape) == 2)
        return sum(rows * columns for rows, columns in shapes)

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, in the file's order."""
        width, inner, shared = self.width, self.inner, self.width // self.heads * self.groups
        yield "token_embd", (self.vocabulary, width)
        yield "output_norm", (width,)
        for layer in range(self.layers):
            norms = {"attn_norm": width, "ffn_norm": width}
            if self.ternary:
                norms |= {"attn_sub_norm": width, "ffn_sub_norm": inner}
            yield from ((f"blk.{layer}.{name}", (size,)) for name, size in norms.items())
            queries = {"attn_q": (width, width), "attn_k": (shared, width), "attn_v": (shared, width)}
            others = {"attn_output": (width, width), "ffn_gate": (inner, width), "ffn_up": (inner, width)}
            products = {**queries, **others, "ffn_down": (width, inner)}
            yield from ((f"blk.{layer}.{name}", shape) for name, shape in products.items())


def write_model(path: Path, geometry: Geometry, seed: int = 0) -> None:
    """Writes the file. Equal seeds give equal files."""
    writer, rng = GGUFWriter(path, geometry.architecture), np.random.default_rng(seed)
    writer.add_context_length(geometry.context)
    writer.add_embedding_length(geometry.width)
    writer.add_block_count(geometry.layers)
    writer.add_feed_forward_length(geometry.inner)
    writer.add_head_count(geometry.heads)
    writer.add_head_count_kv(geometry.groups)
    writer.add_layer_norm_rms_eps(1e-5)
    for key, value in geometry.extra.items():
        {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)](key, value)
    for name, shape in geometry.shapes():
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", (1 + 0.1 * rng.standard_normal(shape)).astype(np.float32))
            continue
        kind = geometry.table if name == "token_embd" else geometry.kind
        rows = _rows(shape, kind, geometry.scale if name != "token_embd" else 0.02, rng)
        is_float = kind in (Kind.F32, Kind.F16)
        writer.add_tensor(f"{name}.weight", rows, raw_dtype=None if is_float else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _rows(shape: tuple[int, ...], kind: GGMLQuantizationType, scale: float, rng: Any) -> Bytes:
    """Random rows of a type: ternary ones uniform trits of one scale, K types random blocks, others normal."""
    if kind is Kind.TQ2_0:
        return _ternary_blocks(shape, scale, rng)
    if kind is Kind.TQ1_0:
        return quants.quantize(rng.integers(-1, 2, shape).astype(np.float32) * np.float32(scale), kind)
    if kind in (Kind.Q4_K, Kind.Q6_K):
        block, size = GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (shape[0] * shape[1] // block, size), dtype=np.uint8)
        small = np.full((len(blocks), 2), scale / 64, np.float16).view(np.uint8)
        places = [size - 2] if kind is Kind.Q6_K else [0, 2]
        for place in places:
            blocks[:, place : place + 2] = small[:, :2]
        return blocks.reshape(shape[0], -1)
    parts = np.array_split(np.arange(shape[0]), -(-shape[0] // 4096))
    drawn = (rng.standard_normal((len(part), shape[1]), dtype=np.float32) * np.float32(scale) for part in parts)
    return np.concatenate([quants.quantize(part, kind) for part in drawn])


def _ternary_blocks(shape: tuple[int, ...], scale: float, rng: Any) -> Bytes:
    """TQ2_0: 64 bytes of four codes 0…2, and the scale as f16."""
    codes = np.array([a | b << 2 | c << 4 | d << 6 for a, b, c, d in product(range(3), repeat=4)])
    count = shape[0] * shape[1] // 256
    blocks = np.empty((count, 66), np.uint8)
    blocks[:, :64] = codes.astype(np.uint8)[rng.integers(0, len(codes), (count, 64), dtype=np.uint8)]
    blocks[:, 64:] = np.full((count, 1), scale, np.float16).view(np.uint8)
    return blocks.reshape(shape[0], -1)
