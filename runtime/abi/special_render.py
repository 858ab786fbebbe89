"""The C++ and the documentation of the special functions: `runtime/native/special.gen.h`, written by
`python -m tfmbs.runtime.abi.special_render`, and a section of `docs/isa.md`.
"""

from __future__ import annotations

import math
from pathlib import Path

from tfmbs.runtime.abi.special import (
    CANONICAL_NAN,
    CANONICAL_NAN64,
    CONSTANT,
    POLYNOMIALS,
    SPECIALS,
    STEP_KINDS,
    Special,
    Step,
)

PATH = Path(__file__).resolve().parents[1] / "native" / "special.gen.h"

_CXX_TYPES = {"f32": "float", "f64": "double", "i64": "std::uint64_t", "i1": "bool"}
_PRELUDE = f"""\
// The special functions of the fabric.
// One overload for float and one for double each.
// Generated from runtime/abi/special.py by `python -m tfmbs.runtime.abi.special_render`; do not edit.
// Compile with -ffp-contract=off: every rounding is written out. Loops over these functions vectorize with
// -fno-math-errno and -fno-trapping-math, which change no value. The functions
// have internal linkage, so files with different -m flags may include them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tfmbs::special {{

[[gnu::always_inline]] static inline std::uint64_t to_bits(double x) {{
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}}

[[gnu::always_inline]] static inline double to_real(std::uint64_t bits) {{
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}}

[[gnu::always_inline]] static inline float canonical(float x) {{
  const std::uint32_t nan = 0x{CANONICAL_NAN:08X}u;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = x == x ? bits : nan;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}}

[[gnu::always_inline]] static inline double canonical(double x) {{
  return to_real(x == x ? to_bits(x) : 0x{CANONICAL_NAN64:016X}u);
}}
"""


def _cxx_constant(value: float) -> str:
    if isinstance(value, int):
        return f"0x{value & (1 << 64) - 1:X}u"
    if math.isnan(value):
        return "std::numeric_limits<double>::quiet_NaN()"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}std::numeric_limits<double>::infinity()"
    return value.hex()


def _expression(step: Step) -> str:
    if step.kind == CONSTANT:
        return _cxx_constant(step.constant)
    return STEP_KINDS[step.kind].cxx.format(*(f"v{i}" for i in step.operands))


def _cxx_function(special: Special) -> str:
    real = _CXX_TYPES[special.type]
    arguments = ", ".join(f"{real} v{i}" for i in range(special.arguments))
    lines = [
        f"\n// {special.function.meaning}; error at most {special.max_ulp:g} ulp.",
        f"[[gnu::always_inline]] static inline {real} {special.name}({arguments}) {{",
    ]
    for number, step in enumerate(special.steps, start=special.arguments):
        lines.append(f"  const {_CXX_TYPES[step.type]} v{number} = {_expression(step)};")
    lines += [f"  return v{special.arguments + len(special.steps) - 1};", "}"]
    return "\n".join(lines) + "\n"


def cxx_header() -> str:
    """The text of `runtime/native/special.gen.h`: one inline function per special function and element type."""
    functions = "".join(_cxx_function(special) for special in SPECIALS.values())
    return f"{_PRELUDE}{functions}\n}}  // namespace tfmbs::special\n"


def _markdown_step(number: int, step: Step) -> str:
    if step.kind == CONSTANT:
        text = f"{step.constant:#x}" if isinstance(step.constant, int) else repr(step.constant)
    else:
        text = f"{step.kind} {' '.join(f'v{i}' for i in step.operands)}"
    return f"v{number} = {text}"


def markdown() -> str:
    """The section of `docs/isa.md` that defines the special functions, from the second heading level down."""
    lines = [
        "## Special functions",
        "",
        "Each function is, in each element type, the sequence of steps listed here, on its arguments v0 and, if there",
        "are two, v1. Every step rounds to nearest even; constants are shortest decimals. Functions of f32 compute in",
        "f64 and round once at the end; those of f16 and bf16 are the f32 function, rounded once more. NaN is",
        "canonical. Errors are in units of the last place of the exact result, or of the least denormal if that is",
        "more.",
        "",
        "| step | operands | result | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{name}` | {', '.join(k.operands)} | {k.result} | {k.doc} |" for name, k in STEP_KINDS.items()]
    lines += [
        "",
        "The polynomials in them and in `tfmbs-compose-functions`, and how well they approximate:",
        "",
        "| function | polynomial in | interval | weighted error | weight |",
        "|---|---|---|---|---|",
    ]
    for p in POLYNOMIALS.values():
        low, high = p.interval
        lines.append(f"| {p.function} | {p.variable} | {low:.6g} … {high:.6g} | {p.error:.1e} | {p.weight} |")
    for special in SPECIALS.values():
        where = f" for {special.function.range}" if special.function.range else ""
        lines += [
            "",
            f"### {special.name} of {special.type}",
            "",
            f"{special.function.meaning}. Error at most {special.max_ulp:g} ulp{where}. {special.method}.",
        ]
        steps = [_markdown_step(number, step) for number, step in enumerate(special.steps, start=special.arguments)]
        lines += ["", "```", *steps, "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the header in place."""
    PATH.write_text(cxx_header(), encoding="utf-8")


if __name__ == "__main__":
    main()
