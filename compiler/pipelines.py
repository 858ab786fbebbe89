"""The order of passes, as data: named sequences, and which of them lead from one level of the IR to the next.

``$precision``, ``$target`` and other such words stand for the option of that name, as it is set for a compilation; a
``_`` in the word is a ``-`` in the option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Template

from tfmbs.compiler.pipeline_text import MODULE
from tfmbs.compiler.quantization import DEFAULTS, Quantization
from tfmbs.passes.options import format_options
from tfmbs.runtime.abi.errors import TfmbsError

# torch-mlir's own way to linalg, without the final check that would refuse tfmbs ops beside it.
TORCH_TO_LINALG = (
    "func.func(torch-restructure-non-constant-axes,torch-scalarize-shapes,convert-torch-to-tmtensor,canonicalize)",
    "func.func(convert-torch-to-linalg,canonicalize,convert-torch-to-scf,convert-torch-to-arith,convert-torch-to-tensor)",
    "convert-torch-conversion-to-mlprogram",
    "func.func(math-expand-ops{ops=fpowi},canonicalize,resolve-shaped-type-result-dims,cse)",
    "torch-func-backend-type-conversion",
    "func.func(canonicalize,torch-finalizing-backend-type-conversion,canonicalize)",
)

PIPELINES: dict[str, tuple[str, ...]] = {
    "import": (
        "widen-products",
        "convert-attention-to-tfmbs",
        "convert-torch-to-tfmbs",
        *TORCH_TO_LINALG,
        "tfmbs-expand-tm-tensor",
        "tfmbs-drop-empty",
        "tfmbs-expand-lstm{$precision}",
        "tfmbs-sink-reshape",
        "tfmbs-telemetry",
    ),
    "quantize": (
        "tfmbs-detect-grids{$precision}",
        "tfmbs-gptq{$precision $group_size}",
        "tfmbs-correct-bias{$precision $group_size}",
        "tfmbs-quantize{$precision $group_size $activations}",
    ),
    "optimise": (
        "tfmbs-fold-requantize",
        "tfmbs-expand-attention{$target}",
        "tfmbs-expand-lstm{$target}",
        "tfmbs-select-gemv",
        "tfmbs-block-rows{$target}",
        "tfmbs-decompose",
        "tfmbs-compose-functions",
        "tfmbs-sink-reshape",
        "tfmbs-fuse",
        "func.func(linalg-generalize-named-ops)",
        "tfmbs-separate-inits",
        "tfmbs-slice-constants",
        "func.func(linalg-fuse-elementwise-ops,canonicalize,cse)",
        "tfmbs-sink-reshape",
        "tfmbs-fuse{stored=true}",
        "tfmbs-hoist-broadcast",
        "canonicalize",
        "cse",
        "tfmbs-fuse-gemv",
        "tfmbs-pack{packing=auto $target}",
        "tfmbs-tile{$target}",
        "tfmbs-recall-semantics",
    ),
    "kernel": (
        "tfmbs-compose-functions",
        "tfmbs-to-kernel",
        "tfmbs-assign-memory{$target}",
        "tfmbs-recall-semantics",
    ),
    "fabric": ("tfmbs-to-fabric{$target}",),
    "linalg": ("tfmbs-to-linalg{$numerics}",),
}

LEVELS = ("torch", "tfmbs", "kernel", "fabric")
"""The levels of the IR between which pipelines run, from the model to the binary."""

PRECISIONS: dict[str, tuple[str, ...]] = {
    "fp32": ("import", "quantize", "optimise"),
    "bf16": ("import", "quantize", "optimise"),
    "int8": ("import", "quantize", "optimise"),
    "int4": ("import", "quantize", "optimise"),
    "ternary": ("import", "quantize", "optimise"),
    "mixed": ("import", "quantize", "optimise"),
}
"""The sequences from the torch level to the optimised tfmbs graph, for each precision."""


def sequences(precision: str, stage: str, start: str = "torch") -> Iterator[str]:
    """Names of the `PIPELINES` that lead from the level `start` to `stage`, a level or ``linalg`` (from the graph).

    Raises:
        TfmbsError: ``usage``, for a precision or stage that does not exist, or a stage before `start`.
    """
    _check("precision", precision, tuple(PRECISIONS))
    _check("level to start from", start, LEVELS)
    first = LEVELS.index(start)
    _check("stage", stage, (*LEVELS[first:], "linalg"))
    last = max(first, LEVELS.index("tfmbs")) if stage == "linalg" else LEVELS.index(stage)
    for level in LEVELS[first + 1 : last + 1]:
        yield from PRECISIONS[precision] if level == "tfmbs" else (level,)
    if stage == "linalg":
        yield "linalg"


def pipeline(
    precision: str,
    target: str,
    stage: str,
    start: str = "torch",
    numerics: str = "exact",
    quantization: Quantization = DEFAULTS,
) -> str:
    """The textual pipeline from the level `start` to `stage`.

    Raises:
        TfmbsError: ``usage``, as `sequences`.
    """
    settings = {"precision": precision, "target": target, "numerics": numerics, **quantization.settings}
    passes = (text for name in sequences(precision, stage, start) for text in _passes(name, settings))
    return f"{MODULE}({','.join(passes)})"


def sequence_text(name: str, settings: Mapping[str, str]) -> str:
    """The textual pipeline of one of `PIPELINES`; `settings` are the values of ``$precision`` and the others."""
    return f"{MODULE}({','.join(_passes(name, settings))})"


def _passes(name: str, settings: Mapping[str, str]) -> Iterator[str]:
    options = {key: format_options({key.replace("_", "-"): value}) for key, value in settings.items()}
    yield from (Template(text).substitute(options) for text in PIPELINES[name])


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise TfmbsError("usage", what, "unknown value", f"one of {', '.join(known)}", repr(given))
