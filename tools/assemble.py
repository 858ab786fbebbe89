"""tfmbs-as: assembles the text that tfmbs-objdump prints, or that was written by hand, to a fabric binary."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.runtime.abi.image import Image
from tfmbs.tools.main import OK, standard_input, tool


@tool
def main(arguments: Sequence[str]) -> int:
    """Writes the binary if the text describes a valid one."""
    parser = argparse.ArgumentParser(prog="tfmbs-as", description=__doc__)
    parser.add_argument("file", metavar="FILE.s", help="assembly text, - for standard input")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.tfb")
    options = parser.parse_args(arguments)
    image = assemble(_read(options.file), options.file)
    try:
        data = image.to_bytes()
        Image.from_buffer(data)
    except TfmbsError as error:
        error.location = f"{options.file}: {error.location}"
        raise
    save(options.output, data)
    return OK


def _read(name: str) -> str:
    data = standard_input() if name == "-" else Path(name).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TfmbsError("asm", name, "text", "UTF-8", f"byte {data[error.start]:#x} at {error.start}") from error


if __name__ == "__main__":
    sys.exit(main())
