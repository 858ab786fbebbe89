"""The canonical workloads: small ones of every kind, whose simulated cycles are kept in a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.models import Model, Window
from tfmbs.tools.bench.simulated.workload import DEFAULT_TARGET, Workload

SUITE = "canonical"
PRODUCTS = (
    ("int8", 512, 512, 512), ("f32", 256, 256, 256), ("ternary", 512, 512, 512), ("int8", 1000, 500, 333),
    ("int8", 1, 1024, 1024), ("f32", 1, 512, 1024),
)  # fmt: skip
WINDOWS = (
    ("int8", Window(64, 64, 28, 3)), ("f32", Window(64, 128, 28, 3, 2)), ("int8", Window(64, 128, 28, 1)),
    ("f32", Window(32, 32, 28, 3, 1, 32)),
)  # fmt: skip
EPILOGUES = (("int8", "requantize"), ("f32", "bias", "Gelu"))
VECTORS = ("Softmax", "LayerNormalization")
OTHER_TARGETS = ("kpu-minimal", "kpu-edge", "kpu-embodied", "kpu-datacenter", "tfmbs-1024", "tfmbs-xc7z020")
NETWORKS = (
    ("cnn.onnx", DEFAULT_TARGET), ("cnn_ternary.onnx", "kpu-edge"), ("mlp_ternary.onnx", DEFAULT_TARGET),
)  # fmt: skip


BATCH = {"batch": 1}
"""Of the networks."""


def canonical(checkout: Path) -> Iterator[Workload]:
    """All of them; networks are the digit examples of a checkout."""
    for kind, m, n, k in PRODUCTS:
        yield _workload(f"product {kind} {m}×{n}×{k}", partial(models.product, kind, m, n, k))
    for kind, window in WINDOWS:
        yield _workload(f"convolution {kind} {window}", partial(models.convolution, kind, window))
    for kind, *after in EPILOGUES:
        build = partial(models.product, kind, 256, 256, 256, after)
        yield _workload(f"product {kind} 256³ + {' + '.join(after).lower()}", build)
    yield _workload("feed-forward f32 128×192×768×192", partial(models.feed_forward, 128, 192, 768))
    yield _workload("attention block f32 128×192, 3 heads", partial(models.attention_block, 128, 192, 3))
    for op in VECTORS:
        yield _workload(f"{op} f32 128×256", partial(models.vector, op, 128, 256))
    yield _workload("int4 in groups of 32 × f32, 64×256×256", partial(models.grouped, 64, 256, 256))
    rows = _workload("int8, rows made int8 on the way, 64×256×512", partial(models.product, "f32", 64, 256, 512))
    yield replace(rows, how=models.DYNAMIC)
    yield _workload("LSTM f32, 16 steps, batch 2, 64→64", partial(models.lstm, 16, 2, 64, 64))
    for target in OTHER_TARGETS:
        yield _workload("product int8 100×128×300", partial(models.product, "int8", 100, 128, 300), target)
    for file, target in NETWORKS:
        network = partial(from_file, checkout / "examples" / "digits" / file)
        yield replace(_workload(f"digits {file}", network, target), how={"dims": BATCH})


def _workload(name: str, build: partial[Model], target: str = DEFAULT_TARGET) -> Workload:
    return Workload(SUITE, f"{name}, {target}", build, target)


def from_file(path: Path) -> Model:
    """A model of a file, on random inputs. Raises TfmbsError as the importer."""
    from tfmbs.compiler.importers.onnx_file import load_onnx
    from tfmbs.compiler.verify.inputs import chosen_inputs

    model = load_onnx(path)
    return Model(model, chosen_inputs(model, BATCH, 0, str(path)))
