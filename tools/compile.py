"""``tfmbs-compile``: an ONNX model or MLIR into a fabric binary, or into the IR of any stage on the way."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import mapped, save
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType, is_packed
from tfmbs.runtime.abi.writing import save_container, write
from tfmbs.tools.main import OK, tool
from tfmbs.tools.model_options import add_model_options, entry_points, model_options
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    import mmap

    from tfmbs.compiler.compilation import Options
    from tfmbs.runtime.abi.codec import BytesLike
    from tfmbs.runtime.abi.container import Container

BINARY = "tfb"


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the model was refused, 2 for a usage error."""
    from tfmbs.compiler.compilation import STAGES, Compilation
    from tfmbs.compiler.sizes.ranges import has_ranges

    given = _parser().parse_args(arguments)
    if given.compile_to not in (*STAGES, BINARY):
        expected = ", ".join((*STAGES, BINARY))
        raise TfmbsError("usage", "--compile-to", "stage", f"one of {expected}", given.compile_to)
    if given.save_plan and not (given.compile_to == BINARY and given.precision == "mixed"):
        raise TfmbsError("usage", "--save-plan", "what has a plan", "a binary of precision mixed", given.precision)
    if given.report and given.compile_to != BINARY:
        raise TfmbsError("usage", "--report", "a report needs a binary", "--compile-to tfb", given.compile_to)
    bar = Progress()
    try:
        options = _options(given, bar)
        if has_ranges(options.dims, *options.entries.values()):
            _write_sized(given, options)
            return OK
        compilation = Compilation.of(given.model, options, raw=given.compile_to == "import")
        if given.emit_annotations:
            _write_annotations(given.emit_annotations, compilation.annotate())
        _write(given, compilation)
        if given.save_ranges:
            _write_ranges(given.save_ranges, compilation.calibration)
    finally:
        bar.clear()
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-compile", description=__doc__)
    add = parser.add_argument
    add_model_options(parser, ranges=True)
    entry = "entry point of an ONNX model, with sizes beside those of --dim; may be repeated: they share weights"
    add("--entry", metavar="NAME:DIM=N,…", action="append", default=[], help=entry)
    add("-o", "--output", metavar="FILE", help="output; - is standard output; default: MODEL with the suffix .tfb")
    add("--compile-from", metavar="STAGE", help="level of a .mlir MODEL (default: tfmbs)")
    add("--compile-to", metavar="STAGE", default=BINARY, help="import, torch, tfmbs, kernel, fabric, linalg or tfb")
    add("--numerics", default="exact", choices=("exact", "portable"), help="how linalg spells the arithmetic")
    add("--mlir-print-ir-after-all", action="store_true", help="print the IR after each pass on standard error")
    add("--save-temps", metavar="DIR", type=Path, help="folder for the IR of each stage")
    add("--emit-annotations", metavar="FILE", help="what the parts of the network are for: text, or JSON for .json")
    add("--save-plan", metavar="FILE", type=Path, help="mixed: file for the precisions that were chosen")
    add("--save-ranges", metavar="FILE", type=Path, help="file for the ranges that calibration found, for --ranges")
    add("--report", metavar="FILE.html", type=Path, help="page with a row for each launch, and what it should take")
    return parser


def _options(given: Any, bar: Progress) -> Options:
    from tfmbs.compiler.front_ends import IR
    from tfmbs.compiler.ir_printing import AsmFlags, IRPrinter, Selection

    if given.compile_from and Path(given.model).suffix != IR and given.compile_from != "import":
        expected = "import, for a model that is no .mlir"
        raise TfmbsError("usage", "--compile-from", "stage", expected, given.compile_from)
    if given.entry and Path(given.model).suffix == IR:
        raise TfmbsError("usage", "--entry", "the entry points of IR are its functions", "an ONNX model", given.model)
    shortened = AsmFlags(elements_limit=16, resource_limit=64)
    return model_options(
        given,
        entries=entry_points(given.entry),
        numerics=given.numerics,
        start=given.compile_from or "tfmbs",
        save_temps=given.save_temps,
        observers=[IRPrinter(Selection(after_all=True), shortened)] if given.mlir_print_ir_after_all else [],
        progress=bar.show,
    )


def _write_annotations(path: str, found: dict[str, Any]) -> None:
    from tfmbs.compiler.annotations import annotations_text

    as_json = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    text = as_json if path.endswith(".json") else annotations_text(found)
    if path == "-":
        sys.stdout.write(text)
    else:
        save(Path(path), text.encode())


def _write_ranges(path: Path, found: Any) -> None:
    if found is None:
        expected = "a quantized precision with --calibrate, compiled to tfmbs or further"
        raise TfmbsError("usage", "--save-ranges", "nothing was calibrated", expected, "none")
    save(path, found.text().encode())


def _write_sized(given: Any, options: Options) -> None:
    """The binary of a model with run-time sizes. Raises TfmbsError ``usage`` for options that IR of one size is for."""
    from tfmbs.compiler.sizes.binary import sized_binary, verify_sized

    single = {
        "--compile-to": given.compile_to != BINARY,
        "--compile-from": bool(given.compile_from),
        "--emit-annotations": bool(given.emit_annotations),
        "--save-temps": bool(given.save_temps),
        "--save-ranges": bool(given.save_ranges),
        "--mlir-print-ir-after-all": given.mlir_print_ir_after_all,
        "--verify-each-numerically": given.verify_each_numerically,
    }
    for option, is_given in single.items():
        if is_given:
            raise TfmbsError("usage", option, "IR has one size", "dimensions without a range", option)
    _write_binary(given, sized_binary(given.model, options, given.model), verify_sized)


def _write(given: Any, compilation: Any) -> None:
    if given.compile_to == BINARY:
        binary, plan = compilation.container(), compilation.plan
        if given.save_plan:
            save(given.save_plan, plan.text().encode())
        further = ""
        if plan is not None:
            from tfmbs.compiler.mixed.report import plan_html

            further = plan_html(plan)
        _write_binary(given, binary, further=further)
    else:
        compilation.lower(given.compile_to)
        content = compilation.text().encode()
        if given.output == "-":
            sys.stdout.buffer.write(content)
        else:
            save(_output(given, ".mlir"), content)


def _write_binary(
    given: Any, binary: Container, verify: Callable[[Image], object] | None = None, further: str = ""
) -> None:
    """Writes the binary, and the report with `further` HTML at its end."""

    def check(content: BytesLike | mmap.mmap) -> None:
        # Digests have just been made of these very bytes; what else a load would read of weights are packed codes.
        image = Image.from_buffer(content, verify="lazy")
        image.check_weights(index for index, row in enumerate(image.tensors) if is_packed(DType(row["dtype"])))
        if verify is not None:
            verify(image)
        if given.report:
            from tfmbs.compiler.report import html_report
            from tfmbs.runtime.devices.kpu import predicted

            save(given.report, html_report(image, Path(given.model).name, predicted(image), further).encode())

    if given.output == "-":
        content = write(binary)
        check(content)
        sys.stdout.buffer.write(content)
    else:
        save_container(_output(given, f".{BINARY}"), binary, lambda path: check(mapped(path)))


def _output(given: Any, suffix: str) -> Path:
    output = Path(given.output) if given.output else Path(given.model).with_suffix(suffix)
    if output == Path(given.model):
        raise TfmbsError("usage", "-o", "the output is the model itself")
    return output


if __name__ == "__main__":
    sys.exit(main())
