"""Values that found no register: computed again where they are used, or kept in a window of scratch memory.

Constants, indices and loads from windows that nothing stores to are computed again. Any other vector is stored where
it is written and loaded where it is read, with the VL of these places: memory keeps the lanes beyond VL as a register
does. A scalar travels through a vector of 64-bit lanes. What that makes lives for an operation or two and is never
spilled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tfmbs.passes.siw.lanes import ALL_LANES, Lanes, Unknown
from tfmbs.passes.siw.machine import (
    ZERO,
    Bank,
    CodegenError,
    Instr,
    Item,
    Loop,
    NoWindowError,
    Reg,
    Touch,
    instructions,
)
from tfmbs.passes.siw.schedule import Fresh
from tfmbs.passes.siw.schedule_memory import window_of
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

_OPS = {name: siw.OP_BY_NAME["S", name] for name in ("LI", "LD", "ST", "INDEX", "SGET")}
_AGAIN = frozenset({"LD", "INDEX"})
NEVER = float("inf")
_MOST_SLOTS = (siw.BIT_FIELD["s_imm"].bounds[1] + 1) // siw.VLMAX


@dataclass
class SpillSlots:
    """The windows that spilled vectors and pairs are in, and how many slots of VLMAX lanes each has so far."""

    windows: int
    slots: dict[Bank, int] = field(default_factory=dict)
    window: dict[Bank, int] = field(default_factory=dict)

    def slot(self, bank: Bank) -> tuple[int, int]:
        """The window and the first element of a new slot. Raises CodegenError when there is no place."""
        if bank not in self.window:
            if self.windows + len(self.window) >= siw.WINDOWS:
                raise NoWindowError(f"no operand window is left for spilled values, of {siw.WINDOWS}")
            self.window[bank] = self.windows + len(self.window)
        number = self.slots.get(bank, 0)
        if number == _MOST_SLOTS:
            raise CodegenError(f"more than {_MOST_SLOTS} vector values are spilled")
        self.slots[bank] = number + 1
        return self.window[bank], number * siw.VLMAX


class Spiller:
    """Rewrites a program so that some of its registers need no place for long."""

    def __init__(self, items: Sequence[Item], fresh: Fresh, slots: SpillSlots, *, may_store: bool) -> None:
        self.fresh = fresh
        self.slots = slots
        self.may_store = may_store
        self.temporary: set[Reg] = set()
        self.one = Reg(Bank.SCALAR, -1)
        self.defined_one = False
        self.stored = {window_of(i) for i in instructions(items) if i.op.is_store}

    def costs(self, items: Sequence[Item], lanes: Lanes) -> dict[Reg, float]:
        """What spilling each register costs, in operations weighted by how deep in loops they are."""
        uses = _Uses(items)
        return {register: self._cost(register, uses, lanes) for register in uses.weight}

    def _cost(self, register: Reg, uses: _Uses, lanes: Lanes) -> float:
        if register in self.temporary or register.fixed is not None:
            return NEVER
        if self._again(register, uses, lanes) is not None:
            return uses.weight[register] / 2
        if not self.may_store or not (register.bank is Bank.SCALAR or _storable(register, uses, lanes)):
            return NEVER
        return uses.weight[register] * (2 if register.bank is Bank.SCALAR else 1)

    def _again(self, register: Reg, uses: _Uses, lanes: Lanes) -> list[Instr] | None:
        """The operations that compute its value anywhere; None where its value changes or depends on the place."""
        writes = uses.writes.get(register, [])
        if register.bank is Bank.SCALAR:
            return writes if uses.is_constant(register) else None
        if len(writes) != 1 or writes[0].op.name not in _AGAIN:
            return None
        (write,) = writes
        if write.op.is_load and window_of(write) in self.stored:
            return None
        steady = all(r not in uses.writes or uses.is_constant(r) for r in write.reads)
        return writes if steady and _covers(write, uses.reads[register], lanes) else None

    def spill(self, items: Sequence[Item], register: Reg, lanes: Lanes) -> list[Item]:
        """The program without the long life of a register. Raises CodegenError where it must be in a register."""
        uses = _Uses(items)
        if self._cost(register, uses, lanes) == NEVER:
            raise CodegenError(f"too many values are live at once for {_BANKS[register.bank]} registers")
        again = self._again(register, uses, lanes)
        rewrite: _Rewrite
        if again is not None:
            rewrite = _Again(self, register, again)
        elif register.bank is Bank.SCALAR:
            rewrite = _ThroughPair(self, register, self.slots.slot(Bank.PAIR))
        else:
            uniform = all(i.op.name in ALL_LANES for i in uses.writes[register])
            rewrite = _InMemory(self, register, self.slots.slot(register.bank), ZERO if uniform else self._one())
        items = rewrite.items(items)
        if self.one.number >= 0 and not self.defined_one:
            items = [Instr(_OPS["LI"], {"s_reg": self.one}, {"s_imm": 1}), *items]
            self.defined_one = True
        return items

    def _one(self) -> Reg:
        if self.one.number < 0:
            self.one = self.fresh.like(self.one)
        return self.one

    def new(self, bank: Bank) -> Reg:
        """A register that is not spilled again."""
        register = self.fresh.like(Reg(bank, 0))
        self.temporary.add(register)
        return register


_BANKS = {Bank.SCALAR: "the scalar", Bank.VECTOR: "the vector", Bank.PAIR: "the pairs of vector"}


def _storable(register: Reg, uses: _Uses, lanes: Lanes) -> bool:
    """Whether VL, where it is stored and loaded, spans the lanes that are read."""
    reads = uses.reads[register]
    if any(_beyond_vl(instr, name, lanes) for instr, name in reads):
        return False
    writes = uses.writes.get(register, [])
    if all(i.op.name in ALL_LANES for i in writes):
        return bool(writes)
    most = max((lanes.lanes_read(instr, name) for instr, name in reads), default=0)
    return not any(i.op.name in ALL_LANES and _known(lanes, i) < most for i in writes)


def _known(lanes: Lanes, instr: Instr) -> int:
    vl = lanes.vl[instr]
    return vl if isinstance(vl, int) else 1


def _beyond_vl(instr: Instr, name: str, lanes: Lanes) -> bool:
    """Whether an operation may read lanes of its operand from VL on."""
    if isinstance(lanes.vl[instr], int):
        return lanes.lanes_read(instr, name) > _known(lanes, instr)
    return instr.op.name == "FOLD"


def _covers(write: Instr, reads: Sequence[tuple[Instr, str]], lanes: Lanes) -> bool:
    """Whether `write` with the VL of a read touches no element that it does not touch where it is."""
    vl = lanes.vl[write]
    if any(_beyond_vl(instr, name, lanes) for instr, name in reads):
        return False
    if isinstance(vl, Unknown):
        return all(lanes.vl[instr] is vl and lanes.steady(vl) for instr, _ in reads)
    return all(isinstance(lanes.vl[instr], int) and _known(lanes, instr) <= vl for instr, _ in reads)


class _Uses:
    """Where registers are read and written."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.weight: dict[Reg, float] = {}
        self.reads: dict[Reg, list[tuple[Instr, str]]] = {}
        self.writes: dict[Reg, list[Instr]] = {}
        self._place: dict[Instr, tuple[int, int]] = {}  # the sequence that an operation is in, and where
        self._walk(items, 1.0)

    def _walk(self, items: Sequence[Item], weight: float) -> None:
        for position, item in enumerate(items):
            if not isinstance(item, Instr):
                self._count(item.count if isinstance(item, Loop) else item.condition, weight)
                self._walk(item.body, weight * 10 if isinstance(item, Loop) else weight)
                continue
            self._place[item] = (id(items), position)
            for name, register in item.regs.items():
                self._count(register, weight)
                if name == item.op.writes:
                    self.writes.setdefault(register, []).append(item)
                if name != item.op.writes or item.op.acc:
                    self.reads.setdefault(register, []).append((item, name))

    def is_constant(self, register: Reg) -> bool:
        """Whether it is a scalar that LI and the LIH behind it set once."""
        writes = self.writes.get(register, [])
        if not writes or writes[0].op.name != "LI" or any(i.op.name != "LIH" for i in writes[1:]):
            return False
        sequence, first = self._place[writes[0]]
        return [self._place[i] for i in writes] == [(sequence, first + n) for n in range(len(writes))]

    def _count(self, register: Reg, weight: float) -> None:
        if register != ZERO:
            self.weight[register] = self.weight.get(register, 0.0) + weight
            self.reads.setdefault(register, [])


class _Rewrite:
    """Replaces a register by short-lived ones: `load` makes one with its value, `store` keeps what was written."""

    def __init__(self, spiller: Spiller, register: Reg) -> None:
        self.spiller = spiller
        self.register = register

    def load(self) -> tuple[Reg, list[Instr]]:
        """A register with the value, and the operations that put it there."""
        raise NotImplementedError

    def store(self, written: Reg) -> list[Instr]:
        """The operations that keep a value just written."""
        raise NotImplementedError

    def items(self, items: Sequence[Item]) -> list[Item]:
        """The rewritten sequence."""
        return [new for item in items for new in self._item(item)]

    def _item(self, item: Item) -> Iterator[Item]:
        register = self.register
        if isinstance(item, Instr):
            yield from self.instr(item) if register in item.regs.values() else (item,)
            return
        operand = item.count if isinstance(item, Loop) else item.condition
        if operand == register:
            operand, before = self.load()
            yield from before
        body = self.items(item.body)
        yield (
            replace(item, count=operand, body=body)
            if isinstance(item, Loop)
            else replace(item, condition=operand, body=body)
        )

    def instr(self, instr: Instr) -> Iterator[Instr]:
        """The rewritten operation with what comes before and after it."""
        temporary = None
        if self.register in instr.reads:
            temporary, before = self.load()
            yield from before
        if temporary is None:
            temporary = self.spiller.new(self.register.bank)
        renamed = {name: temporary if r == self.register else r for name, r in instr.regs.items()}
        yield replace(instr, regs=renamed)
        if instr.writes == self.register:
            yield from self.store(temporary)


class _Again(_Rewrite):
    """Computes the value where it is read."""

    def __init__(self, spiller: Spiller, register: Reg, how: Sequence[Instr]) -> None:
        super().__init__(spiller, register)
        self.how = how

    def load(self) -> tuple[Reg, list[Instr]]:
        target = self.spiller.new(self.register.bank)
        return target, [replace(i, regs={**i.regs, i.op.writes: target}, stream=False) for i in self.how]

    def instr(self, instr: Instr) -> Iterator[Instr]:
        if instr not in self.how:
            yield from super().instr(instr)


class _InMemory(_Rewrite):
    """Keeps a vector in a window."""

    def __init__(self, spiller: Spiller, register: Reg, slot: tuple[int, int], step: Reg) -> None:
        super().__init__(spiller, register)
        self.window, self.offset = slot
        self.step = step  # s0 for a vector whose lanes are all the same

    def access(self, name: str, register: Reg, step: Reg) -> Instr:
        """An LD or ST of the slot."""
        dtype = DType.I64 if register.bank is Bank.PAIR else DType.I32
        imms = {"s_type": int(dtype), "s_win": self.window, "s_imm": self.offset}
        regs = {"s_reg": register, "s_base": ZERO, "s_index": step}
        return Instr(_OPS[name], regs, imms, Touch(self.window, self.offset, (), 0 if step == ZERO else 1))

    def load(self) -> tuple[Reg, list[Instr]]:
        target = self.spiller.new(self.register.bank)
        return target, [self.access("LD", target, self.step)]

    def store(self, written: Reg) -> list[Instr]:
        return [self.access("ST", written, self.step)]


class _ThroughPair(_InMemory):
    """Keeps a scalar in an element of a window."""

    def __init__(self, spiller: Spiller, register: Reg, slot: tuple[int, int]) -> None:
        super().__init__(spiller, register, slot, ZERO)

    def load(self) -> tuple[Reg, list[Instr]]:
        vector, target = self.spiller.new(Bank.PAIR), self.spiller.new(Bank.SCALAR)
        get = Instr(_OPS["SGET"], {"s_reg": target, "s_index": vector}, {"s_type": int(DType.I64)})
        return target, [self.access("LD", vector, ZERO), get]

    def store(self, written: Reg) -> list[Instr]:
        vector = self.spiller.new(Bank.PAIR)
        regs = {"s_reg": vector, "s_base": written, "s_index": ZERO}
        spread = Instr(_OPS["INDEX"], regs, {"s_type": int(DType.I64), "s_imm": 0})
        return [spread, self.access("ST", vector, ZERO)]
