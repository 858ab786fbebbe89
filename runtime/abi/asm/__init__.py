"""Assembly text of fabric binaries, both ways: `tfmbs-objdump` prints it, `tfmbs-as` reads it.

A statement is a line, `;` begins a comment, and order within a section is the order of its statements:

- `.string "text"`, as JSON quotes it; records name strings by their text, so these lines come first;
- `.RECORD field=value …`: a record of the table of that name. Enums are names, other tables' rows `%N`, arrays `[1, 2]`
  without their trailing zeros; a field that is left out is 0, or none where it may be;
- `.args 1, 2` and `.waits 0`: numbers of these tables;
- an instruction word, which begins with no dot: see the assembly of words in the instruction set;
- `.hex 00ff`, `.zero 64`, `.f32 1.5, -0.0` (any dense type but bool), `.trits PT5 +0-` (one row; `.trits A5 +0- 00+`,
  up to 64, which lie side by side): bytes of WEIGHTS;
- `.meta {…}`, `.target {…}`: JSON objects; `.signature 00ff`;
- `.version 1 0`, `.optional_features 0x1`, `.extra KIND ALIGNMENT "NAME" 00ff`: what this version does not set.
"""

from __future__ import annotations

from tfmbs.runtime.abi.asm.parser import assemble
from tfmbs.runtime.abi.asm.printer import disassemble, headers
from tfmbs.runtime.abi.asm.schedule import schedules

__all__ = ["assemble", "disassemble", "headers", "schedules"]
