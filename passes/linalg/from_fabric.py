"""The fabric level as linalg and scf over byte arenas: what the records of a binary mean, beside what a device does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from tfmbs.dialect.attributes import NAME, OUTPUT, TELEMETRY
from tfmbs.dialect.elements import element_attributes, element_name
from tfmbs.dialect.fabric import RECORD_OPS, FabricArgsOp, FabricDataOp, FabricWaitsOp
from tfmbs.dialect.fabric_tables import fabric_tables
from tfmbs.dialect.graph_lstm import GATES
from tfmbs.dialect.mlir import arith, func, ir, memref
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import Shape
from tfmbs.dialect.telemetry import Telemetry
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.linalg import attention, lstm, scalar, siw_elements
from tfmbs.passes.linalg.attention import Masking
from tfmbs.passes.linalg.flat_memory import flattened, strided
from tfmbs.passes.linalg.geometries import IMAGE_AXES, VOLUME_AXES, dims_of, out_shape, window_of
from tfmbs.passes.linalg.groups import Groups, group_gemm
from tfmbs.passes.linalg.places import Memrefs, constant_memory
from tfmbs.passes.linalg.pooling import Pooling, pool
from tfmbs.passes.linalg.products import Product, convolution, gemm, unpack
from tfmbs.passes.linalg.siw_elements import element_type
from tfmbs.passes.linalg.siw_machine import Machine, counted, i64, index, load, store
from tfmbs.passes.linalg.siw_program import ProgramLowering
from tfmbs.passes.linalg.structured import PARALLEL, identity
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.geometries import attention_out_strides
from tfmbs.runtime.abi.records import NONE, Activations, Direction, GateOrder, Kind, MaskMode, PoolMode
from tfmbs.runtime.abi.types import DTYPES, DType, Meaning, Packing, Region, is_packed, packed_rows
from tfmbs.runtime.abi.verify.lstm import further_operands

Row = Mapping[str, Any]
_PLACE = Memrefs()
ACCUMULATORS = (DType.F32, DType.I32, DType.I8)
GEMM_CHANNEL_AXIS, IMAGE_CHANNEL_AXIS = 2, 1


def _byte() -> Any:
    return scalar.integer_type(8)


def lower_fabric(module: Any) -> None:
    """Replaces the records of a fabric-level module by a function for each entry; leaves other modules alone."""
    records = ops_of(module, *RECORD_OPS.values(), FabricArgsOp, FabricWaitsOp, FabricDataOp)
    if not records:
        return
    tables, weights = fabric_tables(module)
    with module.operation.location:
        FabricLowering({**tables, "weights": bytes(weights)}).run(module.operation.regions[0].blocks[0])
    for op in records:
        op.operation.erase()


class FabricLowering:
    """Emits a function for each entry of a binary. `tables` holds the attributes of an `Image`, by name."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._tables = tables
        self._arenas: dict[tuple[Region, int], Any] = {}
        self._vector: Any = None
        self._element: Any = None

    def run(self, body: Any) -> None:
        """Appends the functions to the block `body`."""
        for entry in self._tables["entries"]:
            with ir.InsertionPoint(body):
                self._entry(entry)

    # --- the entry: arguments, arenas ---

    def _entry(self, entry: Row) -> None:
        inputs = self._io(entry, "inputs")
        outputs = self._io(entry, "outputs")
        types = [self._argument_type(tensor) for _, tensor, _ in (*inputs, *outputs)]
        function = func.FuncOp(self._string(entry["name"]), (types, []))
        elements = element_attributes(element_name(DType(t["dtype"]), meaning) for _, t, meaning in (*inputs, *outputs))
        names = [{NAME: ir.StringAttr.get(io[0]), **e} for io, e in zip((*inputs, *outputs), elements, strict=True)]
        for group in names[len(inputs) :]:
            group[OUTPUT] = ir.UnitAttr.get()
        function.attributes["arg_attrs"] = ir.ArrayAttr.get([ir.DictAttr.get(group) for group in names])
        block = function.add_entry_block()
        with ir.InsertionPoint(block):
            arguments = list(block.arguments)
            self._allocate(entry, [tensor for _, tensor, _ in (*inputs, *outputs)])
            for (_, tensor, _), argument in zip(inputs, arguments, strict=False):
                self._copy_argument(argument, self.view(tensor), into_arena=True)
            first = entry["first_descriptor"]
            for descriptor in self._tables["descriptors"][first : first + entry["descriptor_count"]]:
                LAUNCHES[Kind(descriptor["kind"])](self, descriptor)
            for (_, tensor, _), argument in zip(outputs, arguments[len(inputs) :], strict=True):
                self._copy_argument(self.view(tensor), argument, into_arena=False)
            func.ReturnOp([])

    def _string(self, number: int) -> str:
        return str(self._tables["strings"][number])

    def _io(self, entry: Row, which: str) -> list[tuple[str, Row, Meaning]]:
        first = entry[f"{which}_first"]
        rows = self._tables["io"][first : first + entry[f"{which}_count"]]
        tensors = self._tables["tensors"]
        return [(self._string(row["name"]), tensors[row["tensor"]], Meaning(row["meaning"])) for row in rows]

    def _argument_type(self, tensor: Row) -> Any:
        dtype = DType(tensor["dtype"])
        element = scalar.integer_type(1) if dtype is DType.BOOL else element_type(dtype)
        return ir.MemRefType.get(list(dims_of(tensor)), element)

    def _allocate(self, entry: Row, arguments: list[Row]) -> None:
        sizes = {(Region(tensor["region"]), tensor["slot"]): tensor["bytes"] for tensor in arguments}
        sizes[Region.SCRATCH, 0] = entry["scratch_bytes"]
        sizes[Region.STATE, 0] = sum(state["bytes"] for state in self._tables["states"])
        self._arenas = {}
        for (region, slot), size in sizes.items():
            shape = (max(size, 1),)
            is_state = region is Region.STATE
            self._arenas[region, slot] = _PLACE.filled(shape, _byte(), 0) if is_state else _PLACE.empty(shape, _byte())
        weights = np.frombuffer(self._tables["weights"] or b"\0", np.int8)
        value = resource_attr(weights, "weights")
        self._arenas[Region.WEIGHTS, 0] = constant_memory(value, ir.MemRefType.get([weights.size], _byte()))
        self._vector, self._element = Machine(siw.VLMAX), Machine(1)

    def _copy_argument(self, source: Any, target: Any, into_arena: bool) -> None:
        """Copies between an argument and its arena, where a boolean is a byte."""
        rank = len(source.type.shape)
        boolean = scalar.integer_type(1) in (source.type.element_type, target.type.element_type)

        def body(x: Any, _: Any) -> Any:
            if not boolean:
                return x
            if into_arena:
                return arith.ExtUIOp(_byte(), x).result
            return scalar.compare("ne", x, scalar.constant(x.type, 0))

        _PLACE.run([(source, identity(rank))], (target, identity(rank)), [PARALLEL] * rank, body)

    # --- tensors ---

    def view(self, tensor: Row, shape: Shape | None = None) -> Any:
        """The stored elements of a tensor record as a dense memref, of its own shape or another of the same size."""
        dtype = DType(tensor["dtype"])
        size = 1 if is_packed(dtype) else DTYPES[dtype].bits // 8
        shape = dims_of(tensor) if shape is None else shape
        if prod(shape) * size > tensor["bytes"]:
            raise TfmbsError("record", "tensor", "bytes", prod(shape) * size, tensor["bytes"])
        arena = self._arenas[Region(tensor["region"]), tensor["slot"]]
        type_ = ir.MemRefType.get(list(shape), element_type(dtype))
        return memref.ViewOp(type_, arena, index(tensor["offset"]), []).result

    def _tensor(self, descriptor: Row, field: str) -> Row:
        row: Row = self._tables["tensors"][descriptor[field]]
        return row

    def _flat(self, tensor: Row) -> Any:
        return self.view(tensor, (prod(dims_of(tensor)),))

    def _rows(self, tensor: Row, shape: Shape) -> Any:
        """A dense right operand of this shape; packed trits are unpacked."""
        packing = Packing(tensor["packing"])
        if packing in (Packing.DENSE, Packing.I8):
            return self.view(tensor, shape)
        rows = packed_rows(packing, shape[0])
        return unpack(_PLACE, self.view(tensor, (rows, tensor["bytes"] // rows)), packing, shape)

    def _telemetry(self, descriptor: Row) -> dict[str, Any]:
        """The telemetry of a launch as a discardable attribute."""
        if descriptor["telemetry"] == NONE:
            return {}
        row = self._tables["telemetry"][descriptor["telemetry"]]
        words = self._tables["masks"][row["mask"]]["words"]
        is_fused = row["fusion_order"] >= 0
        telemetry = Telemetry(
            self._string(row["layer"]),
            row["zero_count"],
            row["total"],
            sum(word << 64 * i for i, word in enumerate(words)),
            row["fusion_order"] if is_fused else None,
            row["fusion_sparsity"] if is_fused else None,
        )
        return {TELEMETRY: telemetry.to_attribute()}

    # --- launches ---

    def gemm(self, descriptor: Row) -> None:
        """GEMM and GEMV."""
        g: Row = self._tables["gemm_geometries"][descriptor["geometry"]]
        lhs, rhs = self._tensor(descriptor, "lhs"), self._tensor(descriptor, "rhs")
        batch, m, n, k = (g[name] for name in ("batch", "m", "n", "k"))
        left_strides, right_strides = (
            tuple(g[f"{side}_{axis}_stride"] for axis in ("batch", inner, "k"))
            for side, inner in (("lhs", "m"), ("rhs", "n"))
        )
        left = strided(self._flat(lhs), (batch, m, k), left_strides)
        if is_packed(DType(rhs["dtype"])):
            rows = dims_of(rhs)[0]
            flat = flattened(self._rows(rhs, (rows, prod(dims_of(rhs)) // rows)))
        else:
            flat = self._flat(rhs)
        right = strided(flat, (batch, n, k), right_strides)
        self._product(descriptor, left, right, (batch, m, n), GEMM_CHANNEL_AXIS, g["lhs_zero"], gemm)

    def group_gemm(self, descriptor: Row) -> None:
        """GROUP_GEMM."""
        g: Row = self._tables["group_geometries"][descriptor["geometry"]]
        m, n, k, group = (g[name] for name in ("m", "n", "k", "group"))
        lhs, rhs = self._tensor(descriptor, "lhs"), self._tensor(descriptor, "rhs")
        left = strided(self._flat(lhs), (m, k), (g["lhs_m_stride"], g["lhs_k_stride"]))
        right = self._rows(rhs, (n * (k // group), group))
        scales = self.view(self._tables["tensors"][g["scales"]], (n, k // group))
        groups = Groups(scales, g["activations"] == Activations.ABSMAX)

        def build(place: Any, product: Product) -> Any:
            return group_gemm(place, product, groups)

        self._product(descriptor, left, right, (m, n), 1, g["lhs_zero"], build, ir.F32Type.get())

    def conv2d(self, descriptor: Row) -> None:
        """CONV2D."""
        self._convolution(descriptor, self._tables["window_geometries"][descriptor["geometry"]], IMAGE_AXES)

    def conv3d(self, descriptor: Row) -> None:
        """CONV3D."""
        self._convolution(descriptor, self._tables["volume_geometries"][descriptor["geometry"]], VOLUME_AXES)

    def _convolution(self, descriptor: Row, g: Row, axes: Sequence[str]) -> None:
        lhs, rhs = self._tensor(descriptor, "lhs"), self._tensor(descriptor, "rhs")
        window = window_of(g, axes)
        left = self.view(lhs, (g["batch"], g["in_channels"], *(g[f"in_{axis}"] for axis in axes)))
        row = (g["in_channels"] // g["groups"], *window.kernel)
        right = self._rows(rhs, (g["out_channels"], *row))

        def build(place: Any, product: Product) -> Any:
            return convolution(place, product, window, g["groups"])

        self._product(descriptor, left, right, out_shape(g, axes), IMAGE_CHANNEL_AXIS, g["lhs_zero"], build)

    def _product(
        self,
        descriptor: Row,
        left: Any,
        right: Any,
        shape: Shape,
        channel_axis: int,
        zero: int,
        build: Callable[..., Any],
        accumulator: Any = None,
    ) -> None:
        out = self._tensor(descriptor, "out")
        if accumulator is None:
            is_float = isinstance(left.type.element_type, ir.F32Type)
            accumulator = ir.F32Type.get() if is_float else scalar.integer_type(32)
        target = self.view(out, shape) if descriptor["program"] == NONE else _PLACE.empty(shape, accumulator)
        telemetry = self._telemetry(descriptor)
        product = Product(
            left, right, shape, channel_axis, accumulator, accumulator, zero, out=target, discardable=telemetry
        )
        build(_PLACE, product)
        self._epilogue(descriptor, target, out, channel_axis)

    def attention(self, descriptor: Row) -> None:
        """ATTENTION."""
        g: Row = self._tables["attention_geometries"][descriptor["geometry"]]
        first, mode = descriptor["args_first"], MaskMode(g["mask"])
        numbers = self._tables["args"][first : first + descriptor["args_count"]]
        values, *masks = [self._flat(self._tables["tensors"][number]) for number in numbers]
        heads, group = g["groups"] * g["shared"], ("batch", "group", "row", "")
        shapes = {
            "lhs": (g["batch"], heads, g["rows"], g["width"]),
            "rhs": (g["batch"], g["groups"], g["columns"], g["width"]),
            "value": (g["batch"], g["groups"], g["columns"], g["value_width"]),
            "mask": (g["batch"], heads, g["rows"], g["columns"]),
        }

        def view(flat: Any, name: str, axes: Sequence[str] = group) -> Any:
            strides = tuple(g[f"{name}_{axis}_stride" if axis else f"{name}_stride"] for axis in axes)
            return strided(flat, shapes[name], strides)

        lhs, rhs = (self._flat(self._tensor(descriptor, name)) for name in ("lhs", "rhs"))
        mask = view(masks[0], "mask", ("batch", "head", "row", "column")) if masks else None
        result = self._flat(self._tensor(descriptor, "out"))
        out = strided(result, (*shapes["lhs"][:3], g["value_width"]), (*attention_out_strides(g), 1))
        query = view(lhs, "lhs", ("batch", "head", "row", ""))
        operands = attention.Operands(query, view(rhs, "rhs"), view(values, "value"), mask, out)
        clear, causal = bool(g["clear"]), bool(g["causal"])
        masking = Masking(g["scale"], mode.name.lower(), g["fill"], causal, g["offset"], clear, exact=True)
        attention.attention(_PLACE, operands, masking, self._telemetry(descriptor))

    def lstm(self, descriptor: Row) -> None:
        """LSTM."""
        g: Row = self._tables["lstm_geometries"][descriptor["geometry"]]
        steps, batch, width, hidden = (g[name] for name in ("steps", "batch", "width", "hidden"))
        direction, gates = Direction(g["direction"]), GateOrder(g["order"]).name.lower()
        ways, rows = 2 if direction is Direction.BOTH else 1, GATES * hidden
        shapes = {"recurrent": (ways, rows, hidden), "bias": (ways, rows), "recurrent_bias": (ways, rows)}
        shapes |= dict.fromkeys(("hidden", "cell"), (ways, batch, hidden))
        first = descriptor["args_first"]
        tensors = (self._tables["tensors"][n] for n in self._tables["args"][first : first + descriptor["args_count"]])
        names = further_operands(g)
        further = {name: self.view(row, shapes[name]) for name, row in zip(names, tensors, strict=True)}
        lhs = self.view(self._tensor(descriptor, "lhs"), (steps, batch, width))
        rhs = self.view(self._tensor(descriptor, "rhs"), (ways, rows, width))
        out = self.view(self._tensor(descriptor, "out"), (steps + g["cell"], ways, batch, hidden))
        operands = lstm.Operands(lhs, rhs, further.pop("recurrent"), out, further)
        lstm.lstm(operands, direction.name.lower(), gates, self._telemetry(descriptor))

    def pool(self, descriptor: Row) -> None:
        """POOL."""
        g: Row = self._tables["window_geometries"][descriptor["geometry"]]
        out, shape, mode = self._tensor(descriptor, "out"), out_shape(g, IMAGE_AXES), PoolMode(g["mode"])
        value = self.view(
            self._tensor(descriptor, "lhs"), (g["batch"], g["in_channels"], g["in_height"], g["in_width"])
        )
        window = window_of(g, IMAGE_AXES)
        if mode is PoolMode.AVG_PADDED and window.pads[2:] != (g["pad_bottom"], g["pad_right"]):
            where = self._string(descriptor["name"])
            raise TfmbsError("unsupported", where, "padded average over windows that leave the padding")
        has_program = descriptor["program"] != NONE
        target = _PLACE.empty(shape, value.type.element_type) if has_program else self.view(out, shape)
        pool(_PLACE, Pooling(value, window, mode.name.lower(), shape, target, self._telemetry(descriptor)))
        self._epilogue(descriptor, target, out, IMAGE_CHANNEL_AXIS)

    def copy(self, descriptor: Row) -> None:
        """COPY, byte by byte."""
        source, target = (self._tensor(descriptor, name) for name in ("lhs", "out"))
        views = [self._bytes(tensor) for tensor in (source, target)]
        telemetry = self._telemetry(descriptor)
        _PLACE.run([(views[0], identity(1))], (views[1], identity(1)), [PARALLEL], lambda x, _: x, telemetry)

    def _bytes(self, tensor: Row) -> Any:
        arena = self._arenas[Region(tensor["region"]), tensor["slot"]]
        type_ = ir.MemRefType.get([tensor["bytes"]], _byte())
        return memref.ViewOp(type_, arena, index(tensor["offset"]), []).result

    def vector(self, descriptor: Row) -> None:
        """VECTOR: the program on all lanes."""
        words = self._words(descriptor)
        self._vector.clear(words)
        ProgramLowering(self._vector, words, self._windows(descriptor)).run()

    def _words(self, descriptor: Row) -> list[dict[str, int]]:
        program = self._tables["programs"][descriptor["program"]]
        first = program["first_word"]
        return [siw.decode(word) for word in self._tables["words"][first : first + program["word_count"]]]

    def _windows(self, descriptor: Row) -> list[tuple[Any, DType]]:
        first = descriptor["args_first"]
        rows = [self._tables["tensors"][i] for i in self._tables["args"][first : first + descriptor["args_count"]]]
        return [(self._flat(row), DType(row["dtype"])) for row in rows]

    def _epilogue(self, descriptor: Row, accumulators: Any, out: Row, channel_axis: int) -> None:
        """Runs the epilogue for one element at a time: what it computes does not depend on how lanes are cut."""
        if descriptor["program"] == NONE:
            return
        words, windows, machine = self._words(descriptor), self._windows(descriptor), self._element
        shape = tuple(accumulators.type.shape)
        inner = prod(shape[channel_axis + 1 :])
        flat = flattened(accumulators)
        target, dtype = self._flat(out), DType(out["dtype"])
        with counted(index(prod(shape))) as element:
            machine.clear(words)
            accumulator = siw_elements.widen(load(flat, element), _dtype_of(flat))
            store(machine.vectors[0].of(accumulator.type.width), index(0), accumulator)
            number = arith.IndexCastOp(scalar.integer_type(64), element).result
            channel = arith.RemUIOp(arith.DivUIOp(number, i64(inner)).result, i64(shape[channel_axis])).result
            machine.put(siw.EPILOGUE_ELEMENT, number)
            machine.put(siw.EPILOGUE_CHANNEL, channel)
            machine.put(siw.EPILOGUE_CHANNEL_STEP, i64(int(channel_axis == GEMM_CHANNEL_AXIS)))
            machine.put(siw.EPILOGUE_ONE, i64(1))
            ProgramLowering(machine, words, windows).run()
            lanes = machine.vectors[0].of(siw_elements.lane_type(dtype).width)
            store(target, element, siw_elements.narrow(load(lanes, index(0)), dtype))


def _dtype_of(memory: Any) -> DType:
    """The type of accumulators in memory."""
    return next(dtype for dtype in ACCUMULATORS if element_type(dtype) == memory.type.element_type)


LAUNCHES: dict[Kind, Callable[[FabricLowering, Row], None]] = {
    Kind.GEMM: FabricLowering.gemm,
    Kind.GEMV: FabricLowering.gemm,
    Kind.CONV2D: FabricLowering.conv2d,
    Kind.POOL: FabricLowering.pool,
    Kind.VECTOR: FabricLowering.vector,
    Kind.COPY: FabricLowering.copy,
    Kind.CONV3D: FabricLowering.conv3d,
    Kind.ATTENTION: FabricLowering.attention,
    Kind.GROUP_GEMM: FabricLowering.group_gemm,
    Kind.LSTM: FabricLowering.lstm,
}
