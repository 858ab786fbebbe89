"""Targets with other values of some parameters, by dotted key: ``array.rows``, ``l2.size``, ``energy``."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.target_table import parameters

Value = int | float | str

ENERGY = "energy"
ALIASES = {"arrays.": "array."}
"""Beginnings of keys that are taken for others."""

SIZES = {f"{level}.size": level for level in ("l1", "l2", "l3")}
"""Keys that are no parameters: bytes of a memory, by its banks' size."""

UNITS = {"K": 1 << 10, "M": 1 << 20}


def accepted_keys() -> tuple[str, ...]:
    """What may be varied: parameters of one value, sizes of memories, and the energy profile by its name."""
    single = [key for key, rule in parameters(Target) if not _is_text(key) and not _is_list(key)]
    return (*single, *SIZES, ENERGY)


def _is_text(key: str) -> bool:
    return key in ("name", "description", "kind", "external.kind") or key.startswith("energy.")


def _is_list(key: str) -> bool:
    return key in ("features", "zero_skip", "array.dataflows", "array.operands", "vector.types", "vector.functions")


def key_of(option: str, text: str) -> str:
    """The key that is meant. Raises TfmbsError `usage`, naming the accepted ones."""
    key = text
    for start, meant in ALIASES.items():
        if key.startswith(start):
            key = meant + key.removeprefix(start)
    if key not in accepted_keys():
        raise TfmbsError("usage", option, "key", f"one of {', '.join(accepted_keys())}", text or "nothing")
    return key


def value_of(option: str, text: str) -> Value:
    """A number, with K or M behind an integer 2¹⁰ or 2²⁰ times as large; else a word. Raises TfmbsError `usage`."""
    factor = UNITS.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if digits.isascii() and digits.isdigit():
        return int(digits) * factor
    try:
        value = float(text)
    except ValueError:
        if text:
            return text
        raise TfmbsError("usage", option, "value", "a number or a word", "nothing") from None
    if not math.isfinite(value):
        raise TfmbsError("usage", option, "value", "a finite number", text)
    return value


def varied(target: str, changes: Mapping[str, Value]) -> dict[str, Any]:
    """The table of a target with other values. Raises TfmbsError `target` for values, or pairs, that are impossible."""
    table: dict[str, Any] = load_target(target).to_dict()
    where = ", ".join(f"{key}={value}" for key, value in changes.items()) or target
    for key, value in changes.items():
        if key in SIZES:
            memory = table[SIZES[key]]
            if not isinstance(value, int) or value % (memory["banks"] * memory["width_bytes"]):
                expected = f"a multiple of {memory['banks']} banks of {memory['width_bytes']} bytes"
                raise TfmbsError("target", f"{where}: {key}", "bytes of a memory", expected, value)
            memory["bank_bytes"] = value // memory["banks"]
        elif key != ENERGY:
            *path, last = key.split(".")
            inner = table
            for part in path:
                inner = inner[part]
            inner[last] = value
    Target.from_dict(table, where)
    if ENERGY in changes:
        table[ENERGY] = changes[ENERGY]  # a target file may name a profile
        _check(table, where)
    return table


def _check(table: Mapping[str, Any], where: str) -> None:
    with target_file(table) as path:
        try:
            load_target(path)
        except TfmbsError as error:
            raise TfmbsError(error.code, where, error.what, error.expected, error.got) from error


@contextmanager
def target_file(table: Mapping[str, Any]) -> Iterator[str]:
    """The path of a target file with a table, for options that take one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{table['name']}.toml"
        path.write_text(toml(table), encoding="utf-8")
        yield str(path)


def toml(table: Mapping[str, Any], prefix: str = "") -> str:
    """A tree of tables as TOML: its numbers, texts and lists of words are written as in JSON."""
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
        if not isinstance(value, Mapping)
    ]
    text = "\n".join(lines) + "\n"
    for key, value in table.items():
        if isinstance(value, Mapping):
            name = f"{prefix}.{key}" if prefix else key
            text += f"\n[{name}]\n{toml(value, name)}"
    return text
