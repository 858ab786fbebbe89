"""A DLRM-style recommender (Naumov et al., "Deep learning recommendation model", 2019): 26 tables, 13 dense values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Layers of the two networks, and the tables; a feature names `hot` rows of its table, whose sum is taken."""

    dense: int = 13
    bottom: tuple[int, ...] = (512, 256, 64)
    tables: int = 26
    rows: int = 10_000
    hot: int = 2
    top: tuple[int, ...] = (512, 256)
    batch: int = 8


FULL = Config()
SMALL = Config(bottom=(16, 8), tables=3, rows=50, top=(16,), batch=4)


def network(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers, each with ReLU."""
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers)


class Dlrm(nn.Module):
    """Products of all pairs of embeddings, beside the dense features, give the probability of a click."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.bottom[-1]
        vectors = config.tables + 1
        self.bottom = network((config.dense, *config.bottom))
        self.tables = nn.ModuleList(nn.Embedding(config.rows, width) for _ in range(config.tables))
        pairs = torch.tril_indices(vectors, vectors, -1)
        self.register_buffer("pairs", pairs[0] * vectors + pairs[1], persistent=False)
        self.top = network((width + vectors * (vectors - 1) // 2, *config.top))
        self.click = nn.Linear(config.top[-1], 1)

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        """Dense (n, 13) f32, sparse (n, tables, hot) i64 rows -> probabilities (n, 1)."""
        x = self.bottom(dense)
        looked_up = [table(sparse[:, index]).sum(1) for index, table in enumerate(self.tables)]
        vectors = torch.stack([x, *looked_up], dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2)).flatten(1)
        scale = x.shape[1] ** -0.5
        features = torch.cat([x, products.index_select(1, self.get_buffer("pairs")) * scale], dim=1)
        return torch.sigmoid(self.click(self.top(features)))


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and example inputs."""
    draw = generator()
    dense = torch.randn(config.batch, config.dense, generator=draw)
    sparse = torch.randint(config.rows, (config.batch, config.tables, config.hot), generator=draw)
    return seeded(lambda: Dlrm(config)), (dense, sparse)
