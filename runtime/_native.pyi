from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_Octets = np.ndarray[Any, np.dtype[np.uint8]]

def instruction_sets() -> list[str]: ...
def load(
    tables: Mapping[str, bytes],
    strings: Sequence[str],
    weights: _Octets,
    isa: str,
    memory_limit: int,
    whole: Image | None = None,
) -> Image: ...

class Image:
    @property
    def isa(self) -> str: ...
    @property
    def packed(self) -> int: ...
    def written(self, entry: int) -> dict[int, int]: ...

class Context:
    def __init__(
        self, image: Image, threads: int, step_limit: int, operation_limit: int, memory_limit: int
    ) -> None: ...
    def run(self, image: Image, entry: int, inputs: Sequence[_Octets], outputs: Sequence[_Octets]) -> None: ...
    def reset(self) -> None: ...
    def counters(self) -> list[dict[str, int]]: ...
