"""Waits of SIW programs against a simulation of every way through them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.siw_programs import Fields, programs
from tests.unit.siw_waits import needs_of_every_way
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.siw import Dep
from tfmbs.runtime.abi.siw_deps import Wait
from tfmbs.runtime.abi.siw_flow import missing_deps
from tfmbs.runtime.abi.siw_verify import decode_program, required_deps

examples = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def _violated(words: list[Fields], waits: list[Wait]) -> list[int]:
    needs = needs_of_every_way(words, waits)
    return [i for i, (wait, need) in enumerate(zip(waits, needs, strict=True)) if wait.lacks(need)]


def _marked(words: list[Fields], waits: list[Wait]) -> list[bytes]:
    return [siw.encode({**word, **wait._asdict()}) for word, wait in zip(words, waits, strict=True)]


_WAITS = st.builds(lambda deps, left: Wait(deps, left if deps & Dep.LOAD else 0), st.integers(0, 7), st.integers(0, 4))


@examples
@given(programs(), st.data())
def test_what_words_lack_is_what_some_way_needs(words: list[Fields], data: st.DataObject) -> None:
    waits = [data.draw(_WAITS) for _ in words]
    needs = needs_of_every_way(words, waits)
    expected = [need if wait.lacks(need) else Wait() for wait, need in zip(waits, needs, strict=True)]
    assert missing_deps(decode_program(_marked(words, waits), "p")) == expected


@examples
@given(programs())
def test_required_waits_suffice_on_every_way(words: list[Fields]) -> None:
    waits = required_deps([siw.encode(word) for word in words])
    assert _violated(words, waits) == []
    assert not any(wait.deps for wait in missing_deps(decode_program(_marked(words, waits), "p")))


def _weaker(wait: Wait) -> list[Wait]:
    fewer = [wait.deps & ~dep for dep in Dep if wait.deps & dep]
    out = [Wait(deps, wait.left if deps & Dep.LOAD else 0) for deps in fewer]
    return out + ([wait._replace(left=wait.left + 1)] if wait.deps & Dep.LOAD and wait.left < 31 else [])


@settings(examples, max_examples=60)
@given(programs(8))
def test_no_required_wait_could_be_weaker(words: list[Fields]) -> None:
    waits = required_deps([siw.encode(word) for word in words])
    for i, wait in enumerate(waits):
        for weaker in _weaker(wait):
            assert _violated(words, [*waits[:i], weaker, *waits[i + 1 :]]), (i, str(weaker))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # In order of issue, S before C in one word.
        (
            "LD.F32 v0, w0, s0, s0, 0\nLD.F32 v1, w0, s0, s0, 1 | RECV.F32 v2, w1\n"
            "MOV v3, v0\nMOV v3, v1\nMOV v3, v2\nEND",
            [*["nothing"] * 2, "LOAD-2", "LOAD-1", "LOAD", "nothing"],
        ),
        # A pair is one load, of both its registers.
        (
            "LD.F64 v0, w0, s0, s0, 0\nLD.F32 v2, w1, s0, s0, 0\nMOV v3, v1\nEND",
            ["nothing"] * 2 + ["LOAD-1", "nothing"],
        ),
        # The kernel of a pipelined loop: each trip uses what the trip before loaded, and both loads of a trip follow.
        (
            "LD.F32 v0, w0, s0, s0, 0\nLD.F32 v1, w1, s0, s0, 0 | LOOP s1, 2\n"
            "ADD.F32 v2, v2, v0 | LD.F32 v0, w0, s0, s0, 0\nADD.F32 v3, v3, v1 | LD.F32 v1, w1, s0, s0, 0\nEND",
            ["nothing", "nothing", "LOAD-1", "LOAD-1", "nothing"],
        ),
        # What a skipped part loads may be in flight, and so may be what was loaded before it.
        (
            "LD.F32 v0, w0, s0, s0, 0 | SKIP s1, 1\nLD.F32 v1, w0, s0, s0, 0\nMOV v2, v0\nMOV v2, v1\nEND",
            ["nothing", "nothing", "LOAD", "nothing", "nothing"],
        ),
        # A loop that is left in the middle.
        (
            "LOOP s1, 2\nEXP.F32 v0, v1 | BREAK s2\nMOV v2, v0\nMOV v3, v0\nEND",
            ["nothing", "nothing", "COMPUTE", "COMPUTE", "nothing"],
        ),
    ],
)
def test_waits_are_the_weakest(text: str, expected: list[str]) -> None:
    words = assemble(text).words
    assert [str(wait) for wait in required_deps(words)] == expected
