"""``tfmbs-compile``: an ONNX model or MLIR into a fabric binary, or into the IR of any stage on the way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.container import save
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.main import OK, tool

if TYPE_CHECKING:
    from tfmbs.compiler.compilation import Options

BINARY = "tfb"
_BAR = 24


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the model was refused, 2 for a usage error."""
    from tfmbs.compiler.compilation import STAGES, Compilation

    given = _parser().parse_args(arguments)
    if given.compile_to not in (*STAGES, BINARY):
        expected = ", ".join((*STAGES, BINARY))
        raise TfmbsError("usage", "--compile-to", "stage", f"one of {expected}", given.compile_to)
    if given.report and given.compile_to != BINARY:
        raise TfmbsError("usage", "--report", "a report needs a binary", "--compile-to tfb", given.compile_to)
    bar = _Progress(sys.stderr.isatty())
    try:
        compilation = Compilation.of(given.model, _options(given, bar), raw=given.compile_to == "import")
        _write(given, compilation)
    finally:
        bar.clear()
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-compile", description=__doc__)
    add = parser.add_argument
    add("model", metavar="MODEL", help="model: .onnx or .mlir")
    add("-o", "--output", metavar="FILE", help="output; - is standard output; default: MODEL with the suffix .tfb")
    add("--target", metavar="NAME|FILE.toml", default="kpu-16x16", help="target (default: %(default)s)")
    add("--precision", default="fp32", help="fp32, int8 or ternary (default: %(default)s)")
    add("--calibrate", metavar="DATA.npz", help="sample inputs by name, one or more batches along the first axis")
    add("--dim", metavar="NAME=N", action="append", default=[], help="size of a symbolic dimension; may be repeated")
    add("--compile-from", metavar="STAGE", help="level of a .mlir MODEL (default: tfmbs)")
    add("--compile-to", metavar="STAGE", default=BINARY, help="import, torch, tfmbs, kernel, fabric, linalg or tfb")
    add("--numerics", default="exact", choices=("exact", "portable"), help="how linalg spells the arithmetic")
    add("--verify-each-numerically", action="store_true", help="name the first pass that changes a result")
    add("--mlir-print-ir-after-all", action="store_true", help="print the IR after each pass on standard error")
    add("--save-temps", metavar="DIR", type=Path, help="folder for the IR of each stage")
    add("--report", metavar="FILE.html", type=Path, help="page with a row for each launch")
    return parser


def _options(given: Any, bar: _Progress) -> Options:
    from tfmbs.compiler.compilation import EXPORTED, IR, Options
    from tfmbs.compiler.ir_printing import AsmFlags, IRPrinter, Selection
    from tfmbs.compiler.samples import read_samples

    is_ir = Path(given.model).suffix == IR
    if given.compile_from and not is_ir and given.compile_from != "import":
        expected = "import, for a model that is no .mlir"
        raise TfmbsError("usage", "--compile-from", "stage", expected, given.compile_from)
    if is_ir and given.dim:
        raise TfmbsError("usage", "--dim", "the sizes of IR are fixed", f"a model that is no {IR}", given.model)
    if Path(given.model).suffix == EXPORTED:
        raise TfmbsError("unsupported", given.model, "kind of model", f".onnx or {IR}", "an exported PyTorch program")
    shortened = AsmFlags(elements_limit=16, resource_limit=64)
    printer = [IRPrinter(Selection(after_all=True), shortened)] if given.mlir_print_ir_after_all else []
    return Options(
        target=given.target,
        precision=given.precision,
        dims=_dims(given.dim),
        calibration=read_samples(Path(given.calibrate)) if given.calibrate else None,
        numerics=given.numerics,
        start=given.compile_from or "tfmbs",
        verify_numerically=given.verify_each_numerically,
        save_temps=given.save_temps,
        observers=printer,
        progress=bar.show,
    )


def _dims(texts: Sequence[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, size in map(_dim, texts):
        if name in sizes:
            raise TfmbsError("usage", "--dim", "a name given twice", got=name)
        sizes[name] = size
    return sizes


def _dim(text: str) -> tuple[str, int]:
    name, equals, size = text.partition("=")
    if not (name and equals and size.isascii() and size.isdigit() and int(size) > 0):
        raise TfmbsError("usage", "--dim", "size of a dimension", "NAME=N with N at least 1", text)
    return name, int(size)


def _write(given: Any, compilation: Any) -> None:
    from tfmbs.compiler.report import html_report

    if given.compile_to == BINARY:
        image = compilation.image()
        content, suffix = bytes(image.to_bytes()), f".{BINARY}"
        if given.report:
            save(given.report, html_report(image, Path(given.model).name).encode())
    else:
        compilation.lower(given.compile_to)
        content, suffix = compilation.text().encode(), ".mlir"
    if given.output == "-":
        sys.stdout.buffer.write(content)
        return
    output = Path(given.output) if given.output else Path(given.model).with_suffix(suffix)
    if output == Path(given.model):
        raise TfmbsError("usage", "-o", "the output is the model itself")
    save(output, content)


class _Progress:
    """The running stage on the last line of a terminal; silent elsewhere."""

    def __init__(self, visible: bool) -> None:
        self._visible = visible
        self._stages = 0

    def show(self, stage: str) -> None:
        """The next stage begins."""
        self._stages += 1
        if self._visible:
            bar = "#" * min(4 * self._stages, _BAR)
            sys.stderr.write(f"\r\x1b[K[{bar:<{_BAR}}] {stage}")
            sys.stderr.flush()

    def clear(self) -> None:
        """The line is empty again."""
        if self._visible:
            sys.stderr.write("\r\x1b[K")


if __name__ == "__main__":
    sys.exit(main())
