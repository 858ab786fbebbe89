"""``tfmbs-bench models``: whole networks, beside onnxruntime at the same precision and IREE."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.bars import bars
from tfmbs.tools.bench.machine import machine, one_line
from tfmbs.tools.bench.model_cell import ModelCell
from tfmbs.tools.bench.options import add_common, check_outputs, chosen, table, threads_of, write
from tfmbs.tools.main import OK, REFUSED
from tfmbs.tools.progress import Progress

SCHEMA = 1
"""Of the JSON: docs/tfmbs-bench-models.schema.json."""

NAMES = ("resnet18", "mobilenet_v2", "bert", "gpt2-decode", "bitnet-2b-decode", "bitnet-2b-prefill")
PEERS = ("onnxruntime", "iree")
SIZES = ("FULL", "SMALL")
HEAD = ("network", "precision", "threads", "program", "ms", "to ours", "tokens/s", "% read stream", "cosine", "check")
NUMBERS = frozenset({2, 4, 5, 6, 7, 8})
LEGEND = (
    "medians; to ours: its time over ours; % read stream, of decoders: bytes of all weights for each step over time,\n"
    "of what this processor reads from memory in the same rounds; cosine: to the float model, or numpy"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    add = parser.add_argument
    add("--models", default=",".join(NAMES), metavar="M,…", help="or FILE.onnx (default: %(default)s)")
    add("--precision", metavar="P,…", help="fp32, int8, ternary (default: all that a network is measured at)")
    add("--peers", default=",".join(PEERS), metavar="P,…", help="or none (default: %(default)s)")
    add("--size", default=SIZES[0], choices=SIZES, help="SMALL networks have the same layers (default: %(default)s)")
    add_common(parser, rounds=7)


def run(given: Any) -> int:
    """Prints the table. Exit code 1 where a result of ours is wrong. Raises TfmbsError `usage`, `io`, `install`, …"""
    names = _names(given.models)
    peers = () if given.peers == "none" else chosen("--peers", given.peers, PEERS)
    threads = threads_of(given)
    precisions = chosen("--precision", given.precision, ("fp32", "int8", "ternary")) if given.precision else None
    check_outputs(given)

    from tfmbs.tools.bench.measure_models import measured

    cells: list[ModelCell] = []
    missing: dict[str, str] = {}
    bar = Progress()
    try:
        for name in names:
            bar.show(name)
            cells += measured(name, precisions, peers, threads, given, missing)
    finally:
        bar.clear()
    if not cells:
        raise TfmbsError("usage", "--precision", "no network is measured at it", "another one", given.precision)
    result = {
        "schema": SCHEMA,
        "command": "models",
        "size": given.size,
        "clock": given.clock,
        "machine": machine(),
        "missing": missing,
        "cells": [cell.to_json() for cell in cells],
    }
    return _show(given, result, cells)


def _names(text: str) -> tuple[str, ...]:
    """Known networks and files. Raises TfmbsError `usage`."""
    names = tuple(text.split(","))
    for name in names:
        if name not in NAMES and Path(name).suffix != ".onnx":
            raise TfmbsError("usage", "--models", "network", f"some of {','.join(NAMES)}, or FILE.onnx", name)
    if len(set(names)) < len(names):
        raise TfmbsError("usage", "--models", "a value given twice", got=text)
    return names


def _show(given: Any, result: Mapping[str, Any], cells: Sequence[ModelCell]) -> int:
    def as_json() -> str:
        return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    write(given, as_json, lambda: bars(cells, one_line(result["machine"])))
    if given.json == "-":
        sys.stdout.write(as_json())
    else:
        print(text(result, cells))
    bad = [cell for cell in cells if cell.ours and not cell.right]
    for cell in bad[:1]:
        where = f"{cell.network} at {cell.precision}"
        print(f"error: {where}: outputs, expected those of torch, got a cosine of {cell.cosine:.6f}", file=sys.stderr)
    return REFUSED if bad else OK


def text(result: Mapping[str, Any], cells: Sequence[ModelCell]) -> str:
    """The table for people, with what our time went into, the machine and the peers that are missing."""
    lines = [f"{one_line(result['machine'])}; {result['clock']} time", ""]
    ours = {cell.row: cell.timing.median for cell in cells if cell.ours}
    lines += [table([HEAD, *(_row(cell, ours[cell.row]) for cell in cells)], NUMBERS), ""]
    for cell in cells:
        if cell.launches:
            parts = ", ".join(f"{kind} {1e3 * part:.2f} ({count})" for kind, (count, part) in cell.launches.items())
            lines.append(f"{cell.network} {cell.precision}, on {cell.threads}, ms by kind of launch: {parts}")
    lines += ["", *(f"missing: {name}: {why}" for name, why in result["missing"].items()), LEGEND]
    return "\n".join(lines)


def _row(cell: ModelCell, ours: float) -> tuple[str, ...]:
    share, rate = cell.stream_share, cell.tokens_per_second
    return (
        cell.network,
        cell.precision,
        str(cell.threads),
        cell.program,
        f"{cell.timing.median * 1e3:.2f}",
        f"{cell.timing.median / ours:.2f}",
        "" if rate is None else f"{rate:.1f}",
        "" if share is None else f"{100 * share:.0f}",
        f"{cell.cosine:.6f}",
        "ok" if cell.right else f"WRONG, off by {cell.worst:.1e}",
    )
