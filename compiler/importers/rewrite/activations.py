"""The activation functions that RNN, GRU and LSTM may ask for, by name, and their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tfmbs.compiler.importers.rewrite.builder import Builder

Activation = Callable[[Builder, str], str]
"""Writes f(x) for the value x."""


@dataclass(frozen=True)
class _Kind:
    """One function: what writes it, and the defaults of alpha and beta, None where it has no such parameter."""

    write: Callable[[Builder, str, float, float, int], str]
    alpha: float | None = None
    beta: float | None = None


def _operator(name: str) -> _Kind:
    return _Kind(lambda b, x, alpha, beta, element: b(name, x))


def _affine(b: Builder, x: str, alpha: float, beta: float, element: int) -> str:
    return b("Add", b("Mul", x, b.number(alpha, element)), b.number(beta, element))


def _scaled_tanh(b: Builder, x: str, alpha: float, beta: float, element: int) -> str:
    return b("Mul", b("Tanh", b("Mul", x, b.number(beta, element))), b.number(alpha, element))


ACTIVATIONS: dict[str, _Kind] = {
    "relu": _operator("Relu"),
    "tanh": _operator("Tanh"),
    "sigmoid": _operator("Sigmoid"),
    "softsign": _operator("Softsign"),
    "softplus": _operator("Softplus"),
    "affine": _Kind(_affine, 1.0, 0.0),
    "scaledtanh": _Kind(_scaled_tanh, 1.0, 1.0),
    "leakyrelu": _Kind(lambda b, x, alpha, beta, element: b("LeakyRelu", x, alpha=alpha), 0.01),
    "thresholdedrelu": _Kind(lambda b, x, alpha, beta, element: b("ThresholdedRelu", x, alpha=alpha), 1.0),
    "elu": _Kind(lambda b, x, alpha, beta, element: b("Elu", x, alpha=alpha), 1.0),
    "hardsigmoid": _Kind(lambda b, x, alpha, beta, element: b("HardSigmoid", x, alpha=alpha, beta=beta), 0.2, 0.5),
}
"""Functions of ONNX's recurrent operators by name, in lower case; defaults as in onnxruntime."""


def activations(
    names: Sequence[str], alphas: Sequence[float], betas: Sequence[float], clip: float | None, element: int
) -> list[Activation]:
    """The functions that `names` ask for. Each takes the next alpha and beta, if it has such a parameter.

    With `clip`, their operands are first bounded to [−clip, clip].

    Raises:
        KeyError: a name that is none.
    """
    left_alphas, left_betas = iter(alphas), iter(betas)
    return [_bound(ACTIVATIONS[name.lower()], left_alphas, left_betas, clip, element) for name in names]


def _bound(
    kind: _Kind, alphas: Iterator[float], betas: Iterator[float], clip: float | None, element: int
) -> Activation:
    alpha = 0.0 if kind.alpha is None else next(alphas, kind.alpha)
    beta = 0.0 if kind.beta is None else next(betas, kind.beta)

    def write(b: Builder, x: str) -> str:
        if clip is not None:
            x = b("Clip", x, b.number(-clip, element), b.number(clip, element))
        return kind.write(b, x, alpha, beta, element)

    return write
