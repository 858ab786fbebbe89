"""What low precision costs the digits CNN: mean accuracy of 5-fold cross-validation, beside onnxruntime.

    python -m benchmarks.quantized_digits [--folds N]

Each fold trains the network of `examples.digits` on four fifths of the images, compiles it at each precision,
calibrated on images of those four fifths, and runs the others on the emulator. Exits with 1 where a bound of `BOUNDS`
does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import tfmbs
from examples.digits import data
from examples.digits.train import RECIPES, accuracy, train

CALIBRATION_IMAGES = 256
SEED = 0


@dataclass(frozen=True)
class Case:
    """A row of the table: which network, at which precision, and with which knobs."""

    name: str
    precision: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool = True
    network: str = "cnn"


CASES = (
    Case("fp32", "fp32", calibrated=False),
    Case("bf16", "bf16", calibrated=False),
    Case("int8", "int8"),
    Case("int4, nearest", "int4"),
    Case("int4, GPTQ", "int4", {"rounding": "gptq"}),
    Case("int4, GPTQ, bf16 activations", "int4", {"rounding": "gptq", "activations": "bf16"}),
    Case("ternary afterwards, nearest", "ternary"),
    Case("ternary afterwards, GPTQ", "ternary", {"rounding": "gptq"}),
    Case("ternary afterwards, GPTQ, groups of 32", "ternary", {"rounding": "gptq", "group_size": 32}),
    Case("ternary, trained", "ternary", calibrated=False, network="cnn_ternary"),
    Case("ternary, trained, int8 activations", "ternary", network="cnn_ternary"),
)
BOUNDS = {"int8": 0.3, "int4, GPTQ": 0.5, "ternary, trained": 1.0, "ternary, trained, int8 activations": 1.0}
"""Points of accuracy that a row may lose to fp32."""


class Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """The calibration images one by one, for onnxruntime's quantizer."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        self._feeds = iter([{"input": image[None]} for image in images])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next feed, None at the end."""
        return next(self._feeds, None)


def ours(model: onnx.ModelProto, case: Case, samples: NDArray[np.float32], unseen: data.Digits) -> float:
    """Fraction of unseen images that the compiled network classifies right on the emulator."""
    calibration = [{"input": image[None]} for image in samples] if case.calibrated else None
    program = tfmbs.compile(
        model, precision=case.precision, calibration=calibration, quantization=case.knobs, dims={"batch": 1}
    )
    found = [program.run({"input": image[None]})["logits"].argmax() for image in unseen.images]
    return float(np.mean(np.array(found) == unseen.labels))


def onnxruntime_int8(model: onnx.ModelProto, samples: NDArray[np.float32], unseen: data.Digits) -> float:
    """The accuracy of onnxruntime's own static quantization: int8 by channel, activations by their range."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            Images(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return accuracy(onnx.load(target), unseen)


def rows_of_fold(seen: data.Digits, unseen: data.Digits) -> dict[str, float]:
    """The accuracy of each row, by its name."""
    models = {name: train(RECIPES[name], seen) for name in {case.network for case in CASES}}
    samples = seen.images[np.random.default_rng(SEED).permutation(len(seen))[:CALIBRATION_IMAGES]]
    peers: dict[str, Callable[[], float]] = {
        "onnxruntime fp32": lambda: accuracy(models["cnn"], unseen),
        "onnxruntime int8": lambda: onnxruntime_int8(models["cnn"], samples, unseen),
    }
    found = {case.name: ours(models[case.network], case, samples, unseen) for case in CASES}
    return {**found, **{name: peer() for name, peer in peers.items()}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 0 if every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5, help="how many folds (default: %(default)s)")
    count = parser.parse_args(arguments).folds
    folds = [rows_of_fold(seen, unseen) for seen, unseen in data.folds(count)]
    means = {name: 100 * float(np.mean([fold[name] for fold in folds])) for name in folds[0]}
    print(f"digits CNN, mean accuracy of {count} folds, %\n")
    for name, mean in means.items():
        bound = f"  (at most −{BOUNDS[name]})" if name in BOUNDS else ""
        print(f"{name:<42}{mean:7.2f}{mean - means['fp32']:+7.2f}{bound}")
    return int(any(means["fp32"] - means[name] > bound for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
