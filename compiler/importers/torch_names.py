"""How the nodes of an exported program are called, and which line of the user's code they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tfmbs.runtime.abi.errors import At

_ORIGIN = "tfmbs_origin"
"""Key of a node's meta: the name of the node that it was made of."""

_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)')
_LIBRARY = re.compile(r"[/\\]torch[/\\](nn|_\w+|functional\.py)")
"""Files of torch itself, wherever it was installed on the machine that exported the program."""


@dataclass(frozen=True)
class Line:
    """A line of the Python code that was exported."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


def layer_name(node: Any) -> str:
    """What a node is called: the path of its module, with the node's own name behind where the module is the user's.

    The own name is that in the user's program, also of what came of it by decomposition.
    """
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    own = own_name(node)
    is_layer = bool(path) and str(kind).startswith(("torch.nn.", "tfmbs.torch."))
    return path if is_layer else f"{path}.{own}" if path else own


def own_name(node: Any) -> str:
    """The node's name in the user's program."""
    return str(node.meta.get(_ORIGIN, node.name))


def op_name(node: Any) -> str:
    """The name of a node's op, without its overload."""
    return str(getattr(node.target, "_overloadpacket", node.target))


def at_layer(node: Any, where: str) -> At:
    """A node as the subject of an error."""
    return At(layer_name(node), "node", f"{where}: {layer_name(node)} ({op_name(node)})")


def at_end(kind: str, name: str, where: str) -> At:
    """An input or output of the program `where` as the subject of an error."""
    return At(name, kind, f"{where}: {kind} '{name}'")


def mark_origins(graph: Any, program: Any) -> None:
    """Writes on each node of `graph`, which torch made of the exported `program`, which of its nodes it comes from."""
    for node in graph.nodes:
        sources = node.meta.get("from_node") or ()
        while sources:
            if sources[-1].graph_id == id(program.graph):
                node.meta[_ORIGIN] = sources[-1].name
            sources = sources[-1].from_node


def line_of(node: Any) -> Line | None:
    """The innermost line of the user's own code that a node comes from; one of torch's where there is no other."""
    frames = [Line(f["file"], int(f["line"])) for f in _FRAME.finditer(node.meta.get("stack_trace") or "")]
    own = [frame for frame in frames if not _LIBRARY.search(frame.file)]
    found = own or frames
    return found[-1] if found else None
