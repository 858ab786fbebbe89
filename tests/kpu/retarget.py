"""Images on other targets than they were made for: the same program, in another machine's time."""

from __future__ import annotations

from copy import copy

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import load_target


def retargeted(image: Image, target: str) -> Image:
    """The program on a shipped target, as many of its tiles as that has."""
    other = copy(image)
    other.target = load_target(target).to_dict()
    tiles = min(other.target["tiles"], 64)
    words = [mask["words"][0] & ((1 << tiles) - 1) or 1 for mask in image.masks]
    other.masks = [{"words": (word, 0, 0, 0)} for word in words]
    return other
