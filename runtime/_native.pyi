from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_Octets = np.ndarray[Any, np.dtype[np.uint8]]
_Array = np.ndarray[Any, np.dtype[Any]]

def array_of(tensor: object) -> tuple[_Array, bool]: ...
def instruction_sets() -> list[str]: ...
def modelled_sets() -> list[str]: ...
def load(
    tables: Mapping[str, bytes],
    strings: Sequence[str],
    weights: _Octets,
    isa: str,
    memory_limit: int,
    whole: Image | None = None,
    translates: bool = True,
) -> Image: ...
def peak(isa: str, type: str, threads: int, seconds: float) -> tuple[str, float]: ...
def read_seconds(isa: str, bytes: _Octets, threads: int, passes: int = 1) -> float: ...

class Image:
    @property
    def isa(self) -> str: ...
    @property
    def packed(self) -> int: ...
    @property
    def chains(self) -> int: ...
    def written(self, entry: int) -> dict[int, int]: ...
    def parts(self, entry: int) -> dict[int, list[int]]: ...

class Context:
    def __init__(
        self,
        image: Image,
        threads: int,
        step_limit: int,
        operation_limit: int,
        memory_limit: int,
        check: Callable[[list[int]], None] | None = None,
    ) -> None: ...
    def run(self, image: Image, entry: int, inputs: list[_Array], outputs: list[_Array]) -> None: ...
    def reset(self) -> None: ...
    def counters(self) -> list[dict[str, int]]: ...

_Table = np.ndarray[Any, np.dtype[np.int64]]

TimedTables = tuple[_Table, _Table, _Table, _Table, _Table]

class MovementProgram: ...

def movement_program(
    movements: _Table,
    waits: _Table,
    parts: _Table,
    parameters: _Table,
    timed: Sequence[TimedTables],
    engines: int,
    workspace: int,
) -> MovementProgram: ...

class KpuContext:
    def __init__(self, image: Image, l3: int, l2: int, l1: int, tiles: int, step_limit: int) -> None: ...
    def run(
        self, image: Image, entry: int, program: MovementProgram, inputs: Sequence[_Octets], outputs: Sequence[_Octets]
    ) -> None: ...
    def reset(self) -> None: ...
    def trace(self) -> dict[str, bytes]: ...
    def counters(self) -> list[dict[str, int]]: ...

_Runs = tuple[int, int, int, int, int]

def kpu_conflicts(
    program: MovementProgram, accesses: _Table, tokens: _Table
) -> list[tuple[int, int, int, int, int, bool, bool]]: ...
def kpu_walk(
    program: TimedTables, wanted: int, most: int
) -> tuple[
    bool, bool, int, int, int, int, list[tuple[int, int, list[_Runs], list[_Runs]]], list[_Runs], list[_Runs]
]: ...
