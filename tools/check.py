"""``tfmbs-check``: all that is refused of a model, with what would help, and which kernels do the rest."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.tools.main import OK, REFUSED, tool
from tfmbs.tools.model_options import add_model_options, model_options
from tfmbs.tools.progress import Progress


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if something is refused, 2 for a usage error. Of a range of sizes, the greatest is checked."""
    from tfmbs.compiler.check.checker import check
    from tfmbs.compiler.check.report import json_value, text
    from tfmbs.compiler.sizes.ranges import greatest

    given = _parser().parse_args(arguments)
    model = _loaded(Path(given.model))
    if given.jobs < 1:
        raise TfmbsError("usage", "--jobs", "number of processes", "at least 1", given.jobs)
    bar = Progress()
    try:
        options = model_options(given, progress=bar.show)
        options = replace(options, dims=greatest(options.dims))
        result = check(model, options, given.model, given.jobs)
    finally:
        bar.clear()
    as_json = json.dumps(json_value(result, given.model), indent=1, ensure_ascii=False) + "\n"
    if given.json and given.json != "-":
        save(Path(given.json), as_json.encode())
    sys.stdout.write(as_json if given.json == "-" else text(result, given.model))
    return OK if result.supported else REFUSED


def _loaded(path: Path) -> object:
    if path.suffix == ".onnx":
        from tfmbs.compiler.importers.onnx_file import load_onnx

        return load_onnx(path)
    if path.suffix == ".pt2":
        from tfmbs.compiler.importers.torch_archive import load_exported

        return load_exported(path)
    raise TfmbsError("unsupported", path, "kind of model", ".onnx or .pt2", path.suffix or "no suffix")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-check", description=__doc__)
    add_model_options(parser, ".onnx or .pt2", ranges=True)
    parser.add_argument("--json", metavar="FILE", help="the result as JSON; - is standard output, instead of the text")
    jobs = min(os.cpu_count() or 1, 8)
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help="processes (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
