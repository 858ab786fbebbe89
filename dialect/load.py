"""Loading the dialect into a context: imports every module that defines a part, then hands it to the bindings."""

import threading
from typing import Any

from tfmbs.dialect import (
    attributes,
    epilogue,
    fabric,
    fabric_siw,
    graph_attention,
    graph_groups,
    graph_lstm,
    graph_ops,
    graph_windows,
    kernel,
    kernel_attention,
    kernel_groups,
    kernel_lstm,
    kernel_program,
    kernel_windows,
    scalars,
    types,
)
from tfmbs.dialect.base import Tfmbs
from tfmbs.dialect.mlir import name_dialect_module

__all__ = ["DEFINITIONS", "Tfmbs", "load"]

DEFINITIONS = (
    types,
    attributes,
    graph_attention,
    graph_groups,
    graph_lstm,
    graph_ops,
    graph_windows,
    epilogue,
    scalars,
    kernel,
    kernel_attention,
    kernel_groups,
    kernel_lstm,
    kernel_windows,
    kernel_program,
    fabric,
    fabric_siw,
)

# Modules may be imported in any order; what is made of the dialect (IRDL, pages) has this one.
_ORDER = [module.__name__ for module in DEFINITIONS]
Tfmbs.operations.sort(key=lambda op: _ORDER.index(op.__module__))


# The bindings keep what they are loading in class attributes, so that two loads at once would mix their contexts.
_LOADING = threading.Lock()

name_dialect_module(Tfmbs.DIALECT_NAMESPACE, __name__)


def load(context: Any) -> None:
    """Load ``tfmbs`` into `context`. Ops of other contexts stay valid; loading twice into one context does nothing.

    Threads may load into contexts of their own at the same time.
    """
    with _LOADING, context:
        if not context.is_dialect_loaded(Tfmbs.DIALECT_NAMESPACE):
            Tfmbs.load()
