"""All that the import refuses of a model as a whole: it is asked again and again, each time without what it refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from tfmbs.compiler.check.names import own_names
from tfmbs.compiler.check.onnx_surgery import free_initializer, known_types, lighten, remove_nodes
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.importers.external_data import all_tensors
from tfmbs.compiler.importers.onnx_dims import graph_inputs
from tfmbs.compiler.importers.onnx_graph import named, uses
from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.compiler.importers.onnx_rules import check_tensor, node_label
from tfmbs.runtime.abi.errors import TfmbsError

STAND_IN = 4
"""The size that a symbolic dimension has here when it is not given."""

_MOST = 200  # refusals of one model; a model has more only if it is made for that


@dataclass
class Findings:
    """What was refused, and what is left: the `prepared` model of the nodes that nothing was said about, if any.

    `large` are the initializers that are inputs of it; `unseen` the nodes that could not be looked at, because the
    types of what they read are unknown.
    """

    problems: list[Problem] = field(default_factory=list)
    prepared: ModelProto | None = None
    large: Mapping[str, TensorProto] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    dims: dict[str, int] = field(default_factory=dict)


def find(model: ModelProto, dims: Mapping[str, int], where: str) -> Findings:
    """Everything that `prepare` refuses of `model`, one problem for each node, tensor, input or dimension."""
    work = named(model)
    found = Findings(dims=dict(dims))
    found.problems += _unbound(work, found.dims)
    found.large = lighten(work)
    for problem, tensor in _bad_tensors(found.large, where):
        found.problems.append(problem)
        _cut(work, {n.name for n in work.graph.node if tensor in uses(n)}, found)
    for _ in range(_MOST):
        if not work.graph.node:
            return found
        try:
            found.prepared = prepare(work, {n: s for n, s in found.dims.items() if n in _symbols(work)}, where)
        except TfmbsError as error:
            problem = Problem.of(error, where)
            found.problems.append(problem)
            if not _take_out(work, error, problem, found):
                return found
        else:
            return found
    return found


def _symbols(model: ModelProto) -> set[str]:
    inputs = graph_inputs(model.graph)
    return {dim.dim_param for value in inputs for dim in value.type.tensor_type.shape.dim if dim.dim_param}


def _unbound(model: ModelProto, dims: dict[str, int]) -> Iterator[Problem]:
    """A problem for each symbolic dimension without a size, and for each size without a dimension; mends `dims`."""
    symbols = _symbols(model)
    for name in sorted(set(dims) - symbols):
        del dims[name]
        what = "no input has a symbolic dimension of that name"
        yield Problem("onnx.dim", f"dimension '{name}'", what, helps=["leave that --dim out"])
    for name in sorted(symbols - set(dims)):
        dims[name] = STAND_IN
        yield Problem("onnx.dim", f"dimension '{name}'", "it is symbolic and has no size", helps=[f"--dim {name}=N"])


def _bad_tensors(tensors: Mapping[str, TensorProto], where: str) -> Iterator[tuple[Problem, str]]:
    for name, tensor in tensors.items():
        if (problem := _tensor_problem(tensor, where)) is not None:
            yield problem, name


def _tensor_problem(tensor: TensorProto, where: str) -> Problem | None:
    try:
        check_tensor(tensor, where)
    except TfmbsError as error:
        return Problem.of(error, where)
    return None


def _take_out(work: ModelProto, error: TfmbsError, problem: Problem, found: Findings) -> bool:
    """Removes what `error` is about from `work`; whether something was found to remove."""
    if error.subject is None:
        return False
    kind, name = error.subject.kind, error.subject.name
    nodes = {node.name: node for node in work.graph.node}
    if kind == "node" and (name := _top_node(work, name)) in nodes:
        problem.nodes, problem.op = [name], nodes[name].op_type
        problem.where = problem.where or node_label(nodes[name])
        _cut(work, {name}, found)
        return True
    users = {node.name for node in work.graph.node if name in uses(node)}
    if kind == "tensor":
        users |= {node.name for node in work.graph.node if _holds(node, name)}
        problem.nodes = sorted(users)
        free_initializer(work.graph, name)
    if kind in ("tensor", "input") and users:
        _cut(work, users, found)
        return True
    for index, value in enumerate(work.graph.output):
        if kind == "output" and value.name == name:
            del work.graph.output[index]
            return len(work.graph.output) > 0
    return False


def _cut(work: ModelProto, names: set[str], found: Findings) -> None:
    found.unseen += remove_nodes(work, names, _bound_types(work, found.dims))


def _bound_types(work: ModelProto, dims: Mapping[str, int]) -> dict[str, ValueInfoProto]:
    bound = ModelProto.FromString(work.SerializeToString())
    for value in bound.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in dims:
                dim.dim_value = dims[dim.dim_param]
    return known_types(bound)


def _top_node(work: ModelProto, name: str) -> str:
    """The node of the main graph that is, or holds in a branch, the one that `name` belongs to; empty if none does."""
    holders = {inner.name: node.name for node in work.graph.node for inner in (node, *_inside(node))}
    return "".join(holders[own] for own in own_names([name], holders))


def _inside(node: NodeProto) -> Iterator[NodeProto]:
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for inner in graph.node:
                yield inner
                yield from _inside(inner)


def _holds(node: NodeProto, tensor: str) -> bool:
    """Whether an attribute of the node, or of one in a branch of it, is that tensor."""
    model = ModelProto()
    model.graph.node.append(node)
    return any(held.name == tensor for held in all_tensors(model))
