"""Checks of weights piece by piece: what is wrong anywhere is found, and named as if all had been looked at at once."""

import time
from functools import lru_cache
from itertools import product as tuples
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.builder import Builder
from tests.native import examples
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import unpack_rows
from tfmbs.runtime.abi.types import DType, Packing, Region, packed_rows

ROWS, LENGTH = 600, 10001
"""Weights of several pieces, in rows that end within a byte or block."""

PACKINGS = [Packing.PT5, Packing.R5, Packing.T2, Packing.A5]


@lru_cache(maxsize=4)
def product(packing: Packing) -> tuple[bytes, int, int]:
    """A file of a product with random trits; where these begin in WEIGHTS, and the bytes of a row, or 64 abreast."""
    builder = Builder()
    builder.constant(np.ones(37, np.float32))
    trits = np.random.default_rng(0).integers(-1, 2, (ROWS, LENGTH), np.int8)
    x, y = builder.input("x", (1, LENGTH), DType.F32), builder.output("y", (1, ROWS), DType.F32)
    builder.gemm(x, builder.constant(trits, packing), y, m=1, n=ROWS, k=LENGTH)
    image = builder.image()
    tensor = next(t for t in image.tensors if t["region"] == Region.WEIGHTS and t["dtype"] == DType.TRIT)
    return bytes(image.to_bytes()), tensor["offset"], tensor["bytes"] * lines_of(packing) // packed_rows(packing, ROWS)


def lines_of(packing: Packing) -> int:
    """Rows that lie side by side."""
    return 64 if packing is Packing.A5 else 1


def refusal(group: np.ndarray, first: int, packing: Packing) -> str | None:
    """What is wrong with rows from `first` on that lie side by side."""
    lines = lines_of(packing)
    try:
        unpack_rows(group.reshape(lines, -1), LENGTH, packing, min(lines, ROWS - first))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("packing", PACKINGS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_byte_that_is_wrong_is_found_and_named(packing: Packing, data: st.DataObject) -> None:
    file, offset, size = product(packing)
    image = Image.from_buffer(file, verify="lazy")
    abreast = lines_of(packing)
    group = data.draw(st.integers(0, -(-ROWS // abreast) - 1) | st.just(ROWS // abreast - 1 + (ROWS % abreast > 0)))
    end = 64 * abreast  # a block of each row
    at = group * size + data.draw(st.integers(0, size - 1) | st.integers(max(0, size - end), size - 1))
    weights = bytearray(image.weights)
    weights[offset + at] = value = data.draw(st.integers(0, 255))
    octets = np.frombuffer(weights, np.uint8)[offset + group * size :][:size]
    image.weights = weights
    signed = image.to_bytes()
    expected = refusal(octets, group * abreast, packing)
    if expected is None:
        Image.from_buffer(signed)
        return
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(signed)
    assert caught.value.code == "record"
    if "padding" not in expected:
        assert (caught.value.what, caught.value.got) == (f"byte {at} of packed trits", value)
        return
    row = group * abreast + int(next(word for word in expected.split() if word.isdigit()))
    named = {f"padding of row {row}", f"row {row}, which is padding"} if row >= ROWS else {f"padding of row {row}"}
    assert caught.value.what in named


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_wrong_digest_comes_before_what_it_would_have_covered(packing: Packing) -> None:
    file, offset, _ = product(packing)
    image = Image.from_buffer(file, verify="lazy")
    start = len(file) - len(image.weights)
    damaged = bytearray(file)
    damaged[start + offset + 1_100_000] = min({*range(256)} - CODES[packing])
    for verify in ("eager", "lazy"):
        with pytest.raises(TfmbsError, match="chunk 1 of section WEIGHTS") as caught:
            Image.from_buffer(damaged, verify).check_weights()
        assert caught.value.code == "container.digest"


CODES = {
    Packing.I8: {0, 1, 0xFF},
    Packing.PT5: {sum(digit * 3**i for i, digit in enumerate(digits)) for digits in tuples(range(3), repeat=5)},
    Packing.T2: {sum(digit * 4**i for i, digit in enumerate(digits)) for digits in tuples(range(3), repeat=4)},
    Packing.NIBBLES: {*range(256)},
    Packing.R5: {-(-256 * number // 243) for number in range(243)},
    Packing.A5: {sign * (256 * number // 243 + 1) % 256 for number in range(122) for sign in (1, -1)},
}


each_set = pytest.mark.parametrize("isa", ["", *_native.instruction_sets(), *_native.modelled_sets()])


@each_set
@pytest.mark.parametrize("packing", CODES)
def test_every_byte_is_a_code_or_none(packing: Packing, isa: str) -> None:
    """Alone, and as the last one of whole vectors."""
    for count in 1, 256:
        octets = np.full(count, min(CODES[packing]), np.uint8)
        for octets[-1] in range(256):
            assert _native.codes_before(octets, packing, isa) == count - (int(octets[-1]) not in CODES[packing])


@each_set
@pytest.mark.parametrize("packing", CODES)
@settings(max_examples=examples(40))
@given(data=st.data())
def test_the_first_byte_that_is_no_code(packing: Packing, isa: str, data: st.DataObject) -> None:
    """At any address, of any length, with any bytes behind it that are none either."""
    count, start = data.draw(st.integers(0, 300) | st.integers(4000, 13000)), data.draw(st.integers(0, 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    memory = np.full(start + count + 100, min({*range(256)} - CODES[packing], default=0), np.uint8)
    octets = memory[start : start + count]
    octets[:] = rng.choice(np.array(sorted(CODES[packing]), np.uint8), count)
    for at in data.draw(st.lists(st.integers(0, count - 1), max_size=3)) if count else ():
        octets[at] = data.draw(st.integers(0, 255))
    wrong = np.flatnonzero(~np.isin(octets, sorted(CODES[packing])))
    assert _native.codes_before(octets, packing, isa) == (wrong[0] if wrong.size else count)


def test_bytes_that_change_meanwhile_are_not_looked_for_behind_the_end() -> None:
    """Another program may write to a mapped file while it is checked."""
    memory, stop = np.zeros(1 << 16, np.uint8), Event()
    memory[-1] = 255
    octets, changing = memory[:4096], memory[3000:4096]

    def change() -> None:
        while not stop.is_set():
            changing.fill(255)
            changing.fill(0)

    thread = Thread(target=change)
    thread.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert _native.codes_before(octets, Packing.PT5, "baseline") <= len(octets)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("packing", [Packing.DENSE, Packing.S2, Packing.S4])
def test_packings_whose_bytes_are_no_codes_have_none(packing: Packing) -> None:
    with pytest.raises(TfmbsError, match="no codes of one byte"):
        _native.codes_before(np.zeros(3, np.uint8), packing)
