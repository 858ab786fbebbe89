"""What the tensors of a decoder are called: one table for GGUF, one for Hugging Face's safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GGUF: Mapping[str, str] = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "frequencies": "rope_freqs.weight",
    "attention_norm": "blk.{}.attn_norm.weight",
    "q": "blk.{}.attn_q.weight",
    "k": "blk.{}.attn_k.weight",
    "v": "blk.{}.attn_v.weight",
    "o": "blk.{}.attn_output.weight",
    "attention_sub_norm": "blk.{}.attn_sub_norm.weight",
    "ffn_norm": "blk.{}.ffn_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
    "ffn_sub_norm": "blk.{}.ffn_sub_norm.weight",
}

HUGGING_FACE: Mapping[str, str] = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "q": "model.layers.{}.self_attn.q_proj.weight",
    "k": "model.layers.{}.self_attn.k_proj.weight",
    "v": "model.layers.{}.self_attn.v_proj.weight",
    "o": "model.layers.{}.self_attn.o_proj.weight",
    "attention_sub_norm": "model.layers.{}.self_attn.attn_sub_norm.weight",
    "ffn_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
    "ffn_sub_norm": "model.layers.{}.mlp.ffn_sub_norm.weight",
}

OPTIONAL = frozenset({"head", "frequencies"})
SUB_NORMS = frozenset({"attention_sub_norm", "ffn_sub_norm"})
PRODUCTS = ("q", "k", "v", "o", "gate", "up", "down")
SCALE = ".scale"
"""Instead of ``.weight``: one number that a product of a BitNet file is multiplied by."""


@dataclass(frozen=True)
class Names:
    """The names of one of the tables."""

    table: Mapping[str, str]

    def of(self, role: str, layer: int | None = None) -> str:
        """The name of a tensor; `layer` counts from 0."""
        return self.table[role].format(layer)

    def scale(self, role: str, layer: int) -> str:
        """The name of the number that the product of a tensor is multiplied by."""
        return self.of(role, layer).removesuffix(".weight") + SCALE

    def all(self, layers: int, sub_norms: bool) -> dict[str, tuple[str, int | None]]:
        """Role and layer by name, of all tensors that a decoder may have."""
        roles = [role for role in self.table if sub_norms or role not in SUB_NORMS]
        found: dict[str, tuple[str, int | None]] = {}
        for role in roles:
            numbers = range(layers) if "{}" in self.table[role] else (None,)
            found |= {self.of(role, layer): (role, layer) for layer in numbers}
        return found
