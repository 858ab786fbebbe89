"""Descriptors of products as the work that `products` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.brought import parked_bytes
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.nests import Nest
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.products import ProductExpansion, Result
from tfmbs.runtime.abi.movement.skipping import kept_of
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.records import NONE, Dataflow, Kind, LoopOrder, ZeroSkip
from tfmbs.runtime.abi.types import DTYPES, DType, Packing

BYTE_BITS = 8


def expand_matrix(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a GEMM or GEMV."""
    image = x.image
    g = image.gemm_geometries[descriptor["geometry"]]
    lhs, rhs = (image.tensors[descriptor[name]] for name in ("lhs", "rhs"))
    packing = Packing(rhs["packing"])
    left = Matrix(
        *x.place(descriptor["lhs"]), DType(lhs["dtype"]), Packing.DENSE, g["batch"], g["m"], g["k"],
        g["lhs_batch_stride"], g["lhs_m_stride"], g["lhs_k_stride"], True,
    )  # fmt: skip
    right = Matrix(
        *x.place(descriptor["rhs"]), DType(rhs["dtype"]), packing, g["batch"] if g["rhs_batch_stride"] else 1, g["n"],
        g["k"], g["rhs_batch_stride"], g["rhs_n_stride"], g["rhs_k_stride"], False,
    )  # fmt: skip
    if packing is not Packing.DENSE and (g["rhs_n_stride"], g["rhs_k_stride"]) != (g["k"], 1):
        raise TfmbsError("unsupported", where, "packed rows of another length than k", g["k"], g["rhs_n_stride"])
    m, n = g["m"], g["n"]
    memory, offset = x.place(descriptor["out"])
    epilogue = epilogue_of(x, descriptor, is_window=False)
    e = bytes_of(x, descriptor["out"])
    result = Result(memory, offset, e, False, lambda product: product * m * n, n, lambda _: 0)
    work = Work(g["batch"], m, n, g["k"], left, right, epilogue is not None, e, epilogue.sizes() if epilogue else ())
    return _planned(x, descriptor, work, result, epilogue, g["lhs_zero"], where)


def expand_windows(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a CONV2D or CONV3D."""
    image = x.image
    g = volume_of(x, descriptor)
    rhs = image.tensors[descriptor["rhs"]]
    packing = Packing(rhs["packing"])
    taps = g["kernel_depth"] * g["kernel_height"] * g["kernel_width"]
    groups = g["groups"]
    k, n = g["in_channels"] // groups * taps, g["out_channels"] // groups
    pixels = g["out_depth"] * g["out_height"] * g["out_width"]
    right = Matrix(
        *x.place(descriptor["rhs"]), DType(rhs["dtype"]), packing, groups, n, k, n * k if groups > 1 else 0, k, 1,
        False,
    )  # fmt: skip
    left = Windows(*x.place(descriptor["lhs"]), bytes_of(x, descriptor["lhs"]), g, right.unit)
    memory, offset = x.place(descriptor["out"])
    epilogue = epilogue_of(x, descriptor, is_window=True)
    e = bytes_of(x, descriptor["out"])

    def start(product: int) -> int:
        image_number, group = divmod(product, groups)
        return (image_number * g["out_channels"] + group * n) * pixels

    result = Result(memory, offset, e, True, start, pixels, lambda product: product % groups * n)
    sizes = epilogue.sizes() if epilogue else ()
    work = Work(g["batch"] * groups, pixels, n, k, left, right, epilogue is not None, e, sizes)
    return _planned(x, descriptor, work, result, epilogue, g["lhs_zero"], where)


def volume_of(x: Expansion, descriptor: Row) -> Mapping[str, int]:
    """The geometry of a window over planes as one over volumes of a single plane."""
    if Kind(descriptor["kind"]) is Kind.CONV3D:
        return x.image.volume_geometries[descriptor["geometry"]]
    g = x.image.window_geometries[descriptor["geometry"]]
    deep = dict.fromkeys(("in_depth", "out_depth", "kernel_depth", "stride_depth", "dilation_depth"), 1)
    return {**g, **deep, "pad_front": 0}


def epilogue_of(x: Expansion, descriptor: Row, *, is_window: bool) -> Epilogue | None:
    """The epilogue of a descriptor, if it has one; `is_window`: its chunks are of one channel."""
    if descriptor["program"] == NONE:
        return None
    return Epilogue.of(x.image, descriptor, x, is_window=is_window)


def bytes_of(x: Expansion, tensor: int) -> int:
    """Bytes of an element of a tensor, 0 where they are packed."""
    return DTYPES[DType(x.image.tensors[tensor]["dtype"])].bits // BYTE_BITS


def fabric_tiles(x: Expansion, descriptor: Row, where: str) -> tuple[int, ...]:
    """The tiles of a descriptor's mask."""
    words = x.image.masks[descriptor["mask"]]["words"]
    tiles = tuple(i for i in range(64 * len(words)) if words[i // 64] >> i % 64 & 1)
    if not tiles or tiles[-1] >= x.machine.target.tiles:
        raise TfmbsError("record", where, "tiles of the mask", f"1 to {x.machine.target.tiles}", list(tiles))
    return tiles


def _planned(
    x: Expansion, descriptor: Row, work: Work, result: Result, epilogue: Epilogue | None, zero: int, where: str
) -> Launch:
    schedule = x.image.schedules[descriptor["schedule"]]
    if schedule["zero_skip"] == ZeroSkip.CYCLE:
        work = replace(work, kept=kept_of(x.image, work, where))
    wanted = Tile(schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
    fabric = fabric_tiles(x, descriptor, where)
    flow = Dataflow(schedule["dataflow"])
    nest = Nest(LoopOrder(schedule["order"]), *(schedule[f"block_{axis}"] for axis in "mnk"))
    plan = planned(work, wanted, flow, schedule["buffers"], fabric, x.machine, where, nest)
    x.program.parked[x.launch] = parked_bytes(work, plan)
    prediction = predict(work, plan, x.machine, epilogue.cycles if epilogue else None)
    return Launch(prediction, lambda: ProductExpansion(x, work, plan, result, epilogue, zero).run())
