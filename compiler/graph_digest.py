"""The digest of a graph: what files that are about one graph carry, so that they are refused for another."""

from __future__ import annotations

import re
from typing import Any

from blake3 import blake3

from tfmbs.compiler.ir_printing import AsmFlags
from tfmbs.compiler.jit import copy_module
from tfmbs.dialect.attributes import as_elements
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.choices import OWN, forget
from tfmbs.passes.graph.kernels import ops_where

_TEXT = AsmFlags(elements_limit=1, resource_limit=1, generic=True, local_scope=True)
_RESOURCE = re.compile(r'dense_resource<(?:"(?:[^"\\]|\\.)*"|[^">]*)>')
"""A resource by its name, which depends on what else is in the process."""


def graph_digest(module: Any) -> str:
    """BLAKE3 of a module in hexadecimal: of its ops, types and attributes, and of the bytes of its constants.

    Locations, names of constants, and what was said about how products are to be quantized do not count.
    """
    copy = copy_module(module)
    for op in (copy, *ops_where(copy, lambda op: any(name in op.operation.attributes for name in OWN))):
        forget(op.operation)
    digest = blake3(_RESOURCE.sub("dense_resource", _TEXT.text(copy.operation)).encode())
    for op in ops_where(copy, lambda op: "value" in op.operation.attributes):
        elements = as_elements(op.operation.attributes["value"])
        if elements is not None:
            digest.update(read_elements(elements).tobytes())
    return str(digest.hexdigest())
