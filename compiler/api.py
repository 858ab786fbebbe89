"""The compiler's API: a model in, a loaded program or the IR of a stage out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from tfmbs.compiler.compilation import STAGES, Compilation, Options
from tfmbs.compiler.quantization import Quantization
from tfmbs.compiler.samples import Samples, batches_of
from tfmbs.compiler.sizes.binary import sized_binary, verify_sized
from tfmbs.compiler.sizes.ranges import Given, has_ranges, sizes_of
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.writing import write
from tfmbs.runtime.program import Program

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["STAGES", "compile", "lower"]

# The bindings keep tables of their own across contexts, and probes fork: threads take turns.
_ONE_AT_A_TIME = threading.RLock()


Dims = Mapping[str, Given | Mapping[str, Given]]
"""Sizes of symbolic dimensions, or ranges of them, and entry points with sizes of their own."""


class CompileOptions(TypedDict, total=False):
    """The keyword arguments of `compile`."""

    target: str
    precision: str
    calibration: Samples | None
    quantization: Mapping[str, Any] | Quantization | None
    dims: Dims | None
    example_inputs: Sequence[Any] | Mapping[str, Sequence[Any]] | None


def _options(
    *,
    calibration: Samples | None = None,
    quantization: Mapping[str, Any] | Quantization | None = None,
    dims: object = None,
    **others: Any,
) -> Options:
    return Options(
        calibration=None if calibration is None else batches_of(calibration),
        quantization=Quantization.of(quantization),
        start_binary=lambda image: Program(image).context().run,
        **_sizes(dims),
        **others,
    )


def _sizes(dims: object) -> dict[str, Any]:
    """The fields of `Options` for `dims`."""
    if dims is None:
        return {}
    if not isinstance(dims, Mapping):
        return {"dims": dims}  # the importer refuses it
    entries = {name: sizes_of(sizes) for name, sizes in dims.items() if isinstance(sizes, Mapping)}
    common = {name: size for name, size in dims.items() if name not in entries}
    return {"dims": sizes_of(common), "entries": entries}


def compile(
    model: object,
    *,
    target: str = "kpu-16x16",
    precision: str = "fp32",
    calibration: Samples | None = None,
    quantization: Mapping[str, Any] | Quantization | None = None,
    dims: Dims | None = None,
    example_inputs: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
) -> Program:
    """Compiles a model to a fabric binary and loads it. Threads that compile take turns.

    Args:
        model: path of an ``.onnx`` model, of a ``.pt2`` program of `torch.export` or of ``.mlir`` at graph level; an
            `onnx.ModelProto`, a `torch.nn.Module` or a `torch.export.ExportedProgram`.
        target: name of a shipped target, or path of a target file.
        precision: ``fp32``, ``bf16``, ``int8``, ``int4``, ``ternary`` or ``mixed``.
        calibration: inputs whose values give the ranges of quantized activations: arrays by name with one or more
            batches along the first axis, the path of an ``.npz`` file of them, or several such mappings.
        quantization: further knobs by name, ``{"rounding": "gptq", "group_size": 64}``: those of `Quantization`.
        dims: sizes of symbolic dimensions of an ONNX model by name. A mapping of sizes in place of a size makes an
            entry point of that name, which has them beside the others: ``{"batch": 1, "prefill": {"seq": 128},
            "decode": {"seq": 1}}``. Entry points share weights; a run takes the one that fits the shapes it is given.
            A range, ``(1, 128)`` or ``"1..128"``, leaves the size to the run: each costs what its size needs.
        example_inputs: of a `torch.nn.Module`: its positional arguments, which give shapes and types; or several by the
            names of entry points, which then share weights and state.

    Raises:
        TfmbsError: the first thing that is refused, with the name of the model's node where there is one.
    """
    options = _options(
        target=target,
        precision=precision,
        calibration=calibration,
        quantization=quantization,
        dims=dims,
        example_inputs=example_inputs,
    )
    with _ONE_AT_A_TIME:
        if has_ranges(options.dims, *options.entries.values()):
            image = Image.from_buffer(write(sized_binary(model, options)))
            verify_sized(image)
            return Program(image)
        return Program(Compilation.of(model, options).image())


def lower(model: object, stage: str, *, numerics: str = "exact", **options: Unpack[CompileOptions]) -> Any:
    """The MLIR module of a model at `stage`, one of `STAGES`; the other arguments are those of `compile`.

    `numerics` chooses how linalg spells the arithmetic: ``exact`` (every bit as on the fabric) or ``portable``.

    Raises:
        TfmbsError: as `compile`; ``usage`` for a stage that does not exist.
    """
    if stage not in STAGES:
        raise TfmbsError("usage", "stage", "unknown value", f"one of {', '.join(STAGES)}", repr(stage))
    asked = replace(_options(**options), numerics=numerics)
    if has_ranges(asked.dims, *asked.entries.values()):
        raise TfmbsError("usage", "dims", "sizes of IR", "numbers, no ranges", "a range")
    with _ONE_AT_A_TIME:
        return Compilation.of(model, asked, raw=stage == "import").lower(stage)
