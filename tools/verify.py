"""``tfmbs-verify``: compares a model, layer by layer, with another implementation of it."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.program import Program
from tfmbs.tools.main import OK, REFUSED, tool
from tfmbs.tools.model_options import add_model_options, model_options, refuse_ranges
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    from tfmbs.compiler.compilation import Options
    from tfmbs.compiler.verify.subject import Subject
    from tfmbs.compiler.verify.verification import Verification


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the model was refused or a layer is over the tolerance, 2 for a usage error."""
    given = _parser().parse_args(arguments)
    bar = Progress()
    try:
        result = _verify(given, bar)
    finally:
        bar.clear()
    return _show(given, result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-verify", description=__doc__)
    add_model_options(parser, ".onnx or .pt2")
    add = parser.add_argument
    drawn = "inputs by name, the first batch counts; default: the example inputs of a .pt2, else random ones"
    add("--inputs", metavar="DATA.npz", help=drawn)
    add("--seed", type=int, default=0, metavar="N", help="of random inputs (default: %(default)s)")
    add("--reference", help="onnxruntime or onnx, of an .onnx model; torch, of a .pt2 (default: the first)")
    add("--tolerance", type=float, metavar="T", help="of floats, relative to the largest of the layer; see the docs")
    add(
        "--cut-out",
        metavar="PREFIX",
        help="the first bad layer, its inputs in PREFIX.npz (default: MODEL.layer)",
    )
    add("--json", metavar="FILE", help="the result as JSON; - is standard output, instead of the table")
    add("--report", metavar="FILE.html", help="the result as a page: errors, weights and inputs, drawn by layer")
    return parser


def _verify(given: Any, bar: Progress) -> Verification:
    from tfmbs.compiler.verify.verification import TOLERANCES, Verifier

    options = model_options(given, progress=bar.show)
    refuse_ranges(options.dims, "a comparison is for one size")
    if given.precision == "mixed":
        what = "each part that is compared would have precisions of its own"
        raise TfmbsError("usage", "--precision", what, "one precision for all layers", "mixed")
    if given.tolerance is not None and not given.tolerance >= 0:
        raise TfmbsError("usage", "--tolerance", "tolerance", "at least 0", given.tolerance)
    tolerance = TOLERANCES.get(given.precision, 0.0) if given.tolerance is None else given.tolerance
    return Verifier(options, _execute, tolerance, draws=given.report is not None).verify(_subject(given, options))


def _subject(given: Any, options: Options) -> Subject:
    path, source = Path(given.model), Path(given.inputs) if given.inputs else given.seed
    if path.suffix == ".onnx":
        from tfmbs.compiler.importers.onnx_file import load_onnx
        from tfmbs.compiler.verify.inputs import chosen_inputs
        from tfmbs.compiler.verify.onnx_subject import OnnxSubject

        model = load_onnx(path)
        inputs = chosen_inputs(model, options.dims, source, given.model)
        return OnnxSubject(model, inputs, given.reference or "onnxruntime", given.model)
    if path.suffix == ".pt2":
        if given.reference not in (None, "torch"):
            raise TfmbsError("usage", "--reference", "reference of a .pt2", "torch", given.reference)
        from tfmbs.compiler.importers.torch_archive import load_exported
        from tfmbs.compiler.verify.torch_inputs import inputs_of
        from tfmbs.compiler.verify.torch_subject import TorchSubject

        program = load_exported(path)
        return TorchSubject(program, inputs_of(program, source, given.model), given.model)
    raise TfmbsError("unsupported", path, "kind of model", ".onnx or .pt2", path.suffix or "no suffix")


def _execute(image: Image, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    return Program(image).run(inputs)


def _show(given: Any, result: Verification) -> int:
    from tfmbs.compiler.verify.report import json_value, summary, text

    if result.repeat is not None:
        prefix = given.cut_out or str(Path(given.model).with_suffix(".layer"))
        part = result.repeat.part
        save(Path(f"{prefix}{part.suffix}"), part.to_bytes())
        save(Path(f"{prefix}.npz"), _npz(part.inputs))
    as_json = json.dumps(json_value(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if given.json and given.json != "-":
        save(Path(given.json), as_json.encode())
    if given.report:
        from tfmbs.compiler.verify.drawn import html_report

        title = f"{Path(given.model).name} beside {result.reference}"
        save(Path(given.report), html_report(result, title).encode())
    sys.stdout.write(as_json if given.json == "-" else text(result))
    if result.first is None:
        return OK
    if result.repeat is not None:
        print(f"written: {prefix}{part.suffix}, {prefix}.npz", file=sys.stderr)
    print(f"error: {summary(result.first)}, expected at most {result.tolerance:g} of it", file=sys.stderr)
    return REFUSED


def _npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
