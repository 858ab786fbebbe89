"""The networks that are measured: a model, inputs, and what torch or onnxruntime computes from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tfmbs.runtime.stats import Stats
from tfmbs.tools.bench.bitnet import POSITION, decoder
from tfmbs.tools.bench.checkout import example
from tfmbs.tools.bench.problem import Array

FP32, INT8, TERNARY = "fp32", "int8", "ternary"


@dataclass(frozen=True)
class Step:
    """A network that is ready: `run` gives its outputs, `stats` the counters of our last run."""

    run: Callable[[], list[Array]]
    stats: Callable[[], Stats] | None = None


Start = Callable[[int], Step]
"""Makes the step on a number of threads."""


@dataclass(frozen=True)
class Subject:
    """A network. `stateful` compiles it with its cache as state, where the model has it as inputs and outputs."""

    model: Any | None
    inputs: Mapping[str, Array]
    expected: list[Array]
    dynamic: bool = False
    """Whether activations are quantized by row when they are there, as is usual for transformers."""

    stateful: Callable[[str], tuple[Any, Start]] | None = None
    tokens: int = 0
    """Of a step of a decoder."""


@dataclass(frozen=True)
class Network:
    """A network by the precisions it is measured at; `build` takes FULL or SMALL."""

    precisions: tuple[str, ...]
    build: Callable[[str], Subject]


def reference(name: str, size: str, *, dynamic: bool = False) -> Subject:
    """A network of `examples.models`, by way of torch.onnx.export."""
    import torch

    module = example("models.catalogue").MODELS[name]
    network, inputs = module.build(getattr(module, size))
    with torch.no_grad():
        expected = network(*inputs)
    outputs = expected if isinstance(expected, tuple) else (expected,)
    with quiet():
        model = example("models.onnx_path").export(network, inputs)
    names = [value.name for value in model.graph.input]
    arrays = {key: tensor.numpy() for key, tensor in zip(names, inputs, strict=True)}
    return Subject(model, arrays, [tensor.numpy() for tensor in outputs], dynamic)


def decode_step(name: str, size: str) -> Subject:
    """A decoder's step of one token behind its prompt. Peers get the cache in and give it out."""
    import torch

    module, path = example("models.catalogue").MODELS[name], example("models.onnx_path")
    decoder, steps = module.build_cached(getattr(module, size))
    with torch.no_grad():
        decoder(*steps["prefill"])
        wrapped = path.WithCache(decoder).eval()
        cache = [decoder.get_buffer(each).clone() for each in wrapped.names]
        expected = decoder(*steps["decode"]).numpy()
    with quiet():
        model = path.export(wrapped, (*steps["decode"], wrapped.empty()))
    arrays = [tensor.numpy() for tensor in (*steps["decode"], *cache)]
    inputs = dict(zip((value.name for value in model.graph.input), arrays, strict=True))

    def ours(precision: str) -> tuple[Any, Start]:
        import tfmbs

        program = tfmbs.compile(decoder, example_inputs=steps, precision=precision)

        def start(threads: int) -> Step:
            context = program.context(threads=threads)
            given = {entry: _named(program, entry, inputs_) for entry, inputs_ in steps.items()}
            context.run(given["prefill"], "prefill")
            return Step(lambda: list(context.run(given["decode"], "decode").values()), lambda: context.stats)

        return program, start

    return Subject(model, inputs, [expected], stateful=ours, tokens=1)


def _named(program: Any, entry: str, tensors: Any) -> dict[str, Array]:
    names = [argument.name for argument in program.entry(entry).inputs]
    return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}


def bitnet_decode(size: str) -> Subject:
    """A step of one token. Nobody else reads such files and is on PyPI without weights of its own: there is no peer."""
    model = decoder(size)
    inputs = model.step(POSITION)

    def start(threads: int) -> Step:
        context = model.program.context(threads=threads)
        for position in range(POSITION):
            context.run(model.step(position), "decode")
        return Step(lambda: [context.run(inputs, "decode")["logits"]], lambda: context.stats)

    return Subject(None, inputs, [model.logits[POSITION]], stateful=lambda _: (model.program, start), tokens=1)


def bitnet_prefill(size: str) -> Subject:
    """The prompt at once; what is right is what steps of one token give."""
    model = decoder(size)
    inputs = model.whole()

    def start(threads: int) -> Step:
        context = model.program.context(threads=threads)
        return Step(lambda: [context.run(inputs, "prefill")["logits"]], lambda: context.stats)

    expected = [model.stepwise()]
    return Subject(None, inputs, expected, stateful=lambda _: (model.program, start), tokens=len(model.prompt))


def from_file(path: Path) -> Subject:
    """A user's model on random inputs, beside onnxruntime as it is written."""
    from tfmbs.compiler.importers.onnx_file import load_onnx
    from tfmbs.compiler.verify.inputs import chosen_inputs
    from tfmbs.compiler.verify.references import run_reference

    model = load_onnx(path)
    inputs = chosen_inputs(model, {}, 0, str(path))
    return Subject(model, inputs, list(run_reference("onnxruntime", model, inputs).values()))


NETWORKS: dict[str, Network] = {
    "resnet18": Network((FP32, INT8), partial(reference, "resnet18")),
    "mobilenet_v2": Network((FP32, INT8), partial(reference, "mobilenet_v2")),
    "bert": Network((FP32, INT8), partial(reference, "bert", dynamic=True)),
    "gpt2-decode": Network((FP32,), partial(decode_step, "gpt2")),
    "bitnet-2b-decode": Network((TERNARY,), bitnet_decode),
    "bitnet-2b-prefill": Network((TERNARY,), bitnet_prefill),
}
"""Every network by name."""


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters and quantizers log advice that is not for people who measure."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def closeness(outputs: list[Array], expected: list[Array]) -> tuple[float, float]:
    """The least cosine, and the largest max|theirs − ours| / max|theirs|, of the floats among the outputs."""
    cosines, errors = [], []
    for got, want in zip(outputs, expected, strict=False):  # a cache may come behind
        a, b = np.asarray(got, np.float64).ravel(), np.asarray(want, np.float64).ravel()
        if not np.isfinite(a).all():
            return 0.0, float("inf")
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        cosines.append(float(a @ b) / lengths if lengths else float((a == b).all()))
        errors.append(float(np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(np.float32).tiny)))
    return min(cosines), max(errors)
