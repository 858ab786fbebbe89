"""The pass ``tfmbs-annotate``: says what the parts of a network are for."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import patterns
from tfmbs.passes.torch import values as tv


@dataclass(frozen=True)
class TfmbsAnnotate(Pass):
    """Attach what is known of the meaning of a network's parts, found by their structure at the torch level.

    `tfmbs.semantics` is a dictionary. Ops have `pattern` (`attention`, `kv_cache`, `residual_block`,
    `convolution_backbone`, `embedding_table`) and, where they are products, `flops`, `bytes` (operands and result, once
    each) and `intensity` (flops / bytes). Constants and arguments have `residency`; functions have `phase` and
    `modality` where the structure says it. `passes/torch/patterns.py` has the rules.

    Before:

        func.func @f(%x: !torch.vtensor<[2,8],f32>) -> !torch.vtensor<[2,4],f32> {
          %w = torch.vtensor.literal(dense<0.5> : tensor<8x4xf32>) : !torch.vtensor<[8,4],f32>
          %0 = torch.aten.mm %x, %w : !torch.vtensor<[2,8],f32>, !torch.vtensor<[8,4],f32> -> !torch.vtensor<[2,4],f32>
          return %0 : !torch.vtensor<[2,4],f32>
        }

    After:

        func.func @f(%x: !torch.vtensor<[2,8],f32> {tfmbs.semantics = {residency = "ephemeral activation"}})
            -> !torch.vtensor<[2,4],f32> {
          %w = torch.vtensor.literal(dense<0.5> : tensor<8x4xf32>) {tfmbs.semantics = {residency = "persistent weight"}}
              : !torch.vtensor<[8,4],f32>
          %0 = torch.aten.mm %x, %w {tfmbs.semantics = {bytes = 224 : i64, flops = 128 : i64,
              intensity = 0.5714285714285714 : f64}}
              : !torch.vtensor<[2,8],f32>, !torch.vtensor<[8,4],f32> -> !torch.vtensor<[2,4],f32>
          return %0 : !torch.vtensor<[2,4],f32>
        }
    """

    def run(self, module: Any) -> None:
        with module.context, ir.Location.unknown():
            for function in ops_of(module, func.FuncOp):
                if not function.is_external:
                    _annotate(function)


def _annotate(function: Any) -> None:
    ops = [op.operation for op in function.entry_block]
    found: dict[Any, dict[str, Any]] = {op: _cost(op) for op in ops}
    heads = {op: parts for op in ops if (parts := patterns.attention(op)) is not None}
    operands = [operand for _, key, values in heads.values() for operand in (key, values)]
    attended = {view for operand in operands for view in patterns.views(operand)}
    caches = {op: past for op in ops if (past := patterns.cache(op, attended)) is not None}
    convolutions = set(patterns.backbone(ops))
    tables = {op: lookup for op in ops if (lookup := patterns.table(op)) is not None}
    for op in ops:
        kinds = {
            "attention": op in heads,
            "kv_cache": op in caches,
            "residual_block": patterns.residual_block(op),
            "convolution_backbone": op in convolutions,
            "embedding_table": op in tables,
        }
        if names := [kind for kind, holds in kinds.items() if holds]:
            found[op]["pattern"] = "+".join(names)
        if op.name == "torch.vtensor.literal":
            found[op]["residency"] = "persistent weight"
    for op, entries in found.items():
        if entries:
            op.attributes[SEMANTICS] = _dictionary(entries)
    arguments: dict[Any, dict[str, Any]] = {a: {"residency": "ephemeral activation"} for a in function.arguments}
    for past in caches.values():
        arguments[past] = {"residency": "stateful KV cache"}
    for _, indices in tables.values():
        if (origin := patterns.looked_up(indices)) in arguments:
            arguments[origin]["modality"] = "text" if heads else "categorical"
    for op in convolutions:
        for origin in patterns.origins(op.operands[0]):
            arguments[origin]["modality"] = "image"
    _annotate_arguments(function, arguments)
    _annotate_whole(function, bool(heads), caches, convolutions, arguments)


def _annotate_arguments(function: Any, arguments: dict[Any, dict[str, Any]]) -> None:
    known = list(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else [{}] * len(arguments)
    groups = [
        ir.DictAttr.get({**{a.name: a.attr for a in group}, SEMANTICS: _dictionary(entries)})
        for group, entries in zip(known, arguments.values(), strict=True)
    ]
    if groups:
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(groups)


def _annotate_whole(
    function: Any, attends: bool, caches: Any, convolutions: Any, arguments: dict[Any, dict[str, Any]]
) -> None:
    entries: dict[str, Any] = {}
    if caches:
        entries["phase"] = "decode" if {patterns.added(op) for op in caches} == {1} else "prefill"
    elif attends:
        entries["phase"] = "encoder"
    elif convolutions:
        entries["phase"] = "vision"
    modalities = sorted({entry["modality"] for entry in arguments.values() if "modality" in entry})
    if modalities:
        entries["modality"] = "+".join(modalities)
    if entries:
        function.attributes[SEMANTICS] = _dictionary(entries)


def _cost(op: Any) -> dict[str, Any]:
    """Operations and bytes of a product or convolution; two operations for each multiplication and its addition."""
    if op.name not in (*patterns.PRODUCTS, patterns.CONVOLUTION):
        return {}
    try:
        result, left = tv.shape(op.results[0]), tv.shape(op.operands[0])
        depth = prod(tv.shape(op.operands[1])[1:]) if op.name == patterns.CONVOLUTION else left[-1]
        moved = sum(tv.bytes_of(value) for value in (*patterns.tensors(op), op.results[0]))
    except (tv.NotConvertedError, KeyError):
        return {}  # sizes or types that are not known have no cost
    flops = 2 * prod(result) * depth
    return {"flops": flops, "bytes": moved, "intensity": flops / moved}


def _dictionary(entries: dict[str, Any]) -> Any:
    return ir.DictAttr.get({name: _attribute(value) for name, value in entries.items()})


def _attribute(value: Any) -> Any:
    if isinstance(value, str):
        return ir.StringAttr.get(value)
    if isinstance(value, int):
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    return ir.FloatAttr.get(ir.F64Type.get(), value)
