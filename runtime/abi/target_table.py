"""Reading of decoded TOML or JSON objects into dataclasses whose fields are ``Annotated[type, Rule(…)]``."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from tfmbs.runtime.abi.errors import TfmbsError

HIGHEST = 2**53  # integers up to here are exact in JSON and TOML readers


@dataclass(frozen=True)
class Rule:
    """What a parameter means and which values it admits; `choices` are those of a word or of each word of a list."""

    doc: str
    low: float | None = None
    above: float | None = None
    high: float = HIGHEST
    power_of_two: bool = False
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def read_table(cls: Any, table: object, where: str, prefix: str = "") -> Any:
    """An instance of the dataclass `cls` from a mapping with exactly its fields as keys, nested ones included.

    Raises:
        TfmbsError: ``target``, at `where` and the dotted key.
    """
    if not isinstance(table, Mapping):
        raise _error(where, prefix or "table", "value", "a table", _shown(table))
    hints = _hints(cls)
    for key in table:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1) or list(hints)
            raise _error(where, _join(prefix, str(key)), "unknown key", " or ".join(near), _shown(key))
    values = {}
    for name, hint in hints.items():
        key = _join(prefix, name)
        if name not in table:
            raise _error(where, key, "missing key", _meaning(hint), "nothing")
        if dataclasses.is_dataclass(hint):
            values[name] = read_table(hint, table[name], where, key)
        else:
            kind, rule = get_args(hint)
            values[name] = _READERS[kind](table[name], rule, where, key)
    return cls(**values)


def parameters(cls: Any, prefix: str = "") -> Iterator[tuple[str, Rule]]:
    """(dotted key, rule) of every parameter of a dataclass tree, leaves only, in order."""
    for name, hint in _hints(cls).items():
        key = _join(prefix, name)
        if dataclasses.is_dataclass(hint):
            yield from parameters(hint, key)
        else:
            yield key, get_args(hint)[1]


def _meaning(hint: Any) -> str:
    return "a table" if dataclasses.is_dataclass(hint) else get_args(hint)[1].doc


def _check_range(value: float, rule: Rule, where: str, key: str, wanted: str) -> None:
    if rule.low is not None and value < rule.low:
        raise _error(where, key, rule.doc, f"{wanted} of at least {rule.low:g}", _shown(value))
    if rule.above is not None and value <= rule.above:
        raise _error(where, key, rule.doc, f"{wanted} above {rule.above:g}", _shown(value))
    if not value <= rule.high:
        raise _error(where, key, rule.doc, f"{wanted} of at most {rule.high:g}", _shown(value))


def _read_float(value: object, rule: Rule, where: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _error(where, key, rule.doc, "a number", _shown(value))
    _check_range(value, rule, where, key, "a number")
    return float(value)


def _read_int(value: object, rule: Rule, where: str, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _error(where, key, rule.doc, "an integer", _shown(value))
    _check_range(value, rule, where, key, "an integer")
    if rule.power_of_two and value & (value - 1):
        raise _error(where, key, rule.doc, "a power of two", value)
    return value


def _read_word(value: object, rule: Rule, where: str, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _error(where, key, rule.doc, "a text that is not empty", _shown(value))
    if rule.choices and value not in rule.choices:
        raise _error(where, key, rule.doc, f"one of {', '.join(rule.choices)}", _shown(value))
    return value


def _read_words(value: object, rule: Rule, where: str, key: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not (value or rule.may_be_empty):
        raise _error(where, key, rule.doc, "a list of words", _shown(value))
    words = tuple(_read_word(item, rule, where, key) for item in value)
    if len(set(words)) != len(words):
        raise _error(where, key, rule.doc, "each word once", _shown(value))
    return words


_READERS = {int: _read_int, float: _read_float, str: _read_word, tuple[str, ...]: _read_words}


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _error(where: str, key: str, what: str, expected: object, got: object) -> TfmbsError:
    return TfmbsError("target", f"{where}: {key}", what, expected, got)
