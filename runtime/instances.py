"""Images for given run-time sizes, checked like files, and kept for the next run of the same sizes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.patches import instance, patched_rows
from tfmbs.runtime.abi.records import Patched
from tfmbs.runtime.abi.types import Region
from tfmbs.runtime.abi.verify import verify_image
from tfmbs.runtime.abi.verify.weights import check_tensor_data

CAPACITY = 32
"""Instances that are kept; of more, the one that was not used for the longest time goes."""

Prepared = TypeVar("Prepared")


def checked_instance(image: Image, entry: int, sizes: tuple[int, ...]) -> Image:
    """The image in which an entry point has these sizes, checked in full.

    Raises TfmbsError as loading does, where what the file says of these sizes is no valid program.
    """
    made = instance(image, entry, sizes)
    verify_image(made)
    for index in patched_rows(image, entry, Patched.TENSOR):
        if made.tensors[index]["region"] == Region.WEIGHTS:
            image.check_weights([index])
            check_tensor_data(made, index)
    return made


class Instances(Generic[Prepared]):
    """What a device makes of the images for the sizes that are in use; threads may share it."""

    def __init__(self, image: Image, prepare: Callable[[Image], Prepared]) -> None:
        self._image = image
        self._prepare = prepare
        self._kept: OrderedDict[tuple[int, tuple[int, ...]], Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, entry: int, sizes: tuple[int, ...]) -> Prepared:
        """What `prepare` gives for an entry point with these sizes. Raises TfmbsError as `checked_instance`."""
        key = entry, sizes
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._prepare(checked_instance(self._image, entry, sizes))
        with self._lock:
            made = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            while len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
        return made
