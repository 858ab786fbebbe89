"""What an opcode of the sentron instruction word is: its fields, types, registers, and the kinds of its aux."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from tfmbs.runtime.abi.types import DType


class Reduce(IntEnum):
    """`aux` of RED, FOLD, SCAN and REDUCE."""

    SUM = 0
    MAX = 1
    MIN = 2
    PROD = 3
    AND = 4
    OR = 5
    XOR = 6


class Predicate(IntEnum):
    """`d_aux` of CMP. O… are false, U… true when an operand is NaN.

    Integers: OEQ … OLE and ONE compare signed, UGT … ULE unsigned, and ORD, UEQ, UNE, UNO are not valid.
    """

    FALSE = 0
    OEQ = 1
    OGT = 2
    OGE = 3
    OLT = 4
    OLE = 5
    ONE = 6
    ORD = 7
    UEQ = 8
    UGT = 9
    UGE = 10
    ULT = 11
    ULE = 12
    UNE = 13
    UNO = 14
    TRUE = 15


@dataclass(frozen=True)
class Op:
    """One opcode.

    `uses` names the fields it reads; every other field of its slot must be zero. `types` are the element types it
    accepts. `writes` is the field that names the register it writes, `vectors` the fields that name vector registers
    (other register fields name scalars). `acc` marks a written register that is read as well. `aux` is the meaning of
    the slot's aux field, `auxes` limits its values by type. `lanes` says what decides whether a vector operand has
    64-bit lanes, where that is not the slot's type: "aux", or the width itself.
    """

    name: str
    code: int
    slot: str
    uses: tuple[str, ...]
    doc: str
    types: frozenset[DType] = frozenset()
    acc: bool = False
    unit: str = "alu"
    writes: str = ""
    vectors: tuple[str, ...] = ()
    aux: type[IntEnum] | None = None
    auxes: Mapping[DType, frozenset[IntEnum]] = field(default_factory=dict)
    lanes: Mapping[str, str] = field(default_factory=dict)

    def lane_bits(self, name: str, fields: Mapping[str, int]) -> int:
        """32 or 64: the width of the lanes of the vector operand in field `name`, in a word of these fields."""
        source = self.lanes.get(name, "type" if self.types else "32")
        if source in ("32", "64"):
            return int(source)
        return 64 if fields.get(f"{self.slot.lower()}_{source}", 0) in WIDE else 32

    def registers(self, name: str, fields: Mapping[str, int]) -> range:
        """Numbers of the vector registers that the vector operand in field `name` consists of."""
        first = fields.get(name, 0)
        return range(first, first + self.lane_bits(name, fields) // 32)

    @property
    def is_load(self) -> bool:
        """Whether it reads an operand window."""
        return self.unit == "memory" and bool(self.writes)

    @property
    def is_store(self) -> bool:
        """Whether it writes an operand window."""
        return self.unit == "memory" and not self.writes


WIDE = frozenset({DType.I64, DType.U64, DType.F64})
"""Types with 64-bit lanes."""
