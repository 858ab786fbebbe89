"""`Program` and `Context`: names, shapes and dtypes, threads, state, lazy loading; refusals in one line each."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tfmbs
from tests.conformance.builder import END, Builder, c, d, s
from tests.native import for_child
from tfmbs.runtime.abi import container
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator, Limits
from tfmbs.runtime.program import Context, Program, load

F32, I32 = DType.F32, DType.I32
RNG = np.random.default_rng(41)
WEIGHTS = RNG.standard_normal((6, 4)).astype(np.float32)
OTHER = np.arange(3, dtype=np.int32)


def two_inputs() -> Image:
    """y = x · Wᵀ, and z = a copy of the second input."""
    builder = Builder()
    x, other = builder.input("x", (5, 4), F32), builder.input("other", (3,), I32)
    builder.gemm(x, builder.constant(WEIGHTS), builder.output("y", (5, 6), F32), m=5, n=6, k=4)
    builder.copy(other, builder.output("z", (3,), I32))
    return builder.image()


def counter() -> Image:
    """Adds its input to a state, and returns the state."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LD", I32, reg=1, win=0, base=0, index=1),
        s("LD", I32, reg=2, win=1, base=0, index=1),
        d("ADD", I32, vd=1, va=1, vb=2),
        s("ST", I32, reg=1, win=1, base=0, index=1),
        s("ST", I32, reg=1, win=2, base=0, index=1),
        END,
    ]
    builder = Builder()
    x, state = builder.input("x", (1,), I32), builder.state("count", (1,), I32)
    builder.vector(words, [x, state, builder.output("y", (1,), I32)])
    return builder.image()


def spinner(trips: int) -> Image:
    """A program that runs for `trips` words."""
    words = [
        s("LI", reg=2, imm=trips >> 17),
        {**s("LIH", reg=2, imm=0), **c("SETVL", imm=512)},
        s("LI", reg=1, imm=1),
        c("LOOP", reg=2, imm=1),
        d("EXP", F32, vd=1, va=2),
        s("ST", F32, reg=1, win=0, base=0, index=1),
        END,
    ]
    builder = Builder()
    builder.vector(words, [builder.output("y", (512,), F32)], max_steps=1 << 40)
    return builder.image()


def inputs() -> dict[str, np.ndarray]:
    return {"x": RNG.standard_normal((5, 4)).astype(np.float32), "other": OTHER}


def test_saved_and_loaded_program_gives_the_same_bytes(tmp_path: Path) -> None:
    program, given = Program(two_inputs()), inputs()
    program.save(tmp_path / "m.tfb")
    loaded = tfmbs.load(tmp_path / "m.tfb")
    expected = program.run(given)
    got = loaded.run(given)
    assert list(got) == ["y", "z"]
    assert {name: array.tobytes() for name, array in got.items()} == {n: a.tobytes() for n, a in expected.items()}
    np.testing.assert_allclose(got["y"], given["x"] @ WEIGHTS.T, rtol=1e-5)


def test_signature() -> None:
    program = Program(two_inputs())
    assert [(a.name, a.shape, a.dtype.name) for a in program.inputs] == [
        ("x", (5, 4), "float32"),
        ("other", (3,), "int32"),
    ]
    assert [(a.name, a.shape) for a in program.outputs] == [("y", (5, 6)), ("z", (3,))]
    assert program.entry("main") is program.entry()


def test_call_takes_arrays_in_order() -> None:
    program, given = Program(two_inputs()), inputs()
    assert program(given["x"], OTHER)["y"].tobytes() == program.run(given)["y"].tobytes()
    with pytest.raises(TfmbsError) as caught:
        program(given["x"])
    assert str(caught.value) == "error: inputs: number of arrays, expected 2 (x, other), got 1"


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"X": OTHER}, "input.name", "error: X: no such input, expected x/other, got X"),
        ({"x": None}, "input.name", "error: x: an input is missing, expected x, got other"),
        ({"x": np.zeros((4, 5), np.float32)}, "input.shape", "error: x: shape, expected 5×4, got 4×5"),
        ({"x": np.float32(1)}, "input.shape", "error: x: shape, expected 5×4, got scalar"),
        ({"x": np.zeros((5, 4))}, "input.dtype", "error: x: element type, expected float32, got float64"),
        ({"x": np.zeros((5, 4), ">f4")}, "input.dtype", "error: x: element type, expected float32, got >f4"),
        ({"other": [0, 1, 2]}, "input.dtype", "error: other: element type, expected int32, got int64"),
        ({"other": [[1], [2, 3]]}, "input.dtype", "error: other: it cannot be made an array"),
    ],
)  # fmt: skip
def test_wrong_inputs(change: dict[str, object], code: str, text: str) -> None:
    given = {name: value for name, value in {**inputs(), **change}.items() if value is not None}
    with pytest.raises(TfmbsError) as caught:
        Program(two_inputs()).run(given)
    assert (caught.value.code, str(caught.value)[: len(text)]) == (code, text)


def test_layout_of_inputs_does_not_matter() -> None:
    program, given = Program(two_inputs()), inputs()
    expected = program.run(given)["y"].tobytes()
    wide = np.zeros((5, 8), np.float32)
    wide[:, ::2] = given["x"]
    misaligned = np.frombuffer(b"\0" + given["x"].tobytes(), np.uint8)[1:].view(np.float32).reshape(5, 4)
    for x in (np.asfortranarray(given["x"]), wide[:, ::2], misaligned):
        assert program.run({**given, "x": x})["y"].tobytes() == expected


def test_outputs_are_fresh_and_inputs_untouched() -> None:
    program, given = Program(two_inputs()), inputs()
    before = given["x"].copy()
    given["x"].flags.writeable = False
    first = program.run(given)
    first["y"][:] = 0
    assert program.run(given)["y"].any()
    assert given["x"].tobytes() == before.tobytes()


def test_unknown_entry_and_devices() -> None:
    program = Program(two_inputs())
    refusals = {
        "entry": (lambda: program.run(inputs(), entry="decode"), "error: entry: no such entry point"),
        "fpga": (lambda: program.run(inputs(), device="fpga"), "error: fpga: the FPGA driver is not part of"),
        "kpu's stats": (lambda: program.context("kpu").stats, "error: kpu: there are no stats before a run"),
        "tpu": (lambda: program.context(device="tpu"), "error: tpu: no such device"),
        "threads": (lambda: program.context(threads=0), "error: threads: number of threads, expected 1…256, got 0"),
        "half a thread": (lambda: program.context(threads=2.0), "error: threads: number of threads, expected 1…256"),
        "stats": (lambda: program.context().stats, "error: emulator: there are no stats before a run"),
    }
    for call, text in refusals.values():
        with pytest.raises(TfmbsError) as caught:
            call()
        assert str(caught.value).startswith(text)


# --- threads, state, memory -------------------------------------------------------------------------------------------


def test_threads_share_a_program() -> None:
    program = Program(two_inputs())
    given = [inputs() for _ in range(40)]
    expected = [program.run(g)["y"].tobytes() for g in given]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda g: program.run(g)["y"].tobytes(), given)) == expected


def test_a_context_refuses_a_second_thread() -> None:
    context = Program(spinner(1 << 19)).context()
    thread = threading.Thread(target=context.run, args=({},))
    thread.start()
    try:
        while thread.is_alive() and not (refusal := refusal_of(context)):
            pass
    finally:
        thread.join()
    assert "a context runs in one thread at a time" in refusal
    assert (context.run({})["y"] == 1).all()


def refusal_of(context: Context) -> str:
    """What resetting the context is refused with, or nothing."""
    try:
        context.reset()
    except TfmbsError as error:
        return str(error)
    return ""


def test_inputs_are_a_mapping() -> None:
    with pytest.raises(TfmbsError) as caught:
        Program(two_inputs()).run([OTHER])
    assert str(caught.value) == "error: inputs: arrays by name, expected a mapping, got list"


def test_program_runs_from_zeroed_state_and_a_context_keeps_it() -> None:
    program = Program(counter())
    one = {"x": np.ones(1, np.int32)}
    assert [program.run(one)["y"].item() for _ in range(2)] == [1, 1]
    context = program.context()
    assert [context.run(one)["y"].item() for _ in range(2)] == [1, 2]
    context.reset()
    assert context.run(one)["y"].item() == 1


def test_the_callers_rounding_mode_changes_nothing() -> None:
    math = ctypes.CDLL(ctypes.util.find_library("m"))
    upward = {"x86_64": 0x800}.get(platform.machine(), 0x400000)  # FE_UPWARD
    context, given = Program(two_inputs()).context(), inputs()
    expected = context.run(given)["y"].tobytes()
    before = math.fegetround()
    assert math.fesetround(upward) == 0
    try:
        got = context.run(given)["y"].tobytes()
        assert math.fegetround() == upward
    finally:
        math.fesetround(before)
    assert got == expected


def test_the_callers_flushing_of_denormals_changes_nothing() -> None:
    math = ctypes.CDLL(ctypes.util.find_library("m"))
    # MXCSR ends the environment of x86, FPCR begins that of Arm: flush results to zero, take operands as zero.
    word, flush = {"x86_64": (7, 0x8040)}.get(platform.machine(), (0, 1 << 24))
    environment = (ctypes.c_uint32 * 8)()
    assert math.fegetenv(environment) == 0
    before = environment[word]
    environment[word] = before | flush
    image, tiny = product_of("input"), np.float32(1e-39)
    given = {"x": np.full((5, 4), tiny), "w": np.full((6, 4), np.float32(0.5))}
    assert math.fesetenv(environment) == 0
    try:
        got = Program(image).context(threads=2).run(given)["y"]  # threads inherit the environment
    finally:
        environment[word] = before
        math.fesetenv(environment)
    assert (got == 2 * tiny).all()
    assert got.any()


def product_of(weights: str) -> Image:
    """A product with weights that are `constant`, or an `input`; its result goes through scratch."""
    builder = Builder()
    x, scratch = builder.input("x", (5, 4), F32), builder.scratch((5, 6), F32)
    rhs = builder.constant(WEIGHTS) if weights == "constant" else builder.input("w", (6, 4), F32)
    builder.gemm(x, rhs, scratch, m=5, n=6, k=4)
    builder.copy(scratch, builder.output("y", (5, 6), F32))
    return builder.image()


LIMITS = {
    "steps": (spinner(1 << 18), Limits(steps=100), "more than 100 steps"),
    "operations": (product_of("constant"), Limits(operations=50), "more operations than are granted"),
    "packed weights": (product_of("constant"), Limits(memory=127), "packed weights take more memory than is granted"),
    "scratch": (product_of("input"), Limits(memory=127), "128 bytes of scratch and state, at most 127 are granted"),
    "buffers": (product_of("input"), Limits(memory=128), "buffers take more memory than is granted"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    image, limits, text = LIMITS[name]
    given = {"x": inputs()["x"], "w": WEIGHTS}
    with pytest.raises(TfmbsError, match=text) as caught:
        Emulator(image, limits=limits).context().run("main", given)
    assert caught.value.code == "resource-limit"


def layers() -> tuple[Image, list[np.ndarray]]:
    """Two products, each with weights of several chunks, and ternary ones whose last byte is no code."""
    builder = Builder()
    weights = [RNG.standard_normal((600, 1000)).astype(np.float32) for _ in range(2)]
    rows, outputs = builder.input("x", (1, 1000), F32), []
    for number, matrix in enumerate(weights):
        outputs.append(builder.output(f"y{number}", (1, 600), F32))
        builder.gemm(rows, builder.constant(matrix), outputs[-1], m=1, n=600, k=1000)
    trits = builder.constant(np.ones((600, 1000), np.int8), Packing.PT5)
    builder.gemm(rows, trits, builder.output("t", (1, 600), F32), m=1, n=600, k=1000)
    return builder.image(), weights


def damaged(path: Path, damage: str) -> None:
    """Writes `layers` with a bit of the second matrix changed, or with a byte of the trits that is no code."""
    image, weights = layers()
    if damage == "codes":
        image.weights = bytes(image.weights)[:-1] + b"\xff"
    image.save(path)
    if damage == "digest":
        data = bytearray(path.read_bytes())
        data[data.find(weights[1].tobytes()[:64]) + 2_000_000] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize(("damage", "code"), [("digest", "container.digest"), ("codes", "record")])
def test_lazy_load_checks_weights_when_a_launch_first_reads_them(damage: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tfb"
    damaged(path, damage)
    with pytest.raises(TfmbsError) as eager:
        load(path)
    program = load(path, verify="lazy")
    context = program.context()
    y = np.zeros((1, 600), np.float32)
    for _ in range(2):  # it stays refused
        with pytest.raises(TfmbsError) as lazy:
            context.run({"x": np.ones((1, 1000), np.float32)}, out={"y0": y})
        assert eager.value.code == lazy.value.code == code
        assert lazy.value.location in eager.value.location
    assert y.any()  # the first product was computed


def test_lazy_load_reads_no_weights_before_they_are_used_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _ = layers()
    image.save(tmp_path / "m.tfb")
    expected = Program(image).run({"x": np.ones((1, 1000), np.float32)})
    read: list[int] = []

    def compare(section: container.Section, chunk: int, got: bytes) -> None:
        read.append(chunk)
        real(section, chunk, got)

    real = container.compare_chunk
    program = load(tmp_path / "m.tfb", verify="lazy")
    monkeypatch.setattr(container, "compare_chunk", compare)
    contexts = [program.context(threads=count) for count in (1, 2)]
    assert not read
    for context in contexts:
        for _ in range(2):
            got = context.run({"x": np.ones((1, 1000), np.float32)})
            assert {name: array.tobytes() for name, array in got.items()} == {
                n: a.tobytes() for n, a in expected.items()
            }
    assert read == list(range(-(-len(program.image.weights) // container.CHUNK_BYTES)))


FORK = """
import os, sys
import numpy as np
import tfmbs
context = tfmbs.load(sys.argv[1]).context(threads=2)
given = {"x": np.linspace(-1, 1, 400, dtype=np.float32).reshape(1, 400)}
expected = context.run(given)["y"].tobytes()
for _ in range(20):
    if not (child := os.fork()):
        same = all(context.run(given)["y"].tobytes() == expected for _ in range(3))
        del context
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert context.run(given)["y"].tobytes() == expected
print("done")
"""


def test_a_fork_is_told_apart(tmp_path: Path) -> None:
    """The child of a fork has none of the threads: it starts its own, and does not wait for the others when it ends."""
    builder = Builder()  # more than one thread has work
    x, out = builder.input("x", (1, 400), F32), builder.output("y", (1, 1200), F32)
    builder.gemm(x, builder.constant(RNG.standard_normal((1200, 400)).astype(np.float32)), out, m=1, n=1200, k=400)
    builder.image().save(tmp_path / "m.tfb")
    command = [sys.executable, "-W", "ignore", "-c", for_child(FORK), str(tmp_path / "m.tfb")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
