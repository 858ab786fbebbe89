"""Lowering of the kernel level to the fabric level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tfmbs.dialect.attributes import NAME, OUTPUT, SCRATCH_BYTES, SCRATCH_LIVE_BYTES, SEMANTICS, STATE, TARGET
from tfmbs.dialect.elements import declared_element
from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.semantics import entries_of, plain
from tfmbs.dialect.shapes import element_of, elements, shape_of
from tfmbs.passes.fabric.launches import LAUNCHES, Launches
from tfmbs.passes.fabric.memory import Argument, Memory
from tfmbs.passes.fabric.scalars import dtype_of, refuse
from tfmbs.passes.fabric.tables import Tables
from tfmbs.passes.functions import functions
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DTYPES, Meaning, Region

_SILENT = VIEWS | {"arith.constant", "func.return", "memref.alloc", "tfmbs.kernel_constant"}


@dataclass(frozen=True)
class TfmbsToFabric(Pass):
    """Turns each launch into a descriptor, and vector code and epilogues into scheduled SIW programs.

    Every function becomes an entry point. Waits are the dependences through memory that do not follow from others.
    An op without a record or an instruction is refused by name.

    Before:

        #id = affine_map<(d0) -> (d0)>
        func.func @main(%x: memref<8xf32> {tfmbs.name = "x"}, %y: memref<8xf32> {tfmbs.name = "y", tfmbs.output}) {
          linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : memref<8xf32>) outs(%y : memref<8xf32>) {
          ^bb0(%in: f32, %out: f32):
            %0 = math.exp %in : f32
            linalg.yield %0 : f32
          }
          return
        }

    After:

        module attributes {tfmbs.target = "kpu-16x16"} {
          "tfmbs.fabric_tensor"() {bytes = 32 : i64, dims = array<i64: 8, 0, 0, 0, 0, 0, 0, 0>, dtype = "f32",
              label = "x", offset = 0 : i64, packing = "dense", rank = 1 : i64, region = "input",
              slot = 0 : i64} : () -> ()
          "tfmbs.fabric_tensor"() {bytes = 32 : i64, dims = array<i64: 8, 0, 0, 0, 0, 0, 0, 0>, dtype = "f32",
              label = "y", offset = 0 : i64, packing = "dense", rank = 1 : i64, region = "output",
              slot = 0 : i64} : () -> ()
          "tfmbs.fabric_mask"() {words = array<i64: 1, 0, 0, 0>} : () -> ()
          "tfmbs.fabric_descriptor"() {args_count = 2 : i64, args_first = 0 : i64, geometry = -1 : i64,
              kind = "vector", label = "vector0", lhs = -1 : i64, mask = 0 : i64, out = -1 : i64,
              program = 0 : i64, rhs = -1 : i64, schedule = -1 : i64, signal = 0 : i64, telemetry = -1 : i64,
              waits_count = 0 : i64, waits_first = 0 : i64} : () -> ()
          "tfmbs.fabric_program"() ({
            "tfmbs.fabric_siw"() {c_imm = 8 : i64, c_op = "SETVL", s_imm = 1 : i64, s_op = "LI",
                s_reg = 1 : i64} : () -> ()
            "tfmbs.fabric_siw"() {c_op = "RECV", c_type = "f32", s_op = "LI", s_reg = 2 : i64} : () -> ()
            "tfmbs.fabric_siw"() {d_op = "EXP", d_type = "f32", d_vd = 1 : i64, deps = 2 : i64} : () -> ()
            "tfmbs.fabric_siw"() {c_op = "END", deps = 1 : i64, s_base = 2 : i64, s_index = 1 : i64,
                s_op = "ST", s_reg = 1 : i64, s_type = "f32", s_win = 1 : i64} : () -> ()
          }) {kind = "vector", label = "vector0", max_steps = 4 : i64, windows = 2 : i64} : () -> ()
          "tfmbs.fabric_entry"() {descriptor_count = 1 : i64, first_descriptor = 0 : i64,
              inputs_count = 1 : i64, inputs_first = 0 : i64, label = "main", outputs_count = 1 : i64,
              outputs_first = 1 : i64, scratch_bytes = 0 : i64} : () -> ()
          "tfmbs.fabric_io"() {label = "x", meaning = "plain", tensor = 0 : i64} : () -> ()
          "tfmbs.fabric_io"() {label = "y", meaning = "plain", tensor = 1 : i64} : () -> ()
          "tfmbs.fabric_debug"() {descriptor = 0 : i64, source = "example.mlir:3"} : () -> ()
          "tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 0 : i64, slots = 2 : i64,
              source = "example.mlir:6", word_count = 1 : i64} : () -> ()
          "tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 0 : i64, slots = 1 : i64,
              source = "example.mlir:6", word_count = 4 : i64} : () -> ()
          "tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 1 : i64, slots = 4 : i64,
              source = "example.mlir:6", word_count = 3 : i64} : () -> ()
          "tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 3 : i64, slots = 2 : i64,
              source = "example.mlir:6", word_count = 1 : i64} : () -> ()
          "tfmbs.fabric_args"() {values = array<i64: 0, 1>} : () -> ()
        }
    """

    target: str = "kpu-16x16"
    verify_schedules: bool = False  # run each program in written order and as scheduled, on names of values

    def run(self, module: Any) -> None:
        """Replaces the functions of the module by the ops of its binary."""
        target = load_target(self.target)
        tables = Tables()
        lowered = functions(module)
        for function in lowered:
            with function.location:
                _lower(function, tables, target, self.verify_schedules)
        unknown = ir.Location.unknown(module.context)
        with ir.InsertionPoint.at_block_begin(module.regions[0].blocks[0]), unknown:
            tables.build(unknown)
        live = {f.name.value: f.attributes[SCRATCH_LIVE_BYTES] for f in lowered if SCRATCH_LIVE_BYTES in f.attributes}
        if live:
            module.attributes[SCRATCH_LIVE_BYTES] = ir.DictAttr.get(live)
        known = {f.name.value: described for f in lowered if (described := _described(f)) is not None}
        if known:
            module.attributes[SEMANTICS] = ir.DictAttr.get(known)
        for function in lowered:
            function.erase()
        module.attributes[TARGET] = ir.StringAttr.get(self.target)


def _described(function: Any) -> Any:
    """What is known of a function's network, and of its inputs and states by name; None where nothing is."""
    if SEMANTICS not in function.attributes:
        return None
    groups = list(function.arg_attrs) if "arg_attrs" in function.attributes else []
    inputs = {}
    for number, group in enumerate(groups):
        if SEMANTICS in group:
            name = next((group[key].value for key in (NAME, STATE) if key in group), f"input{number}")
            inputs[name] = group[SEMANTICS]
    return ir.DictAttr.get({**entries_of(function.attributes[SEMANTICS]), "inputs": ir.DictAttr.get(inputs)})


def _lower(function: Any, tables: Tables, target: Any, verify: bool) -> None:
    arguments = _arguments(function, tables)
    memory, first = Memory(tables, arguments), len(tables.locations)
    scratch = function.attributes[SCRATCH_BYTES].value if SCRATCH_BYTES in function.attributes else 0
    phase = plain(function.attributes[SEMANTICS]).get("phase", "") if SEMANTICS in function.attributes else ""
    launches = Launches(tables, memory, target, first, scratch, verify, str(phase))
    io = {region: _io(function, tables, memory, arguments, region) for region in (Region.INPUT, Region.OUTPUT)}
    for op in function.entry_block.operations:
        name = op.operation.name
        if name in LAUNCHES:
            LAUNCHES[name](launches, op.operation)
        elif name not in _SILENT:
            raise refuse(op, f"{name} has no fabric-level form")
    inputs, outputs = io[Region.INPUT], io[Region.OUTPUT]
    tables.append(
        "entry",
        {
            "name": function.name.value,
            "first_descriptor": first,
            "descriptor_count": len(tables.locations) - first,
            "inputs_first": inputs[0],
            "inputs_count": inputs[1],
            "outputs_first": outputs[0],
            "outputs_count": outputs[1],
            "scratch_bytes": launches.vector.scratch_bytes,
        },
    )


def _arguments(function: Any, tables: Tables) -> dict[Any, Argument]:
    """Region, slot and name of each argument; those without a name are called after their place.

    Persistent buffers have a place in the state region, the same one in every function that has them.
    """
    attributes = list(function.arg_attrs) if "arg_attrs" in function.attributes else [{}] * len(function.arguments)
    slots = {Region.INPUT: 0, Region.OUTPUT: 0}
    arguments = {}
    for value, attrs in zip(function.arguments, attributes, strict=True):
        if not isinstance(value.type, ir.MemRefType):
            raise refuse(function, "type of an argument", "a memref", value.type)
        if STATE in attrs:
            name = attrs[STATE].value
            offset = tables.state(name, _bytes(value, function), place(function.location))
            arguments[value] = Argument(Region.STATE, 0, name, offset=offset)
            continue
        region = Region.OUTPUT if OUTPUT in attrs else Region.INPUT
        name = attrs[NAME].value if NAME in attrs else f"{region.name.lower()}{slots[region]}"
        arguments[value] = Argument(region, slots[region], name, declared_element(attrs))
        slots[region] += 1
    return arguments


def _bytes(value: Any, function: Any) -> int:
    dtype = dtype_of(element_of(value))
    if dtype is None:
        raise refuse(function, "element type of a state", "one the device has", element_of(value))
    return elements(shape_of(value.type)) * DTYPES[dtype].bits // 8


def _io(
    function: Any, tables: Tables, memory: Memory, arguments: dict[Any, Argument], region: Region
) -> tuple[int, int]:
    """Appends the inputs or outputs of an entry; where they start and how many they are."""
    first = len(tables.records["io"].rows)
    chosen = [(value, argument) for value, argument in arguments.items() if argument.region is region]
    for value, argument in chosen:
        key = memory.key(value, function)
        dtype, meaning = argument.element or (key.dtype, Meaning.PLAIN)
        number = tables.tensor(replace(key, dtype=dtype), argument.name)
        tables.append("io", {"name": argument.name, "tensor": number, "meaning": meaning})
    return first, len(chosen)
