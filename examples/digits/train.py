"""Trains the networks on the training part of `data.split` and writes each as NAME.onnx.

    python -m examples.digits.train [--only NAME] [--folds N] [--output DIR]

With --folds N it prints the N-fold cross-validation accuracy instead and writes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from examples.digits import data, export, networks
from tfmbs.torch import TernaryLayer

HERE = Path(__file__).parent
BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """How one network is trained, and how its ONNX graph is built."""

    network: type[nn.Module]
    to_onnx: Callable[[export.Parameters], onnx.ModelProto]
    epochs: int
    learning_rate: float


RECIPES = {
    "cnn": Recipe(networks.Cnn, export.cnn, epochs=60, learning_rate=3e-3),
    "cnn_ternary": Recipe(networks.TernaryCnn, export.cnn, epochs=60, learning_rate=6e-3),
    "mlp_ternary": Recipe(networks.TernaryMlp, export.ternary_mlp, epochs=200, learning_rate=4e-3),
}


def train(recipe: Recipe, digits: data.Digits, seed: int = data.SEED) -> onnx.ModelProto:
    """Trains with Adam, a cosine schedule and shifts by up to one pixel; the same seed gives the same model."""
    torch.set_num_threads(1)  # the networks are too small to share, and one thread has one order of summation
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    network = recipe.network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(network(_shifted(images[rows])), labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return recipe.to_onnx(_parameters(network))


def _shifted(images: Tensor) -> Tensor:
    """The batch moved by -1, 0 or 1 pixel in each direction, zeros moving in."""
    dy, dx = (int(v) for v in torch.randint(0, 3, (2,)))
    return functional.pad(images, (1, 1, 1, 1))[:, :, dy : dy + 8, dx : dx + 8]


def _parameters(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Weights and biases by name, as the network computes with them: those of a ternary layer are ternarized."""
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    for name, module in network.named_modules():
        if isinstance(module, TernaryLayer):
            parameters[f"{name}.weight"] = module.rounded_weight()
    return {name: value.numpy() for name, value in parameters.items()}


def accuracy(model: onnx.ModelProto, digits: data.Digits) -> float:
    """Fraction of images that onnxruntime classifies right."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rank = len(session.get_inputs()[0].shape)
    images = digits.images if rank == digits.images.ndim else digits.images.reshape(len(digits), -1)
    (logits,) = session.run(None, {"input": images})
    return float(np.mean(logits.argmax(axis=1) == digits.labels))


def cross_validate(recipe: Recipe, count: int) -> list[tuple[onnx.ModelProto, data.Digits]]:
    """One model per fold, with the images it has not seen."""
    return [(train(recipe, seen), unseen) for seen, unseen in data.folds(count)]


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=RECIPES, help="train one of the networks")
    parser.add_argument("--folds", type=int, help="cross-validate with so many folds; write nothing")
    parser.add_argument("--output", type=Path, default=HERE, help="where the .onnx files go")
    options = parser.parse_args()
    names = [options.only] if options.only else list(RECIPES)
    if options.folds:
        for name in names:
            scores = [accuracy(model, unseen) for model, unseen in cross_validate(RECIPES[name], options.folds)]
            print(f"{name}: {np.mean(scores):.2%} in the mean of {options.folds} folds")
        return
    seen, held_out = data.split()
    for name in names:
        model = train(RECIPES[name], seen)
        path = options.output / f"{name}.onnx"
        onnx.save(model, path)
        print(
            f"{path}: {accuracy(model, held_out):.2%} of {len(held_out)} held-out digits, {path.stat().st_size} bytes"
        )


if __name__ == "__main__":
    main()
