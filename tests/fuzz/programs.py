"""Images of vector programs for the fuzzer: every operation in every slot, and words that no verifier has seen."""

from __future__ import annotations

from functools import cache
from random import Random

from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.random_programs import ELEMENTS, INPUTS, OUTPUTS, SENT, STREAM, STREAM_ELEMENTS, Generator
from tests.conformance.vector_programs import array_type
from tests.fuzz.mutations import mutated_word
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.siw import VECTOR_REGISTERS

PROGRAMS = 12
LENGTH = 25


@cache
def program_files() -> list[bytes]:
    """Binaries of random programs, in a fixed order: half of them over few registers."""
    return [_file(seed) for seed in range(PROGRAMS)]


def _file(seed: int) -> bytes:
    builder, windows = Builder(), []
    for i, dtype in enumerate([*INPUTS, *OUTPUTS]):
        size = STREAM_ELEMENTS if dtype is STREAM or dtype is SENT else ELEMENTS
        kind = DTYPE_OF_NUMPY[array_type(dtype).name]
        tensor = (builder.input if i < len(INPUTS) else builder.state)(f"w{i}", (size,), kind)
        windows.append(builder.view(tensor, (size,), dtype))
    builder.vector(Generator(seed, 6 if seed % 2 else VECTOR_REGISTERS - 8).program(LENGTH), windows)
    return bytes(builder.image().to_bytes())


def unverified_program(files: list[bytes], seed: int) -> Image:
    """The image of number `seed`: one that was verified, with up to three words changed since, if it has any."""
    random = Random(seed)
    image = Image.from_buffer(random.choice(files))
    for _ in range(random.randint(1, 3) if image.words else 0):
        i = random.randrange(len(image.words))
        image.words[i] = mutated_word(image.words[i], random)
    image.file = None  # so that devices see these words
    return image
