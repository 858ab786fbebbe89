"""What the rule makes of a descriptor: what it should take by a closed model, and how its movements are added."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tfmbs.runtime.abi.movement.predicted import Prediction


class Launch(NamedTuple):
    """A launch that is planned. Without a `prediction` where its time depends on the values of its operands."""

    prediction: Prediction | None
    add: Callable[[], None]
    """Adds its movements to the program."""
