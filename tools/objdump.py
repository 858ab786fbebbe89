"""tfmbs-objdump: a fabric binary as assembly text, from which tfmbs-as makes the same bytes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tfmbs.runtime.abi.asm import disassemble, headers, schedules
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.sections import KINDS
from tfmbs.tools.main import OK, tool


@tool
def main(arguments: Sequence[str]) -> int:
    """Prints the whole file, or the parts asked for."""
    parser = argparse.ArgumentParser(prog="tfmbs-objdump", description=__doc__)
    names = [kind.name for kind in KINDS if kind.attribute]
    parser.add_argument("file", metavar="FILE.tfb")
    parser.add_argument("--headers", action="store_true", help="header and section table only")
    parser.add_argument("--schedule", action="store_true", help="programs by cycle and slot, loops with their bounds")
    parser.add_argument("--weights", action="store_true", help="weights only, typed by the tensors that hold them")
    parser.add_argument(
        "--section", action="append", default=[], choices=names, metavar="NAME", help="only this section"
    )
    options = parser.parse_args(arguments)
    image = Image.load(options.file)
    sections = options.section + (["WEIGHTS"] if options.weights else [])
    if options.headers:
        sys.stdout.write(headers(image))
    if options.schedule:
        sys.stdout.write(schedules(image))
    if sections or not (options.headers or options.schedule):
        sys.stdout.write(disassemble(image, sections or None))
    return OK


if __name__ == "__main__":
    sys.exit(main())
