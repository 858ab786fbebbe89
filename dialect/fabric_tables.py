"""From a fabric-level module to the tables of a binary: fields are copied, strings numbered, nothing is decided."""

from typing import Any

from tfmbs.dialect.fabric import FabricArgsOp, FabricDataOp, FabricWaitsOp, RecordOp
from tfmbs.dialect.fabric_siw import FabricProgramOp
from tfmbs.dialect.legality import check_level
from tfmbs.dialect.location import place
from tfmbs.dialect.resources import stored_bytes
from tfmbs.runtime.abi.container import Pieces
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.sections import KIND_OF_RECORD


def fabric_tables(module: Any) -> tuple[dict[str, Any], Pieces]:
    """The content of a fabric-level module, as keyword arguments of `runtime.abi.image.Image`, and its weights.

    Records, words, args and waits keep the order of their ops; strings are numbered in order of first use. Raises
    TfmbsError for an op of another level, and for data that overlap.
    """
    check_level(module, "fabric")
    strings: dict[str, int] = {}
    tables: dict[str, Any] = {kind.attribute: [] for kind in KIND_OF_RECORD.values() if kind.attribute}
    tables |= {"words": [], "args": [], "waits": []}
    weights: list[tuple[int, memoryview]] = []
    for op in module.operation.regions[0].blocks[0].operations:
        if isinstance(op, FabricProgramOp):
            words = [word.word for word in op.siw_ops]
            place_in_words = {"first_word": len(tables["words"]), "word_count": len(words)}
            tables["programs"].append(op.values(lambda text: strings.setdefault(text, len(strings))) | place_in_words)
            tables["words"] += words
        elif isinstance(op, RecordOp):
            row = op.values(lambda text: strings.setdefault(text, len(strings)))
            tables[KIND_OF_RECORD[op.RECORD.name].attribute].append(row)
        elif isinstance(op, FabricArgsOp):
            tables["args"] += op.values
        elif isinstance(op, FabricWaitsOp):
            tables["waits"] += op.values
        elif isinstance(op, FabricDataOp):
            _append(weights, op)
    return {**tables, "strings": list(strings)}, Pieces(weights)


def _append(weights: list[tuple[int, memoryview]], op: Any) -> None:
    """Put the bytes of `op` at its offset."""
    end = weights[-1][0] + len(weights[-1][1]) if weights else 0
    if op.offset < end:
        what = f"offset of the data {op.label}"
        raise TfmbsError("ir.verify", place(op.location), what, f"at least {end}", op.offset)
    weights.append((op.offset, stored_bytes(op.value)))
