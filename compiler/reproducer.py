"""Reproducers: IR and the pipeline that failed on it in one file, as ``mlir-opt --run-reproducer`` reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.compiler.plan import Step, pipeline_of

_STRING = r'"(?:[^"\\]|\\.)*"'
_BLOCK = re.compile(rf"\bmlir_reproducer\s*:\s*\{{((?:{_STRING}|[^\"}}])*)\}}", re.DOTALL)
_ENTRY = re.compile(rf"(\w+)\s*:\s*({_STRING}|\w+)", re.DOTALL)
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t"}


@dataclass(frozen=True)
class Reproducer:
    """A pipeline to run again, and whether the IR was verified after each of its passes."""

    pipeline: str
    verify_each: bool = True


def format_reproducer(ir_text: str, steps: Sequence[Step], verify_each: bool) -> str:
    """`ir_text`, the IR before `steps`, with the resource that names them."""
    pipeline = pipeline_of(steps).replace("\\", "\\\\").replace('"', '\\"')
    resource = (
        "  external_resources: {\n    mlir_reproducer: {\n"
        f'      pipeline: "{pipeline}",\n      disable_threading: true,\n'
        f"      verify_each: {str(verify_each).lower()}\n"
        "    }\n  }\n#-}\n"
    )
    body = ir_text.rstrip()
    if body.endswith("#-}"):
        return f"{body.removesuffix('#-}').rstrip()},\n{resource}"
    return f"{body}\n\n{{-#\n{resource}"


def read_reproducer(text: str) -> Reproducer | None:
    """The reproducer that `text` holds, or None."""
    block = _BLOCK.search(text, max(text.rfind("external_resources"), 0))
    entries = dict(_ENTRY.findall(block[1])) if block else {}
    if "pipeline" not in entries:
        return None
    return Reproducer(_unescaped(entries["pipeline"][1:-1]), entries.get("verify_each") != "false")


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code, 16)) if len(code) == 2 else _NAMED.get(code, code)

    return _ESCAPE.sub(character, text)
