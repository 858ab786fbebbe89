"""The check that an epilogue is lane-wise: what it computes for an element may not depend on the chunk it is in.

An epilogue sees one chunk of lanes at a time, and the chunks are the device's choice. Hence no operation across lanes,
and addresses that move with the lanes. Scalars that depend on s1, s2 or s3 differ from chunk to chunk: they are neither
loop counts nor positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw_word import Slot, Word

_ACROSS_LANES = frozenset(
    {"RED", "FOLD", "REDUCE", "TPOP", "SCAN", "LAST", "LAST64", "SGET", "SETVL", "SETVLR", "SKIP", "BREAK", "RECV"}
)
_ADDRESSES = frozenset(
    {
        (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_ONE),
        (siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP),
        (0, 0),
    }
)
_VARYING = frozenset({siw.EPILOGUE_ELEMENT, siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP})
_GIVEN = _VARYING | {siw.EPILOGUE_ONE}


def check_epilogue(words: Sequence[Word], name: str) -> None:
    """Checks that a program, valid otherwise, is lane-wise. Raises TfmbsError `siw`; `name` is its location."""
    varying = _varying_scalars(words)
    for i, word in enumerate(words):
        where = f"{name} word {i}"
        for slot in word.slots:
            if slot.op.name in _ACROSS_LANES or slot.op.is_store:
                raise TfmbsError("siw", where, f"{slot.op.name} in an epilogue", "lane-wise operations only")
        _check_address(word.s, varying, where)
        target = word.s.scalar_written
        if target in _GIVEN:
            raise TfmbsError("siw", where, f"{word.s.op.name} in an epilogue writes s{target}", "s1…s4 unchanged")
        count = word.c.fields["c_reg"]
        if word.c.op.name == "LOOP" and count in varying:
            expected = "one that does not depend on s1, s2 or s3"
            raise TfmbsError("siw", where, "LOOP in an epilogue: count", expected, f"s{count}")


def _check_address(s: Slot, varying: frozenset[int], where: str) -> None:
    name, base, index = s.op.name, s.fields["s_base"], s.fields["s_index"]
    is_constant = name == "INDEX" and base not in varying and index == 0
    if name in ("LD", "INDEX") and not is_constant and (base, index) not in _ADDRESSES:
        expected = "s1, s4 or s2, s3 or s0, s0"
        raise TfmbsError("siw", where, f"{name} in an epilogue: base and index", expected, f"s{base}, s{index}")
    if name in ("GATHER", "GATHER64") and base:
        raise TfmbsError("siw", where, f"{name} in an epilogue: base", "s0", f"s{base}")


def _varying_scalars(words: Sequence[Word]) -> frozenset[int]:
    """s1, s2, s3 and all scalars that some word computes from them, in whatever order the words run."""
    varying, before = _VARYING, frozenset[int]()
    while varying != before:
        before = varying
        varying |= {word.s.scalar_written for word in words if word.s.scalars_read & varying} - {0}
    return varying
