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

from tfmbs.runtime.abi.container import save
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.program import Program
from tfmbs.tools.main import OK, REFUSED, tool
from tfmbs.tools.model_options import add_model_options, model_options
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    from tfmbs.compiler.verify.verification import Verification


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the model was refused or a layer is over the tolerance, 2 for a usage error."""
    given = _parser().parse_args(arguments)
    if Path(given.model).suffix != ".onnx":
        kind = Path(given.model).suffix or "no suffix"
        raise TfmbsError("unsupported", given.model, "kind of model", ".onnx", kind)
    bar = Progress()
    try:
        result = _verify(given, bar)
    finally:
        bar.clear()
    return _show(given, result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-verify", description=__doc__)
    add_model_options(parser, ".onnx")
    add = parser.add_argument
    add("--inputs", metavar="DATA.npz", help="inputs by name, the first batch counts; default: random ones")
    add("--seed", type=int, default=0, metavar="N", help="of random inputs (default: %(default)s)")
    add("--reference", default="onnxruntime", help="onnxruntime or onnx (default: %(default)s)")
    add("--tolerance", type=float, metavar="T", help="of floats, relative to the largest of the layer; see the docs")
    add("--cut-out", metavar="PREFIX", help="PREFIX.onnx and PREFIX.npz: the first bad layer (default: MODEL.layer)")
    add("--json", metavar="FILE", help="the result as JSON; - is standard output, instead of the table")
    return parser


def _verify(given: Any, bar: Progress) -> Verification:
    from tfmbs.compiler.importers.onnx_model import load_onnx
    from tfmbs.compiler.verify.inputs import chosen_inputs
    from tfmbs.compiler.verify.verification import TOLERANCES, Verifier

    options = model_options(given, progress=bar.show)
    if given.tolerance is not None and not given.tolerance >= 0:
        raise TfmbsError("usage", "--tolerance", "tolerance", "at least 0", given.tolerance)
    tolerance = TOLERANCES.get(given.precision, 0.0) if given.tolerance is None else given.tolerance
    model = load_onnx(Path(given.model))
    inputs = chosen_inputs(model, options.dims, Path(given.inputs) if given.inputs else given.seed, given.model)
    return Verifier(options, _execute, given.reference, tolerance).verify(model, inputs, given.model)


def _execute(image: Image, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    return Program(image).run(inputs)


def _show(given: Any, result: Verification) -> int:
    from tfmbs.compiler.verify.report import json_value, summary, text

    if result.repeat is not None:
        prefix = given.cut_out or str(Path(given.model).with_suffix(".layer"))
        save(Path(f"{prefix}.onnx"), result.repeat.cutout.model.SerializeToString())
        save(Path(f"{prefix}.npz"), _npz(result.repeat.cutout.inputs))
    as_json = json.dumps(json_value(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if given.json and given.json != "-":
        save(Path(given.json), as_json.encode())
    sys.stdout.write(as_json if given.json == "-" else text(result))
    if result.first is None:
        return OK
    if result.repeat is not None:
        print(f"written: {prefix}.onnx, {prefix}.npz", file=sys.stderr)
    print(f"error: {summary(result.first)}, expected at most {result.tolerance:g} of it", file=sys.stderr)
    return REFUSED


def _npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
