"""One time step of RNN, GRU and LSTM: equations of the ONNX operators' description.

Gates stand one behind the other along the last axis, as in the weights: i (RNN), z r h (GRU), i o f c (LSTM).
Operands of a step: what the input contributes to the gates, B×G·H with
the biases that can be added there, and the states, B×H each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.compiler.importers.rewrite.activations import Activation
from tfmbs.compiler.importers.rewrite.builder import Builder


@dataclass(frozen=True)
class Cell:
    """What one direction of a recurrent node is made of.

    Attributes:
        element: element type of states, a `TensorProto.DataType`.
        weights: R, G·H×H.
        bias: Rb, G·H, empty where there is none.
        peepholes: P, 3·H (i o f), empty where there are none.
        functions: activations f, g, h.
        flag: `linear_before_reset` of GRU, `input_forget` of LSTM.
    """

    element: int
    weights: str
    bias: str
    peepholes: str
    functions: Sequence[Activation]
    flag: bool


def parts(b: Builder, values: str, count: int, axis: int = -1) -> list[str]:
    """The equal parts of a value that belong to its `count` gates."""
    return b.many("Split", count, values, axis=axis, num_outputs=count)


def rnn(cell: Cell, b: Builder, given: str, states: Sequence[str]) -> list[str]:
    """Ht = f(Xt·Wᵀ + Ht−1·Rᵀ + Wb + Rb)."""
    (f,) = cell.functions
    return [f(b, b("Gemm", states[0], cell.weights, given, transB=1))]


def gru(cell: Cell, b: Builder, given: str, states: Sequence[str]) -> list[str]:
    """Ht = (1 − zt)·ht + zt·Ht−1; the reset gate acts before or behind the product with Rh."""
    f, g = cell.functions
    (state,) = states
    xz, xr, xh = parts(b, given, 3)
    if cell.flag:
        hz, hr, hh = parts(b, b("Gemm", state, cell.weights, cell.bias, transB=1), 3)
        z, r = f(b, b("Add", xz, hz)), f(b, b("Add", xr, hr))
        new = g(b, b("Add", xh, b("Mul", r, hh)))
    else:
        rz, rr, rh = parts(b, cell.weights, 3, axis=0)
        z, r = f(b, b("Gemm", state, rz, xz, transB=1)), f(b, b("Gemm", state, rr, xr, transB=1))
        new = g(b, b("Gemm", b("Mul", r, state), rh, xh, transB=1))
    kept = b("Mul", z, state)
    return [b("Add", b("Mul", b("Sub", b.number(1, cell.element), z), new), kept)]


def lstm(cell: Cell, b: Builder, given: str, states: Sequence[str]) -> list[str]:
    """Ct = ft·Ct−1 + it·ct, Ht = ot·h(Ct); with `input_forget`, ft = 1 − it."""
    f, g, h = cell.functions
    state, memory = states
    i, o, forget, c = parts(b, b("Gemm", state, cell.weights, given, transB=1), 4)
    pi, po, pf = parts(b, cell.peepholes, 3) if cell.peepholes else ("", "", "")

    def peep(gate: str, weight: str, seen: str) -> str:
        return b("Add", gate, b("Mul", weight, seen)) if weight else gate

    i = f(b, peep(i, pi, memory))
    forget = b("Sub", b.number(1, cell.element), i) if cell.flag else f(b, peep(forget, pf, memory))
    new = b("Add", b("Mul", forget, memory), b("Mul", i, g(b, c)))
    return [b("Mul", f(b, peep(o, po, new)), h(b, new)), new]
