"""Loading the dialect into a context: imports every module that defines a part, then hands it to the bindings."""

from typing import Any

from tfmbs.dialect import attributes, epilogue, fabric, fabric_siw, graph_ops, kernel, types
from tfmbs.dialect.base import Tfmbs

DEFINITIONS = (types, attributes, epilogue, graph_ops, kernel, fabric, fabric_siw)


def load(context: Any) -> None:
    """Load ``tfmbs`` into `context`. Ops of other contexts stay valid; loading twice into one context does nothing."""
    with context:
        if not context.is_dialect_loaded(Tfmbs.DIALECT_NAMESPACE):
            Tfmbs.load()
