"""The vBench mixes: programs whose work is spread over the three slots, written on virtual registers.

Each runs one loop of `TRIPS` strips of 512 lanes. Its operands are strided, gathered or streamed as its name says; the
back end chooses slots, streams and the order.
"""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.machine import ZERO, Code, Reg, Touch
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import Reduce
from tfmbs.runtime.abi.types import DType

TRIPS = 120
_ONE = 0x3F800000


class _Mix:
    """A program in the making: windows, pointers that its loop moves, constants in all lanes."""

    def __init__(self) -> None:
        self.asm = Assembler()
        self.loop = 0
        self._steps: dict[tuple[int, int], tuple[Reg, int]] = {}
        self._windows = 0

    def window(self) -> int:
        """A new operand window."""
        self._windows += 1
        return self._windows - 1

    def pointer(self, window: int, stride: int) -> Reg:
        """The address of a window's strip, which moves on by 512 elements `stride` apart in every trip."""
        register = self.asm.scalar()
        self.asm.emit("S", "LI", reg=register, imm=0)
        self._steps[window, stride] = (register, siw.VLMAX * stride)
        return register

    def everywhere(self, bits: int) -> Reg:
        """A vector register with the same 32 bits in all lanes."""
        register = self.asm.vector(wide=False)
        signed = bits - (1 << 32) if bits >> 31 else bits
        self.asm.emit("S", "INDEX", type=int(DType.I32), reg=register, base=self.asm.constant(signed), index=ZERO)
        return register

    def load(self, window: int, pointer: Reg, stride: int = 1, offset: int = 0, *, stream: bool = False) -> Reg:
        """A strip of f32 elements."""
        return self._load(DType.F32, window, pointer, stride, offset, stream)

    def integers(self, window: int, pointer: Reg) -> Reg:
        """A strip of i32 elements that are read in order."""
        return self._load(DType.I32, window, pointer, 1, 0, True)

    def _load(self, dtype: DType, window: int, pointer: Reg, stride: int, offset: int, stream: bool) -> Reg:
        register, step = self.asm.vector(wide=False), self.asm.constant(stride)
        touch = Touch(window, offset, ((self.loop, siw.VLMAX * stride),), stride)
        fields = {"type": int(dtype), "reg": register, "win": window, "base": pointer, "index": step, "imm": offset}
        self.asm.emit("S", "LD", **fields, touch=touch, stream=stream)
        return register

    def store(self, dtype: DType, value: Reg, window: int, pointer: Reg) -> None:
        """A strip that is written in order."""
        touch = Touch(window, 0, ((self.loop, siw.VLMAX),), 1)
        fields = {"type": int(dtype), "reg": value, "win": window, "base": pointer, "index": self.asm.constant(1)}
        self.asm.emit("S", "ST", **fields, touch=touch, stream=True)

    def compute(self, name: str, dtype: DType, *operands: Reg, aux: int = 0) -> Reg:
        """An operation of slot D."""
        result = self.asm.vector(wide=False)
        self.asm.compute(name, dtype, result, operands, aux)
        return result

    def code(self, body: Callable[[], None], after: Callable[[], None] = lambda: None) -> Code:
        """The whole program: `body` is what a trip does, `after` comes behind the loop."""
        with self.asm.loop(TRIPS, siw.VLMAX) as loop:
            self.loop = loop or 0
            body()
            for pointer, step in self._steps.values():
                self.asm.add(pointer, step)
        after()
        return Code(self.asm.finish(), self._windows)


def axpy() -> Code:
    """y[i] += a·x[2i] + b·w[3i]."""
    mix = _Mix()
    x, w, y = mix.window(), mix.window(), mix.window()
    at_x, at_w, at_y = mix.pointer(x, 2), mix.pointer(w, 3), mix.pointer(y, 1)
    a, b = mix.everywhere(_ONE), mix.everywhere(_ONE + 1)

    def body() -> None:
        first = mix.compute("FMA", DType.F32, mix.load(x, at_x, 2), a, mix.load(y, at_y, stream=True))
        mix.store(DType.F32, mix.compute("FMA", DType.F32, mix.load(w, at_w, 3), b, first), y, at_y)

    return mix.code(body)


def dot() -> Code:
    """Σ x[2i]·y[3i]·w[i]."""
    mix = _Mix()
    x, y, w, out = (mix.window() for _ in range(4))
    at_x, at_y, at_w = mix.pointer(x, 2), mix.pointer(y, 3), mix.pointer(w, 1)
    partial = mix.everywhere(0)

    def body() -> None:
        product = mix.compute("MUL", DType.F32, mix.load(x, at_x, 2), mix.load(y, at_y, 3))
        weighted = mix.compute("MUL", DType.F32, product, mix.load(w, at_w, stream=True))
        mix.asm.compute("RED", DType.F32, partial, (weighted,), Reduce.SUM)

    def after() -> None:
        total = mix.asm.vector(wide=False)
        mix.asm.compute("FOLD", DType.F32, total, (partial,), Reduce.SUM)
        mix.asm.emit(
            "S", "ST", type=int(DType.F32), reg=total, win=out, base=ZERO, index=ZERO, touch=Touch(out, 0, (), 0)
        )

    return mix.code(body, after)


def gather_multiply_scatter() -> Code:
    """out[4·j[i] + 1] = max(x[2·k[i] + 1]·w[i] + b, 0)."""
    mix = _Mix()
    j, k, w, x, out = (mix.window() for _ in range(5))
    at_j, at_k, at_w = mix.pointer(j, 1), mix.pointer(k, 1), mix.pointer(w, 1)
    one, two, four = (mix.everywhere(value) for value in (1, 2, 4))
    bias, zero = mix.everywhere(_ONE), mix.everywhere(0)

    def body() -> None:
        source = mix.compute("FMA", DType.I32, mix.integers(k, at_k), two, one)
        target = mix.compute("FMA", DType.I32, mix.integers(j, at_j), four, one)
        value = mix.asm.vector(wide=False)
        anywhere = {"base": ZERO, "type": int(DType.F32)}
        mix.asm.emit("S", "GATHER", **anywhere, reg=value, win=x, index=source, touch=Touch(x, 0, None))
        scaled = mix.compute("FMA", DType.F32, value, mix.load(w, at_w, stream=True), bias)
        kept = mix.compute("MAX", DType.F32, scaled, zero)
        mix.asm.emit("S", "SCATTER", **anywhere, reg=kept, win=out, index=target, touch=Touch(out, 0, None))

    return mix.code(body)


def requantize() -> Code:
    """i8(round(f32(x[i])·scale[2i]) + zero point), saturating, received and sent."""
    mix = _Mix()
    x, scale, y = mix.window(), mix.window(), mix.window()
    at_x, at_scale, at_y = mix.pointer(x, 1), mix.pointer(scale, 2), mix.pointer(y, 1)
    zero_point = mix.everywhere(_ONE)

    def body() -> None:
        number = mix.compute("CVT", DType.F32, mix.integers(x, at_x), aux=DType.I32)
        scaled = mix.compute("MUL", DType.F32, number, mix.load(scale, at_scale, 2))
        moved = mix.compute("ADD", DType.F32, mix.compute("ROUND", DType.F32, scaled), zero_point)
        mix.store(DType.I8, mix.compute("CVT", DType.I8, moved, aux=DType.F32), y, at_y)

    return mix.code(body)


def stencil() -> Code:
    """y[i] = a·x[i] + b·x[i + 1] + c·x[i + 2] + f[i]."""
    mix = _Mix()
    x, f, y = mix.window(), mix.window(), mix.window()
    at_x, at_f, at_y = mix.pointer(x, 1), mix.pointer(f, 1), mix.pointer(y, 1)
    factors = [mix.everywhere(_ONE + n) for n in range(3)]

    def body() -> None:
        total = mix.load(f, at_f, stream=True)
        for offset, factor in enumerate(factors):
            total = mix.compute("FMA", DType.F32, mix.load(x, at_x, 1, offset), factor, total)
        mix.store(DType.F32, total, y, at_y)

    return mix.code(body)


MIXES: dict[str, Callable[[], Code]] = {
    "axpy, strided": axpy,
    "dot, strided": dot,
    "gather-multiply-scatter": gather_multiply_scatter,
    "requantize, streamed": requantize,
    "stencil": stencil,
}
