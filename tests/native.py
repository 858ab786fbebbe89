"""Another native extension than the one beside the runtime, e.g. one built with sanitizers, under the same tests."""

from __future__ import annotations

import importlib.util
import sys

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
