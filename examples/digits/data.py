"""The digit images of scikit-learn (8x8, 1797 of them), scaled to [0, 1], and the one way they are split.

`split` is the train/held-out split of every script and test: stratified by label, 20 % held out, seed 0. The committed
models have seen only its training part. `folds` is the cross-validation split, over all images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

SEED = 0
HELD_OUT = 0.2


@dataclass(frozen=True)
class Digits:
    """Images, f32 of shape (n, 1, 8, 8) in [0, 1], and their labels, i64 of shape (n,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[Any]) -> Digits:
        """The images and labels of the given rows."""
        return Digits(self.images[rows], self.labels[rows])


def load() -> Digits:
    """All 1797 images; the files are part of scikit-learn."""
    raw = load_digits()
    images = (raw.images.astype(np.float32) / np.float32(16)).reshape(-1, 1, 8, 8)
    return Digits(images, raw.target.astype(np.int64))


def split() -> tuple[Digits, Digits]:
    """(training images, held-out images): 1437 and 360."""
    digits = load()
    rows = np.arange(len(digits))
    train, held_out = train_test_split(rows, test_size=HELD_OUT, random_state=SEED, stratify=digits.labels)
    return digits.take(train), digits.take(held_out)


def folds(count: int) -> list[tuple[Digits, Digits]]:
    """(training images, test images) of each fold of a stratified cross-validation; the test parts cover all images."""
    digits = load()
    splitter = StratifiedKFold(n_splits=count, shuffle=True, random_state=SEED)
    return [(digits.take(train), digits.take(test)) for train, test in splitter.split(digits.images, digits.labels)]
