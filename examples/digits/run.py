"""Compiles the digit networks, runs every held-out digit on the emulator and through linalg, and prints a table.

    python -m examples.digits.run        (what `make run` does)

Exits with 1 if the emulator's bytes differ from those of the exact linalg interpretation of the same compilation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import tfmbs
from examples.digits import data
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference

HERE = Path(__file__).parent
OUT = HERE / "out"
TARGET = "kpu-16x16"
CALIBRATION_IMAGES = 128
# Network, precision, calibrated or not. Calibrated, ternary weights meet int8 activations; otherwise f32 ones.
CASES = (
    ("cnn", "fp32", False),
    ("cnn", "int8", True),
    ("cnn", "ternary", False),
    ("cnn_ternary", "ternary", False),
    ("cnn_ternary", "ternary", True),
    ("mlp_ternary", "fp32", False),
    ("mlp_ternary", "ternary", False),
    ("mlp_ternary", "ternary", True),
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One line of the table. `difference` is max|ours - onnxruntime| / max|onnxruntime|."""

    network: str
    precision: str
    accuracy: float
    onnxruntime_accuracy: float
    agreement: float
    difference: float
    same_bytes: bool
    size: int
    compile_seconds: float
    run_seconds: float

    def cells(self) -> tuple[str, ...]:
        """What stands below each of `TITLES`."""
        return (
            self.network,
            self.precision,
            f"{self.accuracy:.2%}",
            f"{self.onnxruntime_accuracy:.2%}",
            f"{self.agreement:.2%}",
            f"{self.difference:.1e}",
            "same" if self.same_bytes else "DIFFER",
            f"{self.size:,}",
            f"{self.compile_seconds:.2f} s",
            f"{self.run_seconds * 1e6:.0f} us",
        )


TITLES = (
    "network", "precision", "accuracy", "onnxruntime", "agreement", "max diff", "linalg bytes", ".tfb bytes", "compile",
    "run/digit",
)  # fmt: skip


def line(cells: tuple[str, ...]) -> str:
    """The cells below their titles, the first two to the left."""
    widths = (12, 12, *(len(title) + 2 for title in TITLES[2:]))
    padded = [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))]
    return "".join(padded)


def inputs_of(model: Path, digits: data.Digits) -> list[dict[str, Floats]]:
    """The images one by one, as the feeds of a model compiled for a batch of 1."""
    shape = onnxruntime.InferenceSession(model).get_inputs()[0].shape
    return [{"input": image.reshape(1, *shape[1:])} for image in digits.images]


def run_all(run: Callable[[dict[str, Floats]], dict[str, Any]], feeds: list[dict[str, Floats]]) -> Floats:
    """The logits of every feed, (n, 10)."""
    return np.concatenate([run(feed)["logits"] for feed in feeds])


def measure(network: str, precision: str, calibrated: bool, seen: data.Digits, held_out: data.Digits) -> Row:
    """Compiles, saves, loads and runs one network at one precision, and compares it with onnxruntime and linalg."""
    model = HERE / f"{network}.onnx"
    feeds = inputs_of(model, held_out)
    options: dict[str, Any] = {"target": TARGET, "precision": precision, "dims": {"batch": 1}}
    if calibrated:
        options["calibration"] = inputs_of(model, seen.take(np.arange(CALIBRATION_IMAGES)))
    label = "ternary+int8" if calibrated and precision == "ternary" else precision

    start = time.perf_counter()
    compiled = tfmbs.compile(model, **options)
    compile_seconds = time.perf_counter() - start
    binary = OUT / f"{network}.{label}.tfb"
    compiled.save(binary)

    program = tfmbs.load(binary)
    start = time.perf_counter()
    logits = run_all(program.run, feeds)
    run_seconds = (time.perf_counter() - start) / len(feeds)

    reference = run_all(Reference(lower(model, "linalg", **options)).run, feeds)
    session = onnxruntime.InferenceSession(model)
    expected = run_all(lambda feed: {"logits": session.run(["logits"], feed)[0]}, feeds)
    return Row(
        network=network,
        precision=label,
        accuracy=float(np.mean(logits.argmax(axis=1) == held_out.labels)),
        onnxruntime_accuracy=float(np.mean(expected.argmax(axis=1) == held_out.labels)),
        agreement=float(np.mean(logits.argmax(axis=1) == expected.argmax(axis=1))),
        difference=float(np.abs(logits - expected).max() / np.abs(expected).max()),
        same_bytes=logits.tobytes() == reference.tobytes(),
        size=binary.stat().st_size,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


def main() -> int:
    """Prints the table; 0 if every row has the bytes of linalg."""
    OUT.mkdir(exist_ok=True)
    seen, held_out = data.split()
    print(
        f"{len(held_out)} held-out digits one by one on the emulator, target {TARGET}; onnxruntime runs the f32 model\n"
    )
    print(line(TITLES))
    rows = []
    for case in CASES:
        rows.append(measure(*case, seen, held_out))
        print(line(rows[-1].cells()), flush=True)
    print("\nagreement: same digit as onnxruntime; max diff: max|ours - onnxruntime| / max|onnxruntime|;")
    print("linalg bytes: the exact linalg interpretation of the same compilation gives the same output bytes.")
    return 0 if all(row.same_bytes for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
