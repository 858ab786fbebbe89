"""The check of one seed, what it may end in, and which refusals are expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.siw.builder import Limits
from tests.siw.generate import EVERYTHING, generate, inputs_of
from tests.siw.program import Program
from tests.siw.runner import MismatchError, RefusedError, by_linalg, compare_bytes, compare_numpy, on_the_emulator
from tests.siw.values import Array
from tfmbs.runtime.abi.errors import TfmbsError

NUMPY_EVERY = 10
"""One program in so many is compared with numpy too."""

OK, REFUSED, FAILED, CRASHED = "ok", "refused", "failed", "crashed"

ALLOWED_REFUSALS: dict[str, str] = {"arith.cmpi: signed order on i1": "lowering.md, RefusedError"}
"""What the compiler may refuse: a pattern of its message, and where the documentation says so."""


@dataclass(frozen=True)
class Verdict:
    """How the check of a program ended; `text` says what was wrong, or which refusal it was."""

    kind: str
    text: str = ""

    @property
    def signature(self) -> str:
        """What smaller programs must share for the failure to be the same one."""
        return f"{self.kind} {re.sub('[0-9]+', '#', self.text)[:60]}"


def check(program: Program, inputs: Sequence[Array], seed: int, *, with_numpy: bool) -> Verdict:
    """Compiles and runs the program every way. Whatever is raised is a failure of the compiler or of this test."""
    try:
        expected = by_linalg(program, inputs)
    except TfmbsError as error:
        return Verdict(FAILED, f"no reference: {error} {error.details or ''}"[:600])
    try:
        if with_numpy:
            compare_numpy(program, inputs, expected, seed)
        compare_bytes(expected, on_the_emulator(program, inputs, optimise=seed % 2 == 0))
    except RefusedError as refused:
        allowed = any(re.search(pattern, str(refused)) for pattern in ALLOWED_REFUSALS)
        return Verdict(REFUSED if allowed else FAILED, f"refused: {refused}")
    except MismatchError as mismatch:
        return Verdict(FAILED, f"mismatch: {mismatch}")
    except Exception as error:
        return Verdict(FAILED, f"{type(error).__name__}: {error}"[:600])
    return Verdict(OK)


def check_seed(seed: int, limits: Limits = EVERYTHING) -> Verdict:
    """The check of the program of a seed."""
    program = generate(seed, limits)
    return check(program, inputs_of(program, seed), seed, with_numpy=seed % NUMPY_EVERY == 0)
