"""Scalar code: straight lines of arith and math operations, as bodies of structured ops or between tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.siw.integers import CASTS, INTEGER_OPS, LOGICAL_OPS, compare_integers
from tests.siw.meaning import FLOAT_OPS, Doubt, compare_floats
from tests.siw.program import Writer, join
from tests.siw.values import DTYPE_OF, FLOATS, Array, Type, bits_of

CONSTANT, SELECT, INDEX, GATHER = "arith.constant", "arith.select", "linalg.index", "tensor.extract"


@dataclass(frozen=True)
class Node:
    """One operation. `args` number the leaves of the body, then its nodes; `source` is the first operand's element.

    `detail` is the predicate of a comparison, the bits of a constant, the loop of an index, or of a gather the number
    of the captured tensor, then for each of its dimensions -1 (the next argument, brought into range) or a loop.
    """

    op: str
    args: tuple[int, ...]
    element: str
    source: str = ""
    detail: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Body:
    """Nodes over `leaves`, the element types of what the body is given; `results` number what it yields."""

    leaves: tuple[str, ...]
    nodes: tuple[Node, ...]
    results: tuple[int, ...]

    @property
    def elements(self) -> list[str]:
        """Element types of all values."""
        return [*self.leaves, *(node.element for node in self.nodes)]

    def write(self, out: Writer, leaves: Sequence[str], tensors: Sequence[tuple[str, Type]] = ()) -> list[str]:
        """Writes the nodes; returns the names of the results."""
        names = list(leaves)
        for node in self.nodes:
            names.append(_write(node, out, [names[i] for i in node.args], tensors))
        return [names[i] for i in self.results]

    def evaluate(
        self, leaves: Sequence[Array], doubt: Doubt, indices: Sequence[Array] = (), tensors: Sequence[Array] = ()
    ) -> list[Array]:
        """The results elementwise; `indices` are the numbers of the loops' iterations, of the leaves' shape."""
        values = list(leaves)
        for node in self.nodes:
            values.append(np.asarray(_evaluate(node, [values[i] for i in node.args], doubt, indices, tensors)))
        return [values[i] for i in self.results]

    def simpler(self) -> Iterator[Body]:
        """Bodies with a node less: an earlier value or a constant takes its place."""
        for position in reversed(range(len(self.nodes))):
            number, node = len(self.leaves) + position, self.nodes[position]
            elements = self.elements
            for other in (*node.args, *range(len(self.leaves))):
                if elements[other] == node.element and other != number:
                    yield self._replaced(number, other).cleaned()
            if node.op != CONSTANT:
                constant = replace(node, op=CONSTANT, args=(), source="", detail=(2,))
                yield replace(self, nodes=(*self.nodes[:position], constant, *self.nodes[position + 1 :])).cleaned()

    def _replaced(self, number: int, other: int) -> Body:
        change = {number: other}
        nodes = tuple(replace(node, args=tuple(change.get(i, i) for i in node.args)) for node in self.nodes)
        return replace(self, nodes=nodes, results=tuple(change.get(i, i) for i in self.results))

    def cleaned(self) -> Body:
        """Without nodes that no result needs."""
        needed, first = set(self.results), len(self.leaves)
        for position in reversed(range(len(self.nodes))):
            if first + position in needed:
                needed |= set(self.nodes[position].args)
        number = {i: i for i in range(first)}
        nodes: list[Node] = []
        for position, node in enumerate(self.nodes):
            if first + position in needed:
                nodes.append(replace(node, args=tuple(number[i] for i in node.args)))
                number[first + position] = first + len(nodes) - 1
        return replace(self, nodes=tuple(nodes), results=tuple(number[i] for i in self.results))


def constant_text(element: str, bits: int | str) -> str:
    """A constant of these bits."""
    bits = int(bits) & ((1 << bits_of(element)) - 1)
    if element == "i1":
        return "true" if bits else "false"
    if element in FLOATS:
        return f"0x{bits:0{bits_of(element) // 4}X} : {element}"
    limit = 1 << (bits_of(element) - 1)
    return f"{bits - 2 * limit if bits >= limit else bits} : {element}"


def constant_array(element: str, bits: int | str) -> Array:
    """The same constant as an array of rank 0."""
    dtype = DTYPE_OF[element]
    if element == "i1":
        return np.array(bool(int(bits) & 1))
    pattern = np.dtype(f"u{dtype.itemsize}")
    return np.array(int(bits) & ((1 << bits_of(element)) - 1), pattern).view(dtype)


Tensors = Sequence[tuple[str, Type]]


def _write(node: Node, out: Writer, args: list[str], tensors: Tensors) -> str:
    if node.op == GATHER:
        return _write_gather(node, out, args, *tensors[int(node.detail[0])])
    if node.op == INDEX:
        index = out.assign(f"linalg.index {node.detail[0]} : index")
        return out.assign(f"arith.index_cast {index} : index to {node.element}")
    return out.assign(_text(node, args))


def _text(node: Node, args: list[str]) -> str:
    """An operation that is one line."""
    if node.op == CONSTANT:
        return f"{node.op} {constant_text(node.element, node.detail[0])}"
    if node.op in ("arith.cmpi", "arith.cmpf"):
        return f"{node.op} {node.detail[0]}, {join(args)} : {node.source}"
    if node.op.startswith("tfmbs."):
        return f'"{node.op}"({join(args)}) : ({join([node.element] * len(args))}) -> {node.element}'
    types = f"{node.source} to {node.element}" if node.op in CASTS else node.element
    return f"{node.op} {join(args)} : {types}"


def _write_gather(node: Node, out: Writer, args: list[str], tensor: str, type_: Type) -> str:
    places, left = [], list(args)
    for loop, size in zip(node.detail[1:], type_.sizes, strict=True):
        if loop == -1:
            bound = out.assign(f"arith.constant {size} : {node.source}")
            inside = out.assign(f"arith.remui {left.pop(0)}, {bound} : {node.source}")
            places.append(out.assign(f"arith.index_castui {inside} : {node.source} to index"))
        else:
            places.append(out.assign(f"linalg.index {loop} : index"))
    return out.assign(f"tensor.extract {tensor}[{join(places)}] : {type_}")


def _evaluate(node: Node, args: list[Array], doubt: Doubt, indices: Sequence[Array], tensors: Sequence[Array]) -> Array:
    if node.op in _OTHER:
        return _OTHER[node.op](node, args)
    if node.op == INDEX:
        return indices[int(node.detail[0])].astype(DTYPE_OF[node.element])
    if node.op == GATHER:
        return _gathered(node, args, indices, tensors[int(node.detail[0])])
    if node.op in CASTS:
        return CASTS[node.op](args[0], node.element)
    if node.op in FLOAT_OPS:
        return FLOAT_OPS[node.op](node.element, doubt, *args)
    with np.errstate(all="ignore"):
        return np.asarray((INTEGER_OPS | LOGICAL_OPS)[node.op](*args))


_OTHER: dict[str, Callable[[Node, list[Array]], Array]] = {
    CONSTANT: lambda node, args: constant_array(node.element, node.detail[0]),
    SELECT: lambda node, args: np.where(*args).astype(DTYPE_OF[node.element]),
    "arith.cmpi": lambda node, args: compare_integers(str(node.detail[0]), *args),
    "arith.cmpf": lambda node, args: compare_floats(str(node.detail[0]), *args),
}


def _gathered(node: Node, args: list[Array], indices: Sequence[Array], tensor: Array) -> Array:
    left = list(args)
    unsigned = np.dtype(f"u{DTYPE_OF[node.source].itemsize}")
    places = [
        left.pop(0).view(unsigned) % unsigned.type(size) if loop == -1 else indices[int(loop)]
        for loop, size in zip(node.detail[1:], tensor.shape, strict=True)
    ]
    return tensor[tuple(np.broadcast_arrays(*places))] if places else tensor
