"""The reference networks, which are examples: a checkout has them, the wheel does not."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tfmbs.runtime.abi.errors import TfmbsError


def root(option: str, name: str = "") -> Path:
    """The checkout. Raises TfmbsError `install` where there is none."""
    found = Path(__file__).resolve().parents[2]  # links of an editable installation lead to the checkout
    if not (found / "examples" / "models").is_dir():
        what = "the reference networks are examples and not installed"
        raise TfmbsError("install", option, what, "a checkout (pip install --editable), or FILE.onnx", name)
    return found


def example(name: str) -> ModuleType:
    """A module of `examples`, ``models.catalogue`` for one. Raises TfmbsError `install` where there is no checkout."""
    checkout = str(root("--models", name))
    if checkout not in sys.path:
        sys.path.append(checkout)
    return import_module(f"examples.{name}")
