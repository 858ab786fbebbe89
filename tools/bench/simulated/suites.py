"""The suites of ``tfmbs-bench simulator``: workloads that each show one thing, by size class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target_file import load_target, shipped_targets
from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.models import Window
from tfmbs.tools.bench.simulated.result import Bar
from tfmbs.tools.bench.simulated.variation import Value
from tfmbs.tools.bench.simulated.workload import DEFAULT_TARGET, Workload

SMALL, DEFAULT, FULL = "small", "default", "full"
SIZES = (SMALL, DEFAULT, FULL)
"""Size classes: seconds, minutes, and products up to 16,384³, which take long and a lot of memory."""

TYPES = ("int8", "ternary", "f32")
LARGEST = {SMALL: dict.fromkeys(TYPES, 512), DEFAULT: {"int8": 4096, "ternary": 2048, "f32": 2048}}
LARGEST[FULL] = {"int8": 16384, "ternary": 4096, "f32": 4096}
"""The side of the largest square product of each type."""

LEAST_SIDE = 64
PEAK_BARS = {1024: 0.90, 2048: 0.95}
"""Of int8 squares on kpu-16x16: a share of the peak."""

RAGGED = ((1000, 500, 333), (7, 1000, 333), (100, 100, 100), (128, 768, 3072), (197, 768, 768))
LONG = ((16384, 64, 64), (64, 16384, 64), (64, 64, 16384))
VECTORS = ((1, 1000, 512), (1, 1024, 1024), (1, 4096, 4096))
LARGEST_VECTOR = (1, 16384, 16384)
BANDWIDTH_BAR = 0.85
"""Of the external bandwidth, in the largest product of a vector of f32."""

TILES = ((16, 16, 512), (32, 32, 512), (64, 64, 256), (64, 64, 512), (128, 64, 256), (128, 128, 64), (256, 64, 64))

RAGGEDNESS_BAR = 0.90
"""Of what the array's own raggedness allows, on ResNet-18's 3×3 layers."""

RESNET_3X3 = (
    Window(64, 64, 56, 3), Window(64, 128, 56, 3, 2), Window(128, 128, 28, 3), Window(128, 256, 28, 3, 2),
    Window(256, 256, 14, 3), Window(256, 512, 14, 3, 2), Window(512, 512, 7, 3),
)  # fmt: skip
OTHER_WINDOWS = (
    Window(3, 64, 224, 7, 2), Window(64, 128, 56, 1, 2), Window(64, 256, 56, 1), Window(256, 64, 56, 1),
    Window(64, 64, 56, 3, 1, 64),
)  # fmt: skip

DYNAMIC = ((128, 768, 768), (128, 768, 3072), (1, 768, 3072))
DYNAMIC_BAR = 0.8
"""Of the roofline bound, of products whose rows of f32 become integers on the way."""

NARROW = 16
"""Bytes in each nanosecond, GB/s, of the engines that are made the narrowest."""

NETWORKS = (("resnet18", "fp32"), ("resnet18", "int8"), ("mobilenet_v2", "fp32"), ("bert", "fp32"))
"""Reference networks and precisions."""

FUSION_BARS = {"feed-forward": 0.5, "attention": 2 / 3}
"""What fusion must save of the external bytes of one kernel per op, each at its minimum."""


@dataclass(frozen=True)
class Suite:
    """Workloads by size class and target, and what they show."""

    summary: str
    workloads: Callable[[str, str], Iterator[Workload]]


def matmul(size: str, target: str) -> Iterator[Workload]:
    """Square, ragged and vector times matrix; f32 where the target has it."""
    for kind in _types(target):
        side = LEAST_SIDE
        while side <= LARGEST[size][kind]:
            held = kind == "int8" and target == DEFAULT_TARGET and side in PEAK_BARS
            bar = Bar("peak", PEAK_BARS[side]) if held else None
            yield _product("matmul", kind, (side, side, side), target, bar)
            side *= 2
        for shape in (*RAGGED, *LONG) if size != SMALL else RAGGED[:2]:
            yield _product("matmul", kind, shape, target)
        for shape in {SMALL: VECTORS[:2], DEFAULT: VECTORS, FULL: (*VECTORS, LARGEST_VECTOR)}[size]:
            is_largest = kind == "f32" and target == DEFAULT_TARGET and shape == VECTORS[-1]
            yield _product(
                "matmul", kind, shape, target, Bar("external bandwidth", BANDWIDTH_BAR) if is_largest else None
            )


def tiles(size: str, target: str) -> Iterator[Workload]:
    """One product with tiles and dataflows that the search did not choose, behind the one that it did."""
    sides = (512, 512, 512)
    yield replace(_product("tiles", "int8", sides, target), note="chosen by the search")
    flows = tuple(Dataflow) if size != SMALL else (Dataflow.OUTPUT_STATIONARY,)
    for flow in flows:
        for tile in TILES if size != SMALL else TILES[:3]:
            text = f"{'×'.join(map(str, tile))} {flow.name.lower().replace('_', ' ')}"
            made = _product("tiles", "int8", sides, target)
            yield replace(made, name=f"{made.name}, {text}", change=partial(_rescheduled, tile=tile, flow=flow))


def bandwidth(size: str, target: str) -> Iterator[Workload]:
    """The engines of each level in turn are the narrowest: operands inwards, and results outwards."""
    narrow: dict[str, dict[str, Value]] = {
        "external": {"external.channels": 1, "external.gbytes_per_second": NARROW},
        "DMA": {"dma.count": 1, "dma.width_bytes": 16, "dma.clock": "memory"},
        "BlockMover": {"block_mover.count": 1, "block_mover.width_bytes": 16, "block_mover.clock": "memory"},
        "Streamer": {"streamer.count": 1, "streamer.width_bytes": 16, "streamer.clock": "memory"},
    }
    kind = "f32" if "f32" in _types(target) else "int8"
    side = 1024 if size == SMALL else 2048
    for name, vary in narrow.items():
        for way, shape in (("in", (1, side, side)), ("out", (side, side // 2, 16))):
            made = _product("bandwidth", kind, shape, target)
            note = f"{name} of {NARROW} GB/s"
            yield replace(made, name=f"{name} {way}: {made.name}", vary={**vary, "clocks.memory_mhz": 1000}, note=note)


def epilogues(size: str, target: str) -> Iterator[Workload]:
    """What is done to the results of a product on their way out."""
    side = 256 if size == SMALL else 512
    chains: dict[str, Sequence[Sequence[str]]] = {
        "f32": ((), ("bias",), ("bias", "Relu"), ("bias", "Sigmoid"), ("bias", "Tanh"), ("bias", "Gelu"),
                ("bias", "residual")),
        "int8": ((), ("requantize",)),
    }  # fmt: skip
    for kind, afters in chains.items():
        if kind in _types(target):
            for after in afters:
                name = f"{kind} {side}³{''.join(f' + {op.lower()}' for op in after)}"
                build = partial(models.product, kind, side, side, side, after)
                yield Workload("epilogues", name, build, target)


def fusion(size: str, target: str) -> Iterator[Workload]:
    """Transformer blocks as they are compiled, beside one kernel per op."""
    if "f32" not in _types(target):
        return
    rows, width, hidden, heads = (128, 192, 768, 3) if size == SMALL else (1024, 768, 3072, 12)
    is_bar = size != SMALL and target == DEFAULT_TARGET
    bars = {name: Bar("saved by fusion", least) if is_bar else None for name, least in FUSION_BARS.items()}
    build: Callable[[], models.Model] = partial(models.feed_forward, rows, width, hidden)
    name = f"feed-forward f32 {rows}×{width}×{hidden}×{width}"
    yield Workload("fusion", name, build, target, against_ops=True, bar=bars["feed-forward"])
    build = partial(models.feed_forward_int8, rows, width, hidden)
    name = f"feed-forward int8 {rows}×{width}×{hidden}×{width}"
    yield Workload("fusion", name, build, target, against_ops=True, bar=bars["feed-forward"])
    build = partial(models.attention_block, rows, width, heads)
    name = f"attention block f32 {rows}×{width}, {heads} heads"
    yield Workload("fusion", name, build, target, against_ops=True, bar=bars["attention"])


def graph(size: str, target: str) -> Iterator[Workload]:
    """Launches that need the results of the one before: what each adds."""
    kind = "f32"
    if kind not in _types(target):
        return
    for side in (64, 256) if size != SMALL else (64,):
        for launches in (1, 2, 4, 8, 16):
            name = f"{launches} launch{'es' if launches > 1 else ''} of {kind} {side}³"
            yield Workload("graph", name, partial(models.chain, launches, side), target)


def layers(size: str, target: str) -> Iterator[Workload]:
    """Convolutions of ResNet-18 and others, products in groups, recurrent layers, vector code."""
    for kind in ("int8", "f32"):
        if kind not in _types(target):
            continue
        for window in RESNET_3X3 if size != SMALL else RESNET_3X3[-1:]:
            is_bar = kind == "int8" and target == DEFAULT_TARGET
            bar = Bar("array bound", RAGGEDNESS_BAR) if is_bar else None
            yield Workload("layers", f"{kind} {window}", partial(models.convolution, kind, window), target, bar=bar)
        for window in OTHER_WINDOWS if size != SMALL else OTHER_WINDOWS[-1:]:
            yield Workload("layers", f"{kind} {window}", partial(models.convolution, kind, window), target)
    if "f32" in _types(target):
        for m, n, k in ((1, 1024, 1024), (128, 768, 768)) if size != SMALL else ((16, 64, 64),):
            name = f"int4 in groups of 32 × f32, {m}×{n}×{k}"
            yield Workload("layers", name, partial(models.grouped, m, n, k), target)
        for m, n, k in DYNAMIC if size != SMALL else ((16, 64, 64),):
            bar = Bar("bound", DYNAMIC_BAR) if size != SMALL and target == DEFAULT_TARGET else None
            name = f"int8, rows made int8 on the way, {m}×{n}×{k}"
            build = partial(models.product, "f32", m, n, k)
            yield Workload("layers", name, build, target, how=models.DYNAMIC, bar=bar)
        for steps, batch, width in ((64, 1, 512), (64, 16, 512)) if size != SMALL else ((4, 2, 32),):
            name = f"LSTM f32, {steps} steps, batch {batch}, {width}→{width}"
            yield Workload("layers", name, partial(models.lstm, steps, batch, width, width), target)
    for op in ("Softmax", "LayerNormalization", "Add", "Gelu"):
        rows, columns = (64, 128) if size == SMALL else (512, 768)
        yield Workload("layers", f"{op} f32 {rows}×{columns}", partial(models.vector, op, rows, columns), target)


def networks(size: str, target: str) -> Iterator[Workload]:
    """Whole networks with values: the reference networks of a checkout, and the feed-forward block of GPT-2."""
    if "f32" not in _types(target):
        return
    kind = "SMALL" if size == SMALL else "FULL"
    for name, precision in NETWORKS:
        build = partial(models.network, name, kind)
        yield Workload("networks", f"{name} {precision}", build, target, how={"precision": precision})
    build = partial(models.network, "bert", kind)
    yield Workload("networks", "bert int8, rows made int8 on the way", build, target, how=models.DYNAMIC)
    rows, width = (16, 64) if size == SMALL else (128, 768)
    build = partial(models.feed_forward, rows, width, 4 * width)
    yield Workload("networks", f"feed-forward of GPT-2, {rows} tokens", build, target)


def targets(size: str, target: str) -> Iterator[Workload]:
    """The same product on every shipped target, whatever ``--target`` says."""
    side = 256 if size == SMALL else 1024
    for name in shipped_targets():
        made = _product("targets", "int8", (side, side, side), name)
        yield replace(made, name=f"{name}: {made.name}")


SUITES: dict[str, Suite] = {
    "matmul": Suite("products: square, ragged, vector times matrix", matmul),
    "tiles": Suite("tile sizes and dataflows", tiles),
    "bandwidth": Suite("each level's engines as the narrowest", bandwidth),
    "epilogues": Suite("what activations and others add to a product", epilogues),
    "fusion": Suite("transformer blocks beside one kernel per op", fusion),
    "graph": Suite("what each launch of a chain adds", graph),
    "layers": Suite("convolutions, products in groups, recurrent layers, vector code", layers),
    "networks": Suite("whole networks, of a checkout", networks),
    "targets": Suite("one product on every shipped target", targets),
}
"""Every suite by name."""


def _types(target: str) -> tuple[str, ...]:
    return TYPES if "f32" in load_target(target).array.operands else TYPES[:2]


def _product(suite: str, kind: str, shape: tuple[int, int, int], target: str, bar: Bar | None = None) -> Workload:
    m, n, k = shape
    text = f"{m}³" if m == n == k else f"{m}×{n}×{k}"
    return Workload(suite, f"{kind} {text}", partial(models.product, kind, m, n, k), target, bar=bar)


def _rescheduled(image: Image, tile: tuple[int, int, int], flow: Dataflow) -> Image:
    """The image with another schedule for its only product."""
    m, n, k = tile
    rows = [{**row, "tile_m": m, "tile_n": n, "tile_k": k, "dataflow": flow} for row in image.schedules]
    return Image.from_buffer(replace(image, schedules=rows, file=None).to_bytes())
