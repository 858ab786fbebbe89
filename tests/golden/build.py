"""Writes what the golden corpus of the current format version lacks: `python -m tests.golden.build`.

Files that exist are never rewritten: each must load forever, or be refused by version. Beside each `.tfb`
lies the `.s` it disassembles to, and a `.json` with the digests of what it computes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.records import NONE, RECORDS, Dataflow, Kind, PoolMode, ProgramKind, ZeroSkip
from tfmbs.runtime.abi.sections import MAJOR, MINOR
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType, Packing, Region, row_bytes
from tfmbs.runtime.devices import open_device
from tfmbs.runtime.devices.base import DeviceContext
from tfmbs.runtime.signature import entries_of

FOLDER = Path(__file__).parent / f"v{MAJOR}.{MINOR}"


def _row(record: str, **values: Any) -> dict[str, Any]:
    fields = RECORDS[record].fields
    defaults = {f.name: NONE if f.optional else (0,) * f.count if f.count > 1 else 0 for f in fields}
    unknown = set(values) - set(defaults)
    assert not unknown, unknown
    return {**defaults, **values}


@functools.cache
def _target(name: str) -> dict[str, Any]:
    return load_target(name).to_dict()


class Builder:
    """Collects the rows of an image; tensors, programs and descriptors are numbered as they come."""

    def __init__(self, name: str, target: str = "kpu-minimal") -> None:
        self.image = Image(meta={"model": name, "producer": "golden corpus"}, target=_target(target))
        self.image.masks.append(_row("mask", words=(1, 0, 0, 0)))
        self.weights = bytearray()

    def string(self, text: str) -> int:
        if text not in self.image.strings:
            self.image.strings.append(text)
        return self.image.strings.index(text)

    def tensor(
        self,
        name: str,
        region: Region,
        dtype: DType,
        dims: Sequence[int],
        *,
        slot: int = 0,
        offset: int = 0,
        packing: Packing = Packing.DENSE,
    ) -> int:
        rows = dims[0] if dtype is DType.TRIT else 1
        size = rows * row_bytes(dtype, packing, int(np.prod(dims)) // rows)
        row = _row(
            "tensor",
            region=region,
            dtype=dtype,
            packing=packing,
            rank=len(dims),
            slot=slot,
            offset=offset,
            bytes=size,
            dims=(*dims, *(0,) * (8 - len(dims))),
            name=self.string(name),
        )
        self.image.tensors.append(row)
        return len(self.image.tensors) - 1

    def constant(self, name: str, array: np.ndarray[Any, Any], dtype: DType, packing: Packing = Packing.DENSE) -> int:
        self.weights += bytes(-len(self.weights) % 64)
        offset = len(self.weights)
        if dtype is DType.TRIT:
            self.weights += pack_rows(array.reshape(len(array), -1), packing).tobytes()
        else:
            self.weights += array.tobytes()
        return self.tensor(name, Region.WEIGHTS, dtype, array.shape, offset=offset, packing=packing)

    def program(self, name: str, kind: ProgramKind, windows: int, max_steps: int, text: str) -> int:
        words = assemble(text, name).words
        row = _row(
            "program",
            kind=kind,
            windows=windows,
            first_word=len(self.image.words),
            word_count=len(words),
            name=self.string(name),
            max_steps=max_steps,
        )
        self.image.words += words
        self.image.programs.append(row)
        return len(self.image.programs) - 1

    def geometry(self, record: str, **values: int) -> int:
        table = getattr(
            self.image, {"gemm_geometry": "gemm_geometries", "window_geometry": "window_geometries"}[record]
        )
        table.append(_row(record, **values))
        return len(table) - 1

    def gemm(self, m: int, n: int, k: int, lhs_zero: int = 0) -> int:
        return self.geometry(
            "gemm_geometry",
            batch=1,
            m=m,
            n=n,
            k=k,
            lhs_m_stride=k,
            lhs_k_stride=1,
            rhs_n_stride=k,
            rhs_k_stride=1,
            lhs_zero=lhs_zero,
        )

    def schedule(self, m: int, n: int, k: int) -> int:
        self.image.schedules.append(
            _row(
                "schedule",
                dataflow=Dataflow.OUTPUT_STATIONARY,
                buffers=2,
                zero_skip=ZeroSkip.NONE,
                tile_m=m,
                tile_n=n,
                tile_k=k,
            )
        )
        return len(self.image.schedules) - 1

    def launch(
        self, name: str, kind: Kind, args: Sequence[int] = (), waits: Sequence[int] = (), **operands: int
    ) -> int:
        token = len(self.image.descriptors)
        row = _row(
            "descriptor",
            kind=kind,
            name=self.string(name),
            args_first=len(self.image.args),
            args_count=len(args),
            waits_first=len(self.image.waits),
            waits_count=len(waits),
            signal=token,
            **operands,
        )
        self.image.args += args
        self.image.waits += waits
        self.image.descriptors.append(row)
        return token

    def entry(self, name: str, inputs: Sequence[int], outputs: Sequence[int], scratch: int = 0) -> None:
        first = sum(int(entry["descriptor_count"]) for entry in self.image.entries)
        start = len(self.image.io)
        for index in (*inputs, *outputs):
            self.image.io.append(_row("io", name=self.image.tensors[index]["name"], tensor=index))
        self.image.entries.append(
            _row(
                "entry",
                name=self.string(name),
                first_descriptor=first,
                descriptor_count=len(self.image.descriptors) - first,
                inputs_first=start,
                inputs_count=len(inputs),
                outputs_first=start + len(inputs),
                outputs_count=len(outputs),
                scratch_bytes=scratch,
            )
        )

    def layer(self, name: str, trits: np.ndarray[Any, Any] | None = None) -> int:
        total = 0 if trits is None else trits.size
        zeros = 0 if trits is None else int((trits == 0).sum())
        sparsity = float(np.float32(zeros / total)) if total else 0.0
        self.image.telemetry.append(
            _row(
                "telemetry", layer=self.string(name), zero_count=zeros, total=total, sparsity=sparsity, fusion_order=-1
            )
        )
        return len(self.image.telemetry) - 1

    def finish(self) -> Image:
        for number, descriptor in enumerate(self.image.descriptors):
            location = self.string(f"node {self.image.strings[descriptor['name']]}")
            self.image.debug.append(_row("debug", descriptor=number, location=location))
        self.image.weights = bytes(self.weights)
        return self.image


def mlp() -> Image:
    """Two f32 layers, the first with bias and relu as its epilogue."""
    b, rng = Builder("mlp"), np.random.default_rng(1)
    x = b.tensor("x", Region.INPUT, DType.F32, (2, 8))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (2, 3))
    hidden = b.tensor("hidden", Region.SCRATCH, DType.F32, (2, 6))
    w1 = b.constant("w1", rng.standard_normal((6, 8)).astype(np.float32), DType.F32)
    bias = b.constant("bias", rng.standard_normal(6).astype(np.float32), DType.F32)
    w2 = b.constant("w2", rng.standard_normal((3, 6)).astype(np.float32), DType.F32)
    relu = b.program(
        "bias_relu",
        ProgramKind.EPILOGUE,
        1,
        3,
        "LD.F32 v1, w0, s2, s3, 0\nADD.F32 v0, v0, v1 | deps LOAD\nMAX.F32 v0, v0, v2 | END",
    )
    schedule, layer = b.schedule(8, 8, 8), b.layer("fc1")
    first = b.launch(
        "fc1",
        Kind.GEMM,
        [bias],
        lhs=x,
        rhs=w1,
        out=hidden,
        geometry=b.gemm(2, 6, 8),
        schedule=schedule,
        program=relu,
        telemetry=layer,
    )
    b.launch("fc2", Kind.GEMM, waits=[first], lhs=hidden, rhs=w2, out=y, geometry=b.gemm(2, 3, 6), schedule=schedule)
    b.entry("main", [x], [y], 48)
    return b.finish()


def ternary() -> Image:
    """Two gemvs with packed trits, PT5 with f32 and T2 with i8 input, scaled by an epilogue each."""
    b, rng = Builder("ternary"), np.random.default_rng(2)
    x = b.tensor("x", Region.INPUT, DType.F32, (1, 13))
    q = b.tensor("q", Region.INPUT, DType.I8, (1, 9), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (1, 7))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (1, 5), slot=1)
    trits = [rng.integers(-1, 2, shape).astype(np.int8) for shape in ((7, 13), (5, 9))]
    pt5 = b.constant("pt5", trits[0], DType.TRIT, Packing.PT5)
    t2 = b.constant("t2", trits[1], DType.TRIT, Packing.T2)
    scale = b.constant("scale", rng.random(7).astype(np.float32), DType.F32)
    factor = b.constant("factor", np.array([0.125], np.float32), DType.F32)
    by_channel = b.program(
        "by_channel", ProgramKind.EPILOGUE, 1, 2, "LD.F32 v1, w0, s2, s3, 0\nMUL.F32 v0, v0, v1 | END | deps LOAD"
    )
    by_scalar = b.program(
        "by_scalar",
        ProgramKind.EPILOGUE,
        1,
        2,
        "CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s0, s0, 0\nMUL.F32 v0, v0, v1 | END | deps LOAD",
    )
    schedule = b.schedule(1, 8, 16)
    b.launch(
        "f",
        Kind.GEMV,
        [scale],
        lhs=x,
        rhs=pt5,
        out=y,
        geometry=b.gemm(1, 7, 13),
        schedule=schedule,
        program=by_channel,
        telemetry=b.layer("f", trits[0]),
    )
    b.launch(
        "q",
        Kind.GEMV,
        [factor],
        lhs=q,
        rhs=t2,
        out=z,
        geometry=b.gemm(1, 5, 9, lhs_zero=-3),
        schedule=schedule,
        program=by_scalar,
        telemetry=b.layer("q", trits[1]),
    )
    b.entry("main", [x, q], [y, z])
    return b.finish()


def conv() -> Image:
    """An i8 convolution, requantized in its epilogue, max-pooled; and an average pool of f32."""
    b, rng = Builder("conv"), np.random.default_rng(3)
    x = b.tensor("x", Region.INPUT, DType.I8, (1, 2, 6, 6))
    f = b.tensor("f", Region.INPUT, DType.F32, (1, 1, 5, 4), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.I8, (1, 4, 3, 3))
    g = b.tensor("g", Region.OUTPUT, DType.F32, (1, 1, 3, 2), slot=1)
    raw = b.tensor("raw", Region.SCRATCH, DType.I8, (1, 4, 6, 6))
    w = b.constant("w", rng.integers(-128, 128, (4, 1, 3, 3)).astype(np.int8), DType.I8)
    scale = b.constant("scale", (rng.random(4) / 256).astype(np.float32), DType.F32)
    requantize = b.program(
        "requantize",
        ProgramKind.EPILOGUE,
        1,
        4,
        "CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s2, s3, 0\nMUL.F32 v0, v0, v1 | deps LOAD\n"
        "ROUND.F32 v0, v0\nCVT.I8 v0, v0, F32 | END",
    )
    sizes = {"batch": 1, "in_height": 6, "in_width": 6, "dilation_height": 1, "dilation_width": 1}
    conv_geometry = b.geometry(
        "window_geometry",
        **sizes,
        in_channels=2,
        out_channels=4,
        out_height=6,
        out_width=6,
        kernel_height=3,
        kernel_width=3,
        stride_height=1,
        stride_width=1,
        pad_top=1,
        pad_left=1,
        pad_bottom=1,
        pad_right=1,
        groups=2,
        lhs_zero=5,
    )
    pool_geometry = b.geometry(
        "window_geometry",
        **sizes,
        in_channels=4,
        out_channels=4,
        out_height=3,
        out_width=3,
        kernel_height=2,
        kernel_width=2,
        stride_height=2,
        stride_width=2,
        groups=1,
        mode=PoolMode.MAX,
    )
    average = b.geometry(
        "window_geometry",
        batch=1,
        in_channels=1,
        in_height=5,
        in_width=4,
        out_channels=1,
        out_height=3,
        out_width=2,
        kernel_height=3,
        kernel_width=2,
        stride_height=2,
        stride_width=2,
        dilation_height=1,
        dilation_width=1,
        pad_top=1,
        pad_bottom=1,
        groups=1,
        mode=PoolMode.AVG,
    )
    first = b.launch(
        "conv",
        Kind.CONV2D,
        [scale],
        lhs=x,
        rhs=w,
        out=raw,
        geometry=conv_geometry,
        schedule=b.schedule(8, 8, 16),
        program=requantize,
        telemetry=b.layer("conv"),
    )
    b.launch("pool", Kind.POOL, waits=[first], lhs=raw, out=y, geometry=pool_geometry)
    b.launch("average", Kind.POOL, lhs=f, out=g, geometry=average)
    b.entry("main", [x, f], [y, g], 144)
    return b.finish()


SOFTMAX = """
  LI s1, 3 | SETVL 512
  LI s3, 1
  LD.F32 v6, w2, s0, s0, 0 | SETVL 5
  LOOP s1, 11
  MOV v2, v6 | LD.F32 v1, w0, s2, s3, 0 | deps LOAD
  RED.F32 v2, v1, MAX | deps LOAD
  MOV v4, v7
  FOLD.F32 v3, v2, MAX
  SUB.F32 v1, v1, v3
  EXP.F32 v1, v1
  RED.F32 v4, v1, SUM | deps COMPUTE
  FOLD.F32 v5, v4, SUM
  DIV.F32 v1, v1, v5
  ST.F32 v1, w1, s2, s3, 0 | deps COMPUTE
  ADDI s2, s2, 5
  END
"""


def softmax() -> Image:
    """A vector program: the softmax of three rows, with a hardware loop."""
    b = Builder("softmax")
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 5))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (3, 5))
    low = b.constant("low", np.array([-np.inf], np.float32), DType.F32)
    program = b.program("softmax", ProgramKind.VECTOR, 3, 38, SOFTMAX)
    b.launch("softmax", Kind.VECTOR, [x, y, low], program=program)
    b.entry("main", [x], [y])
    return b.finish()


def state() -> Image:
    """Two entries that share a state: one adds its input to it, the other returns it."""
    b = Builder("state", "kpu-edge")
    b.image.states.append(_row("state", name=b.string("total"), bytes=16))
    total = b.tensor("total", Region.STATE, DType.I32, (4,))
    x = b.tensor("x", Region.INPUT, DType.I32, (4,))
    y = b.tensor("y", Region.OUTPUT, DType.I32, (4,))
    program = b.program(
        "add",
        ProgramKind.VECTOR,
        2,
        5,
        "LI s1, 1 | SETVL 4\nLD.I32 v0, w0, s0, s1, 0\nLD.I32 v1, w1, s0, s1, 0\nADD.I32 v0, v0, v1 | deps LOAD\n"
        "ST.I32 v0, w1, s0, s1, 0 | END",
    )
    b.launch("add", Kind.VECTOR, [x, total], program=program)
    b.entry("add", [x], [])
    b.image.entries[0]["outputs_count"] = 0
    b.launch("get", Kind.COPY, lhs=total, out=y)
    b.entry("get", [], [y])
    return b.finish()


PERMUTE = """
  LI s1, 2 | SETVL 6
  LI s3, 1
  LI s4, 0
  LIH s4, 6
  LD.I32 v1, w1, s0, s3, 0 | SETVLR s4
  LI s5, 2 | LOOP s1, 5
  LOOP s5, 4
  GATHER.I8 v2, w0, s2, v1, 0 | deps LOAD
  CVT.I16 v3, v2, I8 | deps LOAD
  TACC.I32 v3, v2, v1 | SCATTER.I32 v3, w2, s2, v1, 0
  SADD s2, s2, s4
  END
"""


def mixed() -> Image:
    """A batched product whose right operand is k by n, and a vector program with nested loops, gather and scatter."""
    b = Builder("mixed")
    a = b.tensor("a", Region.INPUT, DType.F32, (2, 2, 4))
    w = b.tensor("w", Region.INPUT, DType.F32, (2, 4, 3), slot=1)
    x = b.tensor("x", Region.INPUT, DType.I8, (4, 6), slot=2)
    p = b.tensor("p", Region.OUTPUT, DType.F32, (2, 2, 3))
    y = b.tensor("y", Region.OUTPUT, DType.I32, (4, 6), slot=1)
    order = b.constant("order", np.array([3, 1, 5, 0, 2, 4], np.int32), DType.I32)
    geometry = b.geometry(
        "gemm_geometry",
        batch=2,
        m=2,
        n=3,
        k=4,
        lhs_batch_stride=8,
        lhs_m_stride=4,
        lhs_k_stride=1,
        rhs_batch_stride=12,
        rhs_n_stride=1,
        rhs_k_stride=3,
    )
    b.launch("product", Kind.GEMM, lhs=a, rhs=w, out=p, geometry=geometry, schedule=b.schedule(2, 3, 4))
    program = b.program("permute", ProgramKind.VECTOR, 3, 26, PERMUTE)
    b.launch("permute", Kind.VECTOR, [x, order, y], program=program)
    b.entry("main", [a, w, x], [p, y])
    return b.finish()


RUNNING = """
  LI s1, 5 | SETVL 8
  LI s2, 1
  LOOP s1, 11
    LD.I64 v4, w1, s3, s2, 0 | RECV.F64 v2, w0
    GATHER64.F64 v6, w0, s0, v4, 0 | deps LOAD-1
    FMA.F64 v8, v2, v6, v6 | SGET.I64 s4, v4 | deps LOAD
    SCAN.F64 v10, v8, v12, SUM | ADDI s3, s3, 8 | CAST.F16 v14, v8, F64
    REDUCE.F64 v18, v8, MAX
    SKIP s4, 2
      NEG.F64 v10, v10 | deps COMPUTE
      CVT.BF16 v15, v10, F64
    LAST64 v12, v10 | SEND.F64 v10, w2 | deps COMPUTE
    ST.F16 v14, w3, s3, s2, -8
    ST.BF16 v15, w4, s3, s2, -8
  FOLD.F64 v20, v18, MAX
  SETVL 1
  ST.F64 v20, w5, s0, s0, 0
  END
"""


def running() -> Image:
    """Sums of f64 that run on from chunk to chunk: pairs of registers, streams, conversions, gathers by i64, a skip."""
    b = Builder("running")
    x = b.tensor("x", Region.INPUT, DType.F64, (5, 8))
    order = b.constant("order", np.random.default_rng(7).permutation(40).astype(np.int64), DType.I64)
    sums = b.tensor("sums", Region.OUTPUT, DType.F64, (5, 8))
    half = b.tensor("half", Region.OUTPUT, DType.F16, (40,), slot=1)
    brain = b.tensor("brain", Region.SCRATCH, DType.BF16, (40,))
    wide = b.tensor("wide", Region.OUTPUT, DType.F32, (40,), slot=2)
    most = b.tensor("most", Region.OUTPUT, DType.F64, (1,), slot=3)
    program = b.program("running", ProgramKind.VECTOR, 6, 3 + 5 * 11 + 4, RUNNING)
    done = b.launch("running", Kind.VECTOR, [x, order, sums, half, brain, most], program=program)
    text = "SETVL 40\nRECV.BF16 v0, w0\nSEND.F32 v0, w1 | deps LOAD\nEND"
    widen = b.program("widen", ProgramKind.VECTOR, 2, 4, text)
    b.launch("widen", Kind.VECTOR, [brain, wide], [done], program=widen)
    b.entry("main", [x], [sums, half, wide, most], scratch=128)
    return b.finish()


COLLATZ = """
  SETVL 64 | LI s1, 1000
  LI s2, 1
  INDEX.I32 v9, s0, s0, 1
  LD.I32 v0, w0, s0, s2, 0
  INDEX.I32 v8, s0, s0, 113
  REM.U32 v0, v0, v8 | deps LOAD
  ADD.I32 v0, v0, v9 | deps COMPUTE
  LOOP s1, 9
    CMP.I32 v1, v0, v9, OGT
    ADD.I32 v4, v4, v1 | REDUCE.I32 v2, v1, MAX
    FOLD.I32 v3, v2, MAX
    SUB.I32 v2, v2, v2 | SGET.I32 s4, v3
    SHRL.I32 v5, v0, v9 | BREAK s4
    AND.I32 v6, v0, v9 | INDEX.I32 v7, s0, s0, 3
    FMA.I32 v7, v0, v7, v9
    SEL v7, v6, v7, v5
    SEL v0, v1, v7, v0
  ST.I32 v4, w1, s0, s2, 0
  END
"""


def collatz() -> Image:
    """Steps of the Collatz sequence of 64 numbers: a loop that is left when all lanes have arrived at 1."""
    b = Builder("collatz")
    x = b.tensor("x", Region.INPUT, DType.I32, (64,))
    steps = b.tensor("steps", Region.OUTPUT, DType.I32, (64,))
    program = b.program("collatz", ProgramKind.VECTOR, 2, 8 + 1000 * 9 + 2, COLLATZ)
    b.launch("collatz", Kind.VECTOR, [x, steps], program=program)
    b.entry("main", [x], [steps])
    return b.finish()


def widened() -> Image:
    """An f32 product whose epilogue adds the element's number and gives f64 results."""
    b, rng = Builder("widened"), np.random.default_rng(9)
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 16))
    y = b.tensor("y", Region.OUTPUT, DType.F64, (3, 5))
    w = b.constant("w", rng.standard_normal((5, 16)).astype(np.float32), DType.F32)
    text = "TANH.F32 v5, v0 | INDEX.I64 v2, s1, s4, 0\nCVT.F64 v2, v2, I64\n"
    text += "SQRT.F64 v2, v2 | CAST.F64 v6, v5, F32 | deps COMPUTE\nADD.F64 v0, v6, v2 | END | deps COMPUTE"
    program = b.program("number", ProgramKind.EPILOGUE, 0, 4, text)
    geometry = b.gemm(3, 5, 16)
    b.launch(
        "product", Kind.GEMM, lhs=x, rhs=w, out=y, geometry=geometry, schedule=b.schedule(2, 3, 16), program=program
    )
    b.entry("main", [x], [y])
    return b.finish()


FUNCTIONS = ("RSQRT", "EXP", "LOG", "TANH", "ERF", "SIN", "COS", "SIGMOID", "GELU", "SQRT", "ROUNDA", "POW", "REM")


def functions() -> Image:
    """Every special function of f32 and f64, the remainder and rounding, as streams."""
    b = Builder("functions")
    x = b.tensor("x", Region.INPUT, DType.F64, (64,))
    wide = b.tensor("wide", Region.OUTPUT, DType.F64, (len(FUNCTIONS), 64))
    narrow = b.tensor("narrow", Region.OUTPUT, DType.F32, (len(FUNCTIONS), 64), slot=1)
    half = b.constant("half", np.array([0.5]), DType.F64)
    text = "SETVL 64 | LI s1, 1\nLD.F64 v0, w0, s0, s1, 0\nLD.F64 v2, w3, s0, s0, 0\n"
    text += "MUL.F64 v0, v0, v2 | deps LOAD\nCVT.F32 v4, v0, F64\nCVT.F32 v5, v2, F64\n"
    for name in FUNCTIONS:
        second = name in ("POW", "REM")
        text += f"{name}.F64 v6, v0{', v2' if second else ''} | deps COMPUTE\n"
        text += f"{name}.F32 v8, v4{', v5' if second else ''} | deps COMPUTE\n"
        text += "SEND.F64 v6, w1 | deps COMPUTE\nSEND.F32 v8, w2\n"
    program = b.program("functions", ProgramKind.VECTOR, 4, 7 + 4 * len(FUNCTIONS), text + "END")
    b.launch("functions", Kind.VECTOR, [x, wide, narrow, half], program=program)
    b.entry("main", [x], [wide, narrow])
    return b.finish()


IMAGES: tuple[Callable[[], Image], ...] = (
    mlp,
    ternary,
    conv,
    softmax,
    state,
    mixed,
    running,
    collatz,
    widened,
    functions,
)


def outputs(image: Image, context: DeviceContext | None = None) -> dict[str, list[str]]:
    """BLAKE3 of every output of every entry, run one after the other on fixed inputs, by default by the emulator."""
    context, results = context or open_device("emulator", image).context(1), {}
    for entry in entries_of(image):
        generator = np.random.default_rng(0)
        inputs = {a.name: (generator.standard_normal(a.shape) * 50).astype(a.dtype) for a in entry.inputs}
        arrays = context.run(entry.name, inputs)
        results[entry.name] = [blake3(array.tobytes()).hexdigest() for array in arrays.values()]
    return results


def main() -> None:
    """Writes the files of this version that do not exist."""
    FOLDER.mkdir(exist_ok=True)
    for make in IMAGES:
        path = FOLDER / f"{make.__name__}.tfb"
        if path.exists():
            continue
        data = make().to_bytes()
        image = Image.from_buffer(data)
        path.with_suffix(".s").write_text(disassemble(image), encoding="utf-8")
        path.with_suffix(".json").write_text(json.dumps(outputs(image), indent=2) + "\n", encoding="utf-8")
        path.write_bytes(data)


if __name__ == "__main__":
    main()
