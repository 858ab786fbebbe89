"""Another native extension than the one beside the runtime, e.g. one built with sanitizers, under the same tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")

VARIABLE = "TFMBS_NATIVE_UNDER_TEST"
"""Environment variable with the path of the extension that pytest is to test."""


def use_native(path: str) -> None:
    """Makes the native extension at `path` the one that the runtime imports."""
    name = "tfmbs.runtime._native"
    if name in sys.modules:
        raise RuntimeError("the runtime has another native extension already")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def for_child(code: str) -> str:
    """Code for a Python process of a test, which has the native extension that this one has."""
    native = os.environ.get(VARIABLE)
    return f"from tests.native import use_native\nuse_native({native!r})\n{code}" if native else code


def examples(count: int) -> int:
    """How many examples of a property are drawn, of `count`: a fifth of them where another extension is tested.

    Sanitizers look at every access: they need each path and each shape of a tail, not many values.
    """
    return max(4, count // 5) if os.environ.get(VARIABLE) else count


def few(values: Sequence[Value]) -> Sequence[Value]:
    """The values of a parameter that many tests have, or the first one alone where `examples` are fewer."""
    return values[:1] if os.environ.get(VARIABLE) else values
