"""The native code checks by itself what its memory safety rests on: tables that never saw the verifier are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import unpack_rows
from tfmbs.runtime.abi.records import NONE, Direction, Kind, MaskMode, PoolMode, ProgramKind
from tfmbs.runtime.abi.sections import KINDS, Content
from tfmbs.runtime.abi.siw import BIT_FIELD
from tfmbs.runtime.abi.types import DType, Packing, Region, packed_rows

F32, I32 = DType.F32, DType.I32
MEMORY = 1 << 30
Tables = dict[str, bytearray]
RECORDS = {kind.name: kind.record for kind in KINDS if kind.record}


def image() -> Image:
    """One launch of each kind: 0 GEMM with an epilogue, 1 CONV2D, 2 POOL, 3 VECTOR, 4 COPY, 5 CONV3D, 6 ATTENTION,
    7 LSTM."""
    builder = Builder()
    x = builder.input("x", (1, 1, 4, 4), F32)
    weights = builder.constant(np.ones((3, 4), np.int8), Packing.PT5)
    bias = builder.constant(np.ones(3, np.float32))
    words = [s("LD", F32, reg=1, win=0, base=2, index=3), {**d("ADD", F32, vd=0, va=0, vb=1), **END}]
    product = builder.scratch((4, 3), F32)
    epilogue = builder.epilogue(words, 1)
    builder.gemm(builder.view(x, (4, 4)), weights, product, epilogue=epilogue, args=[bias], m=4, n=3, k=4)
    convolved, pooled, doubled = (builder.scratch((1, 1, size, size), F32) for size in (3, 2, 2))
    builder.window(Kind.CONV2D, x, builder.constant(np.ones((1, 1, 2, 2), np.float32)), convolved, kernel=(2, 2))
    builder.window(Kind.POOL, convolved, NONE, pooled, kernel=(2, 2), mode=PoolMode.MAX)
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=4)},
        {**s("LI", reg=2, imm=2), **c("LOOP", reg=1, imm=1)},
        s("LD", F32, reg=1, win=0, base=0, index=1),
        d("ADD", F32, vd=1, va=1, vb=1),
        {**s("ST", F32, reg=1, win=1, base=0, index=1), **END},
    ]
    builder.vector(words, [pooled, doubled])
    builder.copy(doubled, builder.output("y", (1, 1, 2, 2), F32))
    cube = builder.view(x, (1, 1, 4, 2, 2))
    weights = builder.constant(np.ones((1, 1, 2, 2, 1), np.float32))
    builder.volume(cube, weights, builder.scratch((1, 1, 3, 1, 2), F32), kernel=(2, 2, 1))
    heads, bits = builder.view(x, (1, 1, 4, 4)), builder.constant(np.ones((1, 1, 1, 4), bool))
    attended = builder.scratch((1, 1, 4, 4), F32)
    builder.attention(heads, heads, heads, attended, masked=bits, mask=MaskMode.SELECT)
    sequence, rows = builder.view(x, (2, 2, 4)), (1, 12, 4)
    weights, recurrent = (builder.constant(np.ones(shape, np.float32)) for shape in (rows, (1, 12, 3)))
    state = builder.scratch((1, 2, 3), F32)
    more = [builder.constant(np.ones((1, 12), np.float32)), state, state]
    flags = {"bias": 1, "initial": 1, "cell": 1}
    builder.lstm(sequence, weights, builder.scratch((3, 1, 2, 3), F32), [recurrent, *more], **flags)
    return builder.image()


def tables_of(source: Image) -> Tables:
    kept = (Content.RECORDS, Content.U32, Content.WORDS)
    return {kind.name: bytearray(source.section(kind.name)) for kind in KINDS if kind.content in kept}


def put(tables: Tables, section: str, row: int, name: str, value: Any) -> None:
    """Sets one field of one record."""
    layout = RECORDS[section]
    fields = layout.decode(tables[section], row * layout.size)
    fields[name] = value
    tables[section][row * layout.size : (row + 1) * layout.size] = layout.encode(fields)


def put_word(tables: Tables, index: int, name: str, value: int) -> None:
    """Sets one field of one instruction word."""
    field = BIT_FIELD[name]
    data = tables["SIW"]
    word = int.from_bytes(data[index * 16 : index * 16 + 16], "little")
    word &= ~(((1 << field.bits) - 1) << field.low)
    word |= (value & ((1 << field.bits) - 1)) << field.low
    data[index * 16 : index * 16 + 16] = word.to_bytes(16, "little")


def run(tables: Tables, source: Image, *, x_bytes: int = 64, y_bytes: int = 16) -> np.ndarray:
    weights = np.frombuffer(source.weights, np.uint8)
    loaded = _native.load({name: bytes(data) for name, data in tables.items()}, source.strings, weights, "", MEMORY)
    context = _native.Context(loaded, 1, 1 << 20, 1 << 30, 1 << 30)
    y = np.zeros(y_bytes, np.uint8)
    context.run(loaded, 0, [np.ones(x_bytes // 4, np.float32).view(np.uint8)], [y])
    return y.view(np.float32)


def test_untouched_tables_run() -> None:
    source = image()
    assert run(tables_of(source), source).tolist() == [8, 8, 8, 8]


# Tensors in the order of `image`: 0 x, 1 weights, 2 bias, 3 product, 4 view, 5 convolved, 6 pooled, 7 doubled,
# 8 filter, 9 y. Words: 0 and 1 are the epilogue, 2 to 6 the vector program.
FIELDS: list[tuple[str, int, str, Any]] = [
    ("CODE", 0, "kind", 99),
    ("CODE", 0, "lhs", 99),
    ("CODE", 0, "lhs", NONE),
    ("CODE", 0, "rhs", NONE),
    ("CODE", 0, "out", NONE),
    ("CODE", 0, "out", 1),
    ("CODE", 0, "out", 0),
    ("CODE", 0, "geometry", 1),
    ("CODE", 0, "geometry", NONE),
    ("CODE", 0, "program", 2),
    ("CODE", 0, "program", 1),
    ("CODE", 0, "args_count", 0),
    ("CODE", 0, "args_count", 17),
    ("CODE", 0, "args_first", 0xFFFFFFFF),
    ("CODE", 0, "name", 999),
    ("CODE", 1, "geometry", 2),
    ("CODE", 1, "lhs", 3),
    ("CODE", 1, "rhs", 2),
    ("CODE", 2, "out", 5),
    ("CODE", 3, "program", NONE),
    ("CODE", 3, "program", 0),
    ("CODE", 4, "lhs", 5),
    ("CODE", 4, "out", 2),
    ("CODE", 5, "geometry", 1),
    ("CODE", 5, "rhs", 2),
    ("CODE", 5, "kind", 200),
    ("TENSOR", 0, "dims", (1, 1, 4, 5, 0, 0, 0, 0)),
    ("TENSOR", 0, "dims", (0xFFFFFFFF,) * 8),
    ("TENSOR", 0, "rank", 9),
    ("TENSOR", 0, "dtype", DType.I8),
    ("TENSOR", 0, "dtype", 0),
    ("TENSOR", 0, "dtype", 77),
    ("TENSOR", 0, "packing", Packing.T2),
    ("TENSOR", 0, "slot", 1),
    ("TENSOR", 0, "region", 0),
    ("TENSOR", 0, "offset", 4),
    ("TENSOR", 0, "offset", 0xFFFFFFFFFFFFFFFC),
    ("TENSOR", 1, "packing", Packing.DENSE),
    ("TENSOR", 1, "packing", 9),
    ("TENSOR", 1, "region", Region.SCRATCH),
    ("TENSOR", 1, "offset", 1 << 40),
    ("TENSOR", 2, "offset", 65),
    ("TENSOR", 2, "dtype", DType.I64),
    ("TENSOR", 3, "region", Region.WEIGHTS),
    ("TENSOR", 3, "region", Region.INPUT),
    ("TENSOR", 3, "offset", 1 << 20),
    ("TENSOR", 5, "dtype", I32),
    ("TENSOR", 7, "region", Region.INPUT),
    ("TENSOR", 9, "bytes", 12),
    ("GEMM_GEOMETRY", 0, "batch", 0),
    ("GEMM_GEOMETRY", 0, "batch", 2),
    ("GEMM_GEOMETRY", 0, "k", 5),
    ("GEMM_GEOMETRY", 0, "m", 0xFFFFFFFF),
    ("GEMM_GEOMETRY", 0, "lhs_m_stride", 5),
    ("GEMM_GEOMETRY", 0, "lhs_k_stride", 0xFFFFFFFF),
    ("GEMM_GEOMETRY", 0, "rhs_n_stride", 5),
    ("GEMM_GEOMETRY", 0, "lhs_zero", 1),
    ("WINDOW_GEOMETRY", 0, "in_height", 5),
    ("WINDOW_GEOMETRY", 0, "out_width", 4),
    ("WINDOW_GEOMETRY", 0, "kernel_height", 0xFFFFFFFF),
    ("WINDOW_GEOMETRY", 0, "stride_width", 0),
    ("WINDOW_GEOMETRY", 0, "dilation_height", 0),
    ("WINDOW_GEOMETRY", 0, "groups", 0),
    ("WINDOW_GEOMETRY", 0, "groups", 2),
    ("WINDOW_GEOMETRY", 1, "mode", PoolMode.NONE),
    ("WINDOW_GEOMETRY", 1, "mode", 9),
    ("WINDOW_GEOMETRY", 1, "out_channels", 2),
    ("ATTENTION", 0, "rows", 5),
    ("ATTENTION", 0, "columns", 0),
    ("ATTENTION", 0, "groups", 0xFFFFFFFF),
    ("ATTENTION", 0, "shared", 2),
    ("ATTENTION", 0, "width", 5),
    ("ATTENTION", 0, "value_width", 3),
    ("ATTENTION", 0, "lhs_row_stride", 5),
    ("ATTENTION", 0, "rhs_stride", 0xFFFFFFFF),
    ("ATTENTION", 0, "value_row_stride", 6),
    ("ATTENTION", 0, "mask_row_stride", 2),
    ("ATTENTION", 0, "mask", MaskMode.NONE),
    ("ATTENTION", 0, "mask", MaskMode.ADD),
    ("ATTENTION", 0, "mask", 9),
    ("LSTM_GEOMETRY", 0, "steps", 0),
    ("LSTM_GEOMETRY", 0, "steps", 3),
    ("LSTM_GEOMETRY", 0, "steps", 0xFFFFFFFF),
    ("LSTM_GEOMETRY", 0, "batch", 3),
    ("LSTM_GEOMETRY", 0, "width", 5),
    ("LSTM_GEOMETRY", 0, "hidden", 0xFFFFFFFF),
    ("LSTM_GEOMETRY", 0, "hidden", 4),
    ("LSTM_GEOMETRY", 0, "direction", Direction.BOTH),
    ("LSTM_GEOMETRY", 0, "direction", 3),
    ("LSTM_GEOMETRY", 0, "order", 2),
    ("LSTM_GEOMETRY", 0, "bias", 0),
    ("LSTM_GEOMETRY", 0, "recurrent_bias", 1),
    ("LSTM_GEOMETRY", 0, "initial", 0),
    ("LSTM_GEOMETRY", 0, "cell", 0),
    ("CODE", 7, "args_count", 3),
    ("CODE", 7, "rhs", 2),
    ("CODE", 7, "out", 0),
    ("CODE", 7, "program", 0),
    ("CODE", 6, "args_count", 1),
    ("CODE", 6, "args_count", 3),
    ("CODE", 6, "program", 0),
    ("CODE", 6, "geometry", 1),
    ("CODE", 6, "out", 0),
    ("CODE", 6, "rhs", 1),
    ("VOLUME_GEOMETRY", 0, "in_depth", 5),
    ("VOLUME_GEOMETRY", 0, "out_channels", 2),
    ("VOLUME_GEOMETRY", 0, "kernel_depth", 0xFFFFFFFF),
    ("VOLUME_GEOMETRY", 0, "kernel_width", 0),
    ("VOLUME_GEOMETRY", 0, "stride_depth", 0),
    ("VOLUME_GEOMETRY", 0, "dilation_width", 0),
    ("VOLUME_GEOMETRY", 0, "groups", 2),
    ("VOLUME_GEOMETRY", 0, "lhs_zero", 1),
    ("PROGRAM", 0, "kind", ProgramKind.VECTOR),
    ("PROGRAM", 0, "windows", 0),
    ("PROGRAM", 0, "first_word", 7),
    ("PROGRAM", 0, "word_count", 0),
    ("PROGRAM", 0, "word_count", 1),
    ("PROGRAM", 1, "word_count", 0xFFFFFFFF),
    ("PROGRAM", 1, "max_steps", 4),
    ("PROGRAM", 1, "name", 999),
    ("ENTRY", 0, "first_descriptor", 1),
    ("ENTRY", 0, "descriptor_count", 9),
    ("ENTRY", 0, "inputs_count", 9),
    ("ENTRY", 0, "outputs_first", 0xFFFFFFFF),
    ("ENTRY", 0, "scratch_bytes", 8),
    ("ENTRY", 0, "scratch_bytes", 1 << 62),
]  # fmt: skip


@pytest.mark.parametrize(("section", "row", "name", "value"), FIELDS, ids=lambda value: str(value)[:24])
def test_impossible_field(section: str, row: int, name: str, value: Any) -> None:
    source = image()
    tables = tables_of(source)
    put(tables, section, row, name, value)
    with pytest.raises(TfmbsError) as caught:
        run(tables, source)
    assert caught.value.code in {"record", "siw", "siw.address", "resource-limit"}


WORDS = [
    (1, "d_op", 200),
    (1, "d_type", DType.I16),
    (1, "c_op", 0),
    (0, "c_op", 1),
    (0, "c_op", 77),
    (0, "s_op", 99),
    (0, "s_type", 0),
    (0, "s_type", DType.F64),
    (0, "s_type", DType.I8),
    (0, "s_win", 5),
    (2, "c_imm", 0),
    (2, "c_imm", 513),
    (3, "c_imm", 0),
    (3, "c_imm", 4),
    (4, "s_imm", 1),
    (6, "s_imm", -1),
    (6, "s_win", 15),
]


@pytest.mark.parametrize(("index", "name", "value"), WORDS)
def test_impossible_word(index: int, name: str, value: int) -> None:
    source = image()
    tables = tables_of(source)
    put_word(tables, index, name, value)
    with pytest.raises(TfmbsError) as caught:
        run(tables, source)
    assert caught.value.code in {"record", "siw", "siw.address"}


def test_store_into_a_read_only_region() -> None:
    source = image()
    tables = tables_of(source)
    put_word(tables, 0, "s_op", 2)
    with pytest.raises(TfmbsError, match="region that is read only"):
        run(tables, source)


@pytest.mark.parametrize("section", ["CODE", "TENSOR", "PROGRAM", "ARGS", "ENTRY", "IO_SIG", "GEMM_GEOMETRY"])
def test_cut_table(section: str) -> None:
    source = image()
    for cut in (1, len(tables_of(source)[section])):
        tables = tables_of(source)
        del tables[section][-cut:]
        with pytest.raises(TfmbsError):
            run(tables, source)


@pytest.mark.parametrize(("x_bytes", "y_bytes"), [(60, 16), (64, 12), (0, 16)])
def test_short_buffers(x_bytes: int, y_bytes: int) -> None:
    source = image()
    with pytest.raises(TfmbsError, match="a tensor leaves its region"):
        run(tables_of(source), source, x_bytes=x_bytes, y_bytes=y_bytes)


def test_trits_outside_the_weights() -> None:
    """They are bytes, which nothing has unpacked: a kernel would read them as numbers four times as long."""
    source = image()
    tables = tables_of(source)
    for name, value in {"packing": Packing.I8, "bytes": 12, "region": Region.SCRATCH}.items():
        put(tables, "TENSOR", 1, name, value)
    with pytest.raises(TfmbsError, match="a packed rhs lies outside WEIGHTS"):
        run(tables, source)


def test_an_input_that_is_not_aligned_to_the_tensor() -> None:
    source = image()
    weights = np.frombuffer(source.weights, np.uint8)
    tables = {name: bytes(data) for name, data in tables_of(source).items()}
    loaded = _native.load(tables, source.strings, weights, "", MEMORY)
    context = _native.Context(loaded, 1, 1 << 20, 1 << 30, 1 << 30)
    x = np.zeros(68, np.uint8)
    first = -x.ctypes.data % 4 + 1
    with pytest.raises(TfmbsError, match="larger than those of its input or output"):
        context.run(loaded, 0, [x[first : first + 64]], [np.zeros(16, np.uint8)])


def test_unknown_instruction_set() -> None:
    source = image()
    with pytest.raises(TfmbsError, match="instruction set 'sse9' is not available here"):
        _native.load({}, source.strings, np.zeros(0, np.uint8), "sse9", MEMORY)


ROWS = {
    Packing.I8: (1, [[byte] for byte in range(256)]),
    Packing.PT5: (5, [[byte] for byte in range(256)]),
    Packing.T2: (4, [[byte] for byte in range(256)]),
    Packing.S2: (3, [[flags, signs] for flags in range(16) for signs in range(8)]),
    Packing.S4: (5, [[flags, signs] for flags in range(64) for signs in range(0, 8, 3)]),
    Packing.R5: (257, [[byte, *[128] * 63] for byte in range(256)]),  # one trit of the last digit
    Packing.A5: (257, [[*[128] * at, byte, *[128] * (4095 - at)] for byte in range(256) for at in (0, 1, 64)]),
}
"""Trits of a row, and the bytes that are tried."""


@pytest.mark.parametrize("packing", ROWS)
def test_every_row_is_of_its_packing_or_refused(packing: Packing) -> None:
    """A row holds what `unpack_rows` says, or neither takes it."""
    length, candidates = ROWS[packing]
    builder = Builder()
    x, out = builder.input("x", (length, length), F32), builder.output("y", (length, 1), F32)
    weights = builder.constant(np.zeros((1, length), np.int8), packing)
    builder.gemm(x, weights, out, m=length, n=1, k=length)
    source = builder.image()
    tables = {name: bytes(data) for name, data in tables_of(source).items()}
    for candidate in candidates:
        octets = np.array(candidate, np.uint8)
        y = np.zeros(4 * length, np.uint8)
        loaded = _native.load(tables, source.strings, octets, "", MEMORY)
        context = _native.Context(loaded, 1, 1 << 20, 1 << 20, 1 << 20)
        inputs = [np.eye(length, dtype=np.float32).reshape(-1).view(np.uint8)]
        try:
            expected = unpack_rows(octets.reshape(packed_rows(packing, 1), -1), length, packing, 1)
        except ValueError:
            for _ in range(2):  # what made no weights the first time makes none the second
                with pytest.raises(TfmbsError):
                    context.run(loaded, 0, inputs, [y])
            continue
        context.run(loaded, 0, inputs, [y])
        assert y.view(np.float32).tolist() == expected[0].tolist()


def product_of_trits(packing: Packing) -> tuple[dict[str, bytes], list[str], Any]:
    """Tables, strings and weights of a product of i8 with six rows of 4000 ones."""
    builder = Builder()
    x, out = builder.input("x", (1, 4000), DType.I8), builder.output("y", (1, 6), DType.I32)
    builder.gemm(x, builder.constant(np.ones((6, 4000), np.int8), packing), out, m=1, n=6, k=4000)
    source = builder.image()
    tables = {name: bytes(data) for name, data in tables_of(source).items()}
    return tables, source.strings, np.frombuffer(source.weights, np.uint8).copy()


@pytest.mark.parametrize(("packing", "rows"), [(Packing.PT5, 64), (Packing.R5, 64), (Packing.A5, 0)])
def test_rows_abreast_of_the_file_are_not_copied(packing: Packing, rows: int) -> None:
    """A launch keeps the sum of each row of trits, and of other packings the rows, abreast."""
    assert _native.load(*product_of_trits(packing), "", MEMORY).packed == 6 * 4 + rows * 13 * 64


@pytest.mark.parametrize(
    ("byte", "value", "what"), [(2 * 64 + 1, 20, "row 1 byte 2 is no code"), (831 * 64, 1, "row 0 byte 831 is padded")]
)
def test_rows_abreast_of_the_file_are_checked(byte: int, value: int, what: str) -> None:
    tables, strings, weights = product_of_trits(Packing.A5)
    weights[byte] = value
    context = _native.Context(loaded := _native.load(tables, strings, weights, "", MEMORY), 1, 1, 1 << 20, 1 << 20)
    with pytest.raises(TfmbsError, match=what):
        context.run(loaded, 0, [np.zeros(4000, np.uint8)], [np.zeros(24, np.uint8)])
