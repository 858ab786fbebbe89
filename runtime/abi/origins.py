"""Where the words of a program come from, as DEBUG and ORIGIN say."""

from __future__ import annotations

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.siw_word import SLOTS


def word_origins(image: Image, program: int) -> list[dict[str, str]]:
    """The place that each word of a program comes from, by slot; "" where it is not known.

    A program that several launches run is taken as the first one's: the others' words come from the like in other
    places.
    """
    row = image.programs[program]
    launch = next((n for n, descriptor in enumerate(image.descriptors) if descriptor["program"] == program), None)
    own = next((image.strings[debug["location"]] for debug in image.debug if debug["descriptor"] == launch), "")
    words = [dict.fromkeys(SLOTS, own) for _ in range(row["word_count"])]
    for origin in image.origins:
        if origin["descriptor"] == launch:
            for word in words[origin["first_word"] : origin["first_word"] + origin["word_count"]]:
                here = (slot for bit, slot in enumerate(SLOTS) if origin["slots"] >> bit & 1)
                word.update(dict.fromkeys(here, image.strings[origin["location"]]))
    return words
