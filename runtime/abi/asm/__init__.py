"""Assembly text of fabric binaries, both ways, derived from the record and opcode tables."""

from __future__ import annotations

from tfmbs.runtime.abi.asm.parser import assemble
from tfmbs.runtime.abi.asm.printer import disassemble, headers

__all__ = ["assemble", "disassemble", "headers"]
