"""``tfmbs-bench kernels``: products of constant weights with tokens."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.cell import DRAM, Cell
from tfmbs.tools.bench.machine import fastest_isa, machine, one_line
from tfmbs.tools.bench.options import add_common, check_outputs, chosen, count, listed, table, threads_of, write
from tfmbs.tools.bench.problem import GROUP, TYPES, Shape
from tfmbs.tools.main import OK, REFUSED
from tfmbs.tools.progress import Progress

SCHEMA = 1
"""Of the JSON: docs/tfmbs-bench-kernels.schema.json."""

SHAPES = "2560x2560,2560x6912,6912x2560,4096x4096,4096x14336"
PEERS = ("onnxruntime", "torch", "numpy", "litespark")
ROTATION_MB = 200
HEAD = ("type", "N×K", "n", "weights in", "threads", "kernel", "bits", "µs", "GOPS", "% read stream", "% peak", "check")
LEGEND = (
    "medians; % read stream: bytes of the weights over time, of what this processor reads from memory;\n"
    "% peak: of its multiplier; both measured in the same rounds"
)
NUMBERS = frozenset({2, 4, 6, 7, 8, 9, 10})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    add = parser.add_argument
    add("--shapes", default=SHAPES, metavar="NxK,…", help="rows x columns of the weights (default: %(default)s)")
    add("--batch", default="1,8,128,512", metavar="N,…", help="tokens at once (default: %(default)s)")
    add("--types", default="ternary,int8,int4,f32,bf16", metavar="T,…", help="(default: %(default)s)")
    add("--isa", metavar="ISA,…", help="instruction sets of ours (default: the one that a run takes)")
    add("--peers", default=",".join(PEERS), metavar="P,…", help="or none (default: %(default)s)")
    help_ = "together, of the copies that take turns at n = 1 (default: %(default)s)"
    add("--rotate", type=int, default=ROTATION_MB, metavar="MB", help=help_)
    add_common(parser, rounds=7)


def run(given: Any) -> int:
    """Prints the table. Exit code 1 where a result of ours is wrong. Raises TfmbsError `usage`, `io`, `install`."""
    shapes = listed("--shapes", given.shapes, _shape, "NxK, like 2560x6912")
    tokens = listed("--batch", given.batch, count, "numbers of at least 1")
    types = [TYPES[name] for name in chosen("--types", given.types, TYPES)]
    isas = chosen("--isa", given.isa, _native.instruction_sets()) if given.isa else (fastest_isa(),)
    peers = () if given.peers == "none" else chosen("--peers", given.peers, PEERS)
    threads = threads_of(given)
    if given.rotate < 1:
        raise TfmbsError("usage", "--rotate", "megabytes", "at least 1", given.rotate)
    for shape in shapes:
        if any(kind.name == "int4" for kind in types) and shape.columns % GROUP:
            raise TfmbsError("usage", "--shapes", "columns of int4", f"a multiple of {GROUP}", shape)
    check_outputs(given)

    from tfmbs.tools.bench.measure import Wrong, cells, problems, wrong_at_extremes
    from tfmbs.tools.bench.ours import ours
    from tfmbs.tools.bench.peers import present

    theirs, missing = present(peers)
    kernels = [*(ours(isa, alone=len(isas) == 1) for isa in isas), *theirs]
    found: list[Cell] = []
    wrong: list[Wrong] = []
    bar = Progress()
    try:
        for kind in types:
            if kind.exact:
                bar.show(f"{kind.name}: extreme values")
                wrong += list(wrong_at_extremes(kernels, kind, tokens))
            for problem, residence in problems(kind, shapes, tokens):
                bar.show(f"{kind.name} {problem.shape}, n={len(problem.tokens)}, from {residence}")
                found += cells(
                    kernels, problem, residence, threads, given.rounds, given.rotate * 1_000_000, given.clock
                )
    finally:
        bar.clear()
    result = {
        "schema": SCHEMA,
        "command": "kernels",
        "clock": given.clock,
        "machine": machine(),
        "missing": missing,
        "wrong": [one.to_json() for one in wrong],
        "cells": [cell.to_json() for cell in found],
    }
    return _show(given, result, found, wrong)


def _show(given: Any, result: Mapping[str, Any], found: Sequence[Cell], wrong: Sequence[Any]) -> int:
    from tfmbs.tools.bench.roofline import roofline

    def as_json() -> str:
        return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    write(given, as_json, lambda: roofline(found, one_line(result["machine"])))
    if given.json == "-":
        sys.stdout.write(as_json())
    else:
        print(text(result, found, wrong))
    bad = [f"{c.kernel}, {c.type} {c.rows}x{c.columns}, n={c.tokens}" for c in found if c.ours and not c.right]
    bad += [str(one) for one in wrong if one.ours]
    for line in bad[:1]:
        print(f"error: {line}: results, expected those of numpy, {len(bad)} cells differ", file=sys.stderr)
    return REFUSED if bad else OK


def text(result: Mapping[str, Any], found: Iterable[Cell], wrong: Iterable[Any]) -> str:
    """The table for people, with the machine and the peers that are missing."""
    lines = [f"{one_line(result['machine'])}; {result['clock']} time", ""]
    rows = [HEAD, *(_row(cell) for cell in found)]
    lines += [table(rows, NUMBERS), ""]
    lines += [f"missing: {name}: {why}" for name, why in result["missing"].items()]
    lines += [str(one) for one in wrong]
    lines.append(LEGEND)
    return "\n".join(lines)


def _row(cell: Cell) -> tuple[str, ...]:
    where = f"memory ({cell.copies} copies)" if cell.residence == DRAM else "caches"
    check = (
        ("exact" if TYPES[cell.type].exact and cell.worst == 0 else "ok") if cell.right else f"WRONG {cell.worst:.2g}"
    )
    return (
        cell.type,
        f"{cell.rows}×{cell.columns}",
        str(cell.tokens),
        where,
        str(cell.threads),
        cell.kernel,
        f"{cell.weight_bits:.2f}",
        f"{cell.timing.median * 1e6:.1f}",
        f"{cell.operations_per_second / 1e9:.1f}",
        f"{100 * cell.stream_share:.0f}",
        f"{100 * cell.peak_share:.0f} of {cell.limit.unit}",
        check,
    )


def _shape(text_: str) -> Shape:
    rows, x, columns = text_.lower().replace("×", "x").partition("x")
    if not x:
        raise ValueError(text_)
    shape = Shape(count(rows), count(columns))
    if shape.columns < 2:
        raise ValueError(text_)
    return shape
