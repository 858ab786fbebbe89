"""The pass ``tfmbs-annotate``: says what the parts of a network are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import SEMANTICS, STATE
from tfmbs.dialect.mlir import func, ir
from tfmbs.dialect.semantics import Semantics, dictionary, mark
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import patterns, phases
from tfmbs.passes.torch.costs import Cost, cost_of

LITERAL = "torch.vtensor.literal"
WEIGHT, ACTIVATION = "persistent weight", "ephemeral activation"
CACHE, STATEFUL = "stateful KV cache", "persistent state"
"""Where a tensor stays: with the program, in one run, in a context from run to run."""


@dataclass(frozen=True)
class TfmbsAnnotate(Pass):
    """Attach what is known of the meaning of a network's parts, found by their structure at the torch level.

    `tfmbs.semantics` is a dictionary. Ops have a `number`, `pattern` (`attention`, `kv_cache`, `residual_block`,
    `convolution_backbone`, `patch_embedding`, `embedding_table`) and, where a formula covers them, `flops`, `bytes` and
    `intensity` (flops / bytes); their locations carry the same, so that what is made of them has it too. Constants and
    arguments have `residency`, arguments `modality`; functions have the sums of cost, and `phase` and `modality` where
    the structure says it. `passes/torch/patterns.py` and `phases.py` have the rules, `costs.py` the formulas.

    Before:

        func.func @f(%x: !torch.vtensor<[2,8],f32>) -> !torch.vtensor<[2,4],f32> {
          %w = torch.vtensor.literal(dense<0.5> : tensor<8x4xf32>) : !torch.vtensor<[8,4],f32>
          %0 = torch.aten.mm %x, %w : !torch.vtensor<[2,8],f32>, !torch.vtensor<[8,4],f32> -> !torch.vtensor<[2,4],f32>
          return %0 : !torch.vtensor<[2,4],f32>
        }

    After:

        func.func @f(%x: !torch.vtensor<[2,8],f32> {tfmbs.semantics = {residency = "ephemeral activation"}})
            -> !torch.vtensor<[2,4],f32> attributes {
              tfmbs.semantics = {bytes = 224 : i64, flops = 128 : i64, intensity = 0.5714285714285714 : f64}} {
          %w = torch.vtensor.literal(dense<0.5> : tensor<8x4xf32>) {tfmbs.semantics = {residency = "persistent weight"}}
              : !torch.vtensor<[8,4],f32>
          %0 = torch.aten.mm %x, %w {tfmbs.semantics = {bytes = 224 : i64, flops = 128 : i64,
              intensity = 0.5714285714285714 : f64, number = 0 : i64}}
              : !torch.vtensor<[2,8],f32>, !torch.vtensor<[8,4],f32> -> !torch.vtensor<[2,4],f32>
          return %0 : !torch.vtensor<[2,4],f32>
        }
    """

    def run(self, module: Any) -> None:
        with module.context, ir.Location.unknown():
            for function in ops_of(module, func.FuncOp):
                if not function.is_external:
                    _annotate(function)


@dataclass
class _Found:
    """What was found in a function: ops by pattern, what tables are looked up by, the arguments that caches are."""

    ops: dict[str, list[Any]]
    indices: list[Any]
    pasts: list[Any]


def _annotate(function: Any) -> None:
    ops = [op.operation for op in function.entry_block]
    found = _find(ops)
    by_op: dict[Any, list[str]] = {}
    for kind, members in found.ops.items():
        for op in members:
            by_op.setdefault(op, []).append(kind)
    flops = moved = number = 0
    for op in ops:
        if op.name == LITERAL:
            op.attributes[SEMANTICS] = dictionary({"residency": WEIGHT})
            continue
        kinds, cost = by_op.get(op, []), cost_of(op)
        if not kinds and cost is None:
            continue
        known = cost or Cost(0, 0)
        residency = CACHE if "kv_cache" in kinds else ""
        mark(op, Semantics(number, "+".join(kinds), known.flops, known.bytes, residency))
        number, flops, moved = number + 1, flops + known.flops, moved + known.bytes
    modalities = _annotate_arguments(function, found)
    words = {"phase": phases.phase(found.ops, len(set(found.indices))), "modality": "+".join(modalities)}
    known_words = {key: word for key, word in words.items() if word}
    intensity = flops / moved if moved else 0.0
    function.attributes[SEMANTICS] = dictionary({**known_words, "flops": flops, "bytes": moved, "intensity": intensity})


def _find(ops: Sequence[Any]) -> _Found:
    heads = {op: parts for op in ops if (parts := patterns.attention(op)) is not None}
    operands = [operand for _, key, values in heads.values() for operand in (key, values)]
    attended = {view for operand in operands for view in patterns.views(operand)}
    caches = {op: past for op in ops if (past := patterns.cache(op, attended)) is not None}
    order = {op: index for index, op in enumerate(ops)}
    tables = {op: lookup for op in ops if (lookup := patterns.table(op)) is not None}
    by_pattern = {
        "attention": list(heads),
        "kv_cache": list(caches),
        "residual_block": [op for op in ops if patterns.residual_block(op, order)],
        "convolution_backbone": patterns.backbone(list(ops)),
        "patch_embedding": [op for op in ops if heads and phases.patch_embedding(op)],
        "embedding_table": list(tables),
    }
    return _Found(by_pattern, [indices for _, indices in tables.values()], list(caches.values()))


def _annotate_arguments(function: Any, found: _Found) -> list[str]:
    """Says of each argument where it stays and what it is; returns what all of them are, in alphabetical order."""
    arguments = list(function.arguments)
    known = list(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else [{}] * len(arguments)
    entries = {
        argument: {"residency": CACHE if argument in found.pasts else STATEFUL if STATE in group else ACTIVATION}
        for argument, group in zip(arguments, known, strict=True)
    }
    for indices in found.indices:
        if (origin := patterns.looked_up(indices)) in entries:
            entries[origin]["modality"] = "text" if found.ops["attention"] else "categorical"
    for op in (*found.ops["convolution_backbone"], *found.ops["patch_embedding"]):
        for origin in patterns.origins(op.operands[0]):
            entries[origin]["modality"] = "image"
    groups = [
        ir.DictAttr.get({**{a.name: a.attr for a in group}, SEMANTICS: dictionary(entry)})
        for group, entry in zip(known, entries.values(), strict=True)
    ]
    if groups:
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(groups)
    return sorted({entry["modality"] for entry in entries.values() if "modality" in entry})
