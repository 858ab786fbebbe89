"""Checks of ORIGIN: words that a launch's program has, each slot of them from one place."""

from __future__ import annotations

from tfmbs.runtime.abi.records import NONE, ORIGIN
from tfmbs.runtime.abi.siw_word import SLOTS
from tfmbs.runtime.abi.verify.subject import Subject


def check_origins(subject: Subject) -> None:
    """Checks that origins come by descriptor and first word, lie in its program, and share no slot of a word."""
    image = subject.image
    before, ends = (0, 0), [0] * len(SLOTS)
    for index, row in enumerate(image.origins):
        place = row["descriptor"], row["first_word"]
        if place < before:
            raise subject.refuse(ORIGIN, index, "", "descriptor and first word", f"at least {before}", place)
        if place[0] != before[0]:
            ends = [0] * len(SLOTS)
        program = image.descriptors[row["descriptor"]]["program"]
        if program == NONE:
            raise subject.refuse(ORIGIN, index, "descriptor", "its program", "one", "none")
        end, words = row["first_word"] + row["word_count"], image.programs[program]["word_count"]
        if end > words:
            raise subject.refuse(ORIGIN, index, "word_count", "end in the program", f"at most {words}", end)
        for bit, slot in enumerate(SLOTS):
            if row["slots"] >> bit & 1:
                if row["first_word"] < ends[bit]:
                    what = f"first word of slot {slot}"
                    raise subject.refuse(ORIGIN, index, "first_word", what, f"at least {ends[bit]}", row["first_word"])
                ends[bit] = end
        before = place
