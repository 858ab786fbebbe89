"""What the JSON of a ``.pt2`` file may hold. Torch's reader makes code of strings in it, so each must be harmless.

Sizes go through sympy's `sympify`, which evaluates; guards, and names of inputs and of attributes, become lines of
generated Python; targets are looked up from `torch` on, which reaches `torch.os`; tree specifications import modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)?")
_PLAIN = re.compile(r"[A-Za-z0-9_.+:,/ -]*")
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!from_file\.)[A-Za-z_]\w*\.[A-Za-z]\w*"
    r"|torch\.ops\.tfmbs\.(ternary_weight|bit_linear)\.default"
    r"|torch\.ops\.higher_order\.[A-Za-z]\w*|_operator\.getitem",
    re.ASCII,
)
_NAMES = frozenset({"name", "as_name", "forward_arg_names"})
_TEXT = frozenset({"as_string", "as_strings", "stack_trace", "nn_module_stack", "torch_fn", "source_fn_stack"})
"""Strings that torch only quotes, splits or looks up; none is evaluated."""
_SPECS = frozenset({"in_spec", "out_spec"})
_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})


def check_program(text: bytes, where: str) -> None:
    """Refuses symbolic sizes, guards, foreign targets and names that are more than names.

    Raises:
        TfmbsError: ``torch.parse``; ``torch.unsupported``, for sizes that are not fixed.
    """
    try:
        content = json.loads(text)
        if symbolic := _symbolic_sizes(content):
            expected = "sizes that are fixed: export without dynamic_shapes"
            raise TfmbsError("torch.unsupported", where, "sizes of inputs", expected, "; ".join(symbolic))
        _check(content, "", where)
    except (ValueError, RecursionError) as error:
        raise TfmbsError("torch.parse", where, "kind of file", "JSON", type(error).__name__) from error


def _symbolic_sizes(content: Any) -> list[str]:
    """The axes of inputs that have no fixed size, by the names of the inputs."""
    graph = _inside(content, "graph_module", "graph")
    found = []
    for value in _list(_inside(graph, "inputs")):
        name = _inside(value, "as_tensor", "name")
        sizes = _list(_inside(graph, "tensor_values", name, "sizes"))
        axes = [axis for axis, size in enumerate(sizes) if _inside(size, "as_expr") is not None]
        if axes:
            found.append(f"'{name}' axis {', '.join(map(str, axes))}")
    return found


def _inside(value: Any, *keys: Any) -> Any:
    """What lies in nested objects at these keys; None where it does not."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) and isinstance(key, str) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check(value: Any, key: str, where: str) -> None:
    if isinstance(value, Mapping):
        for inner, content in value.items():
            _check_string(inner, "", where)
            if inner == "expr_str" or (inner in ("range_constraints", "guards_code") and content):
                raise TfmbsError("torch.unsupported", where, inner, "sizes that are fixed", str(content)[:80])
            _check(content, inner, where)
    elif isinstance(value, list):
        for content in value:
            _check(content, key, where)
    elif isinstance(value, str):
        _check_string(value, key, where)


def _check_string(value: str, key: str, where: str) -> None:
    if key in _TEXT:
        return
    if key in _SPECS:
        _check_tree(json.loads(value), where)
        return
    pattern = _TARGET if key == "target" else _NAME if key in _NAMES else _PLAIN
    if not pattern.fullmatch(value):
        what = "target of a node" if key == "target" else f"text of '{key or 'a key'}' could be code"
        raise TfmbsError("torch.parse", where, what, "an operator or a plain name", value[:80])


def _check_tree(value: Any, where: str) -> None:
    """Containers of Python's own; contexts (keys of dictionaries, say) are JSON in a string."""
    if isinstance(value, Mapping):
        kind = value.get("type")
        if kind is not None and (not isinstance(kind, str) or kind not in _TREES):
            raise TfmbsError("torch.parse", where, "kind of container", "tuple, list or dict", str(kind)[:80])
        if "context" in value and isinstance(value["context"], str):
            _check(json.loads(value["context"]), "", where)
    for content in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        if isinstance(content, (Mapping, list)):
            _check_tree(content, where)
