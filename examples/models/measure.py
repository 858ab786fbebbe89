"""What a reference model gives, compiled directly, by way of ONNX, and as a decoder, beside torch."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import tfmbs
from examples.models import minilm
from examples.models.catalogue import MODELS
from examples.models.greedy import Step, greedy, program_step, torch_step
from examples.models.onnx_path import export, onnx_step
from examples.models.sentences import SENTENCES

TOLERANCE = 1e-4
COSINE = 0.99999
DISTINCT = 20
GREEDY_TOKENS = {"gpt2": 64, "llama": 16}
HEADER = (
    f"{'model':13} {'parameters':>12} {'max diff':>9} {'compile':>8} {'run':>9} {'torch':>9} {'.tfb':>8} {'peak':>8}"
)
ONNX_HEADER = f"{'model':13} {'to torch':>9} {'to direct':>9} {'compile':>8} {'.tfb':>8}"


@dataclass(frozen=True)
class Line:
    """A line of the table, and whether what it says is within the tolerances."""

    text: str
    good: bool


def direct(name: str) -> Line:
    """Compiles one model and compares all its outputs with torch; times are CPU seconds."""
    torch.set_num_threads(1)
    module, inputs = MODELS[name].build()
    expected = _arrays(module(*inputs))
    torch_seconds = _seconds(lambda: module(*inputs))
    start = time.process_time()
    program = tfmbs.compile(module, example_inputs=inputs)
    compiled = time.process_time() - start
    arrays = _arrays(inputs)
    difference = distance(program(*arrays).values(), expected)
    text = (
        f"{name:13} {sum(parameter.numel() for parameter in module.parameters()):12,} {difference:9.1e} "
        f"{compiled:6.1f} s {1e3 * _seconds(lambda: program(*arrays)):6.0f} ms {1e3 * torch_seconds:6.0f} ms "
        f"{len(program.image.weights) / 1e6:5.0f} MB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:5.0f} MB"
    )
    return Line(text, difference <= TOLERANCE)


def by_onnx(name: str) -> Line:
    """Compiles what `torch.onnx.export` makes of one model; compares with torch and with the direct path."""
    torch.set_num_threads(1)
    module, inputs = MODELS[name].build()
    arrays, expected = _arrays(inputs), _arrays(module(*inputs))
    same_way = list(tfmbs.compile(module, example_inputs=inputs)(*arrays).values())
    model = export(module, inputs)
    start = time.process_time()
    program = tfmbs.compile(model)
    compiled = time.process_time() - start
    ours = list(program(*arrays).values())
    to_torch, to_direct = (distance(ours, theirs) for theirs in (expected, same_way))
    text = f"{name:13} {to_torch:9.1e} {to_direct:9.1e} {compiled:6.1f} s {len(program.image.weights) / 1e6:5.0f} MB"
    return Line(text, max(to_torch, to_direct) <= TOLERANCE)


def greedy_text(name: str) -> Line:
    """Greedy text by prefill and cached decode, beside torch: tokens and logits."""
    torch.set_num_threads(1)
    module, steps = MODELS[name].build_cached()
    context = tfmbs.compile(module, example_inputs=steps).context()
    return _greedy_line(name, program_step(context), name)


def greedy_text_by_onnx(name: str) -> Line:
    """As `greedy_text`, of two exported models between which the cache is carried as inputs and outputs."""
    torch.set_num_threads(1)
    module, steps = MODELS[name].build_cached()
    return _greedy_line(name, onnx_step(module, steps), f"{name} (ONNX)")


def _greedy_line(name: str, step: Step, label: str) -> Line:
    module, steps = MODELS[name].build_cached()
    prompt, count = steps["prefill"][0], GREEDY_TOKENS[name]
    start = time.process_time()
    ours, logits = greedy(step, prompt, count)
    seconds = (time.process_time() - start) / count
    theirs, expected = greedy(torch_step(module), prompt, count)
    difference = distance([logits], [expected])
    same = "same as torch" if ours == theirs else "NOT the tokens of torch"
    text = f"{label:13} {count} greedy tokens, {len(set(ours))} distinct, {same}; logits {difference:.1e}; "
    varied = len(set(ours)) >= min(DISTINCT, count // 2)
    return Line(f"{text}{1e3 * seconds:.0f} ms a token", ours == theirs and varied and difference <= TOLERANCE)


def sentences() -> Line:
    """Embeddings of MiniLM-L6 of all sentences from the loaded binary, beside torch: the smallest cosine."""
    torch.set_num_threads(1)
    module, codes = minilm.load(), minilm.tokenize(SENTENCES)
    theirs = np.concatenate([module(*code).numpy() for code in codes]).astype(np.float64)
    program = tfmbs.compile(module, example_inputs=codes[0])
    ours = np.concatenate([program(*_arrays(code))["output"] for code in codes]).astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosine = float(((ours * theirs).sum(axis=1) / lengths).min())
    others = float((ours @ ours.T - 2 * np.eye(len(ours))).max())
    text = f"minilm        {len(codes)} sentences, cosine to torch at least {cosine:.9f}; "
    return Line(f"{text}between sentences at most {others:.2f}", cosine >= COSINE)


def distance(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> float:
    """The largest max|ours - theirs| / max|theirs| of outputs in the same order."""
    pairs = list(zip(ours, theirs, strict=True))
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def _arrays(tensors: Tensor | tuple[Tensor, ...]) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in (tensors if isinstance(tensors, tuple) else (tensors,))]


def _seconds(act: Callable[[], object]) -> float:
    """CPU seconds of the best of three calls."""
    times = []
    for _ in range(3):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return min(times)
