"""The dialect as IRDL, so that upstream tools read our IR: ``mlir-opt --irdl-file=docs/tfmbs.irdl.mlir``."""

from pathlib import Path

from tfmbs.dialect.load import Tfmbs
from tfmbs.dialect.mlir import context, ir

PATH = Path(__file__).resolve().parents[1] / "docs" / "tfmbs.irdl.mlir"


def dialect_irdl() -> str:
    """The text of the IRDL file.

    It says which operands, attributes, results and regions an op has, not what our verifiers check. IRDL has no traits:
    a tool that only knows this file does not see that `tfmbs.yield` ends a block.
    """
    with context(), ir.Location.unknown():
        lines = str(Tfmbs._emit_module()).splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def main() -> None:
    """Writes the file in place."""
    PATH.write_text(dialect_irdl(), encoding="utf-8")


if __name__ == "__main__":
    main()
