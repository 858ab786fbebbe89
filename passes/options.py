"""Textual options of passes, ``a=1 b=x,y c={nested text}``: MLIR's spelling, read into typed values and printed."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from tfmbs.runtime.abi.errors import TfmbsError

Value = bool | int | float | str | tuple[int, ...] | tuple[str, ...]

_PLAIN = re.compile(r"[^\s{}'\",\\]+")
_CLOSERS = {"{": "}", "(": ")"}


@dataclass(frozen=True)
class OptionType:
    """How one option is read: `expected` names its type for messages, `choices` lists the values of an enumeration."""

    expected: str
    read: Callable[[str], Value]
    default: Value
    choices: tuple[str, ...] = ()


def _read_bool(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text in ("true", "1")


def _read_int(text: str) -> int:
    return int(text, 0)


_SCALARS: dict[type, tuple[str, Callable[[str], Any]]] = {
    bool: ("true or false", _read_bool),
    int: ("an integer", _read_int),
    float: ("a number", float),
    str: ("text", str),
}


def option_type(hint: Any, default: Any) -> OptionType:
    """The option of a dataclass field with type `hint` and value `default`.

    Raises:
        TypeError: the field has a type that options cannot have, or no default (a mistake in the pass, not of a user).
    """
    if default is dataclasses.MISSING:
        raise TypeError("an option of a pass needs a default")
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return OptionType(f"one of {', '.join(choices)}", _choice_reader(choices), default, choices)
    if get_origin(hint) is tuple and get_args(hint)[1:] == (...,) and get_args(hint)[0] in (int, str):
        expected, read = _SCALARS[get_args(hint)[0]]
        plural = {"an integer": "integers", "text": "words"}[expected]
        return OptionType(f"a comma-separated list of {plural}", lambda text: _read_list(text, read), default)
    if hint in _SCALARS:
        expected, read = _SCALARS[hint]
        return OptionType(expected, lambda text: read(_unwrap(text)), default)
    raise TypeError(f"options of passes cannot have type {hint}")


def _choice_reader(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        value = _unwrap(text)
        if value not in choices:
            raise ValueError(value)
        return value

    return read


def parse_options(text: str, types: Mapping[str, OptionType], owner: str) -> dict[str, Value]:
    """Reads ``a=1 b=x,y``; a bool without a value is true. Only the options that are given are in the result.

    Raises:
        TfmbsError: ``pass.unknown``, naming the pass `owner` and the option.
    """
    values: dict[str, Value] = {}
    for name, given in _pairs(text, owner):
        where = f"pass {owner}"
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1) or sorted(types)
            hint = f"expected {' or '.join(near)}" if near else "it has no options"
            raise TfmbsError("pass.unknown", where, f"no option '{name}', {hint}")
        if name in values:
            raise TfmbsError("pass.unknown", where, f"option '{name}' is given twice")
        kind = types[name]
        if given is None and not isinstance(kind.default, bool):
            raise TfmbsError("pass.unknown", where, f"option '{name}' needs a value", kind.expected, "none")
        try:
            values[name] = kind.read("true" if given is None else given)
        except ValueError as error:
            raise TfmbsError("pass.unknown", where, f"option '{name}'", kind.expected, repr(given)) from error
    return values


def _pairs(text: str, owner: str) -> Iterator[tuple[str, str | None]]:
    for word in _split(text, str.isspace, owner):
        name, equals, value = word.partition("=")
        yield name, value if equals else None


def _read_list(text: str, read: Callable[[str], Any]) -> tuple[Any, ...]:
    parts = _split(_without_braces(text), lambda c: c == ",", "list")
    return tuple(read(_unwrap(part.strip())) for part in parts)


def _without_braces(value: str) -> str:
    return value[1:-1] if value.startswith("{") and skip_group(value, 0) == len(value) else value


def _unwrap(value: str) -> str:
    """Removes the quotes (with their backslash escapes) or the one pair of braces around a value."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return _without_braces(value)


def _split(text: str, separates: Callable[[str], bool], owner: str) -> list[str]:
    """Splits at separators outside quotes and brackets; empty parts are dropped."""
    parts, start, position = [], 0, 0
    while position < len(text):
        if separates(text[position]):
            parts.append(text[start:position])
            start = position = position + 1
        elif text[position] in "'\"{(":
            end = skip_group(text, position)
            if end < 0:
                raise TfmbsError("pass.unknown", f"pass {owner}", f"unbalanced {text[position]} in '{text}'")
            position = end
        else:
            position += 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def skip_group(text: str, start: int) -> int:
    """The position behind the quoted string or bracketed group that opens at `start`, or -1 if it never closes."""
    if text[start] in "'\"":
        closed = re.compile(rf"(?:[^{text[start]}\\]|\\.)*{text[start]}", re.DOTALL).match(text, start + 1)
        return closed.end() if closed else -1
    closer, position = _CLOSERS[text[start]], start + 1
    while position < len(text):
        if text[position] == closer:
            return position + 1
        position = skip_group(text, position) if text[position] in "'\"{(" else position + 1
        if position < 0:
            break
    return -1


def format_options(values: Mapping[str, Value]) -> str:
    """The inverse of `parse_options`: ``a=1 b=x,y``. An empty list prints as ``{}``."""
    return " ".join(f"{name}={_format(value)}" for name, value in values.items())


def _format(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(_format, value)) if value else "{}"
    if isinstance(value, str):
        return _format_text(value)
    return repr(value)


def _format_text(value: str) -> str:
    if _PLAIN.fullmatch(value) and "(" not in value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
