"""A model as one program per op: what fusion is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tfmbs.tools.bench.problem import Array
from tfmbs.tools.bench.simulated.models import ELEMENT, Model
from tfmbs.tools.bench.simulated.result import Ops, Simulated
from tfmbs.tools.bench.simulated.workload import Workload, run, simulate

FREE = ("Reshape", "Transpose")
"""Ops that cost nothing here: other kernels can read through them."""


def measured(workload: Workload) -> Simulated:
    """What a workload takes, and its ops one by one where it asks for them."""
    simulated = simulate(workload)
    return replace(simulated, ops=one_by_one(workload)) if workload.against_ops else simulated


def one_by_one(workload: Workload) -> Ops:
    """The ops of a workload's model, each simulated on the values that it gets in the model."""
    model = workload.build()
    values: dict[str, Array] = dict(model.inputs)
    constants = {one.name: one for one in model.onnx.graph.initializer}
    total = Ops(0, 0, 0, 0)
    for node in model.onnx.graph.node:
        if node.op_type in FREE:
            values[node.output[0]] = _moved(node, values[node.input[0]], constants)
            continue
        own = _model(node, model.onnx, {name: values[name] for name in node.input if name in values}, constants)
        simulated, outputs = run(replace(workload, build=partial(Model, own.onnx, own.inputs)))
        (values[node.output[0]],) = outputs.values()
        read = sum(values[name].nbytes for name in own.inputs)
        read += sum(numpy_helper.to_array(one).nbytes for one in own.onnx.graph.initializer)
        least = read + values[node.output[0]].nbytes
        total = Ops(
            total.count + 1,
            total.cycles + simulated.cycles,
            total.external_bytes + simulated.external_bytes,
            total.least_external_bytes + least,
        )
    return total


def _model(
    node: onnx.NodeProto,
    whole: onnx.ModelProto,
    inputs: Mapping[str, Array],
    constants: Mapping[str, onnx.TensorProto],
) -> Model:
    given = [helper.make_tensor_value_info(name, ELEMENT[a.dtype], a.shape) for name, a in inputs.items()]
    known = {value.name: value for value in (*whole.graph.value_info, *whole.graph.output)}
    results = [known[name] for name in node.output]
    own = [constants[name] for name in dict.fromkeys(node.input) if name in constants]
    graph = helper.make_graph([node], "op", given, results, own)
    made = helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    return Model(made, inputs)


def _moved(node: onnx.NodeProto, value: Array, constants: Mapping[str, onnx.TensorProto]) -> Array:
    if node.op_type == "Reshape":
        shape = [int(size) for size in numpy_helper.to_array(constants[node.input[1]])]
    else:
        (order,) = [helper.get_attribute_value(one) for one in node.attribute if one.name == "perm"]
        value, shape = value.transpose(order), [value.shape[axis] for axis in order]
    moved: Array = np.ascontiguousarray(value).reshape(shape)
    return moved
