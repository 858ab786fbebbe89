"""The polynomials of the special functions: `python -m benchmarks.fit_special` fits them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Polynomial:
    """A minimax polynomial in `variable` (coefficients constant first) that approximates `function` on `interval`.

    `error` bounds the weighted absolute error; `weight` says what it is multiplied by. The coefficients come from a
    single-point Remez exchange over 3000 Chebyshev-spaced points in 50 digits, rounded to f64; the command is
    `python -m benchmarks.fit_special`.
    """

    function: str
    variable: str
    interval: tuple[float, float]
    error: float
    coefficients: tuple[float, ...]
    weight: str = "1"


POLYNOMIALS: dict[str, Polynomial] = {
    "EXPM1": Polynomial(
        "(e**r - 1 - r) / r**2", "r", (-math.log(2) / 2, math.log(2) / 2), 2.0**-35.1,
        (0.4999999999990988, 0.16666666719049353, 0.04166666685380173, 0.008333298463003527, 0.0013888824118118584,
         0.00019899290102967136, 2.487619196440701e-05),
    ),
    "ATANH": Polynomial(
        "(atanh(s) / s - 1) / s**2", "s**2", (0.0, (3 - math.sqrt(8)) ** 2), 2.0**-30.7,
        (0.33333333276512095, 0.2000006137620943, 0.14275368592876594, 0.11666190952038819),
    ),
    "LOG_ERFC": Polynomial(
        "-log(erfc(x)) / x", "x", (0.0, 4.0), 2.0**-35.3,
        (1.1283791670702321, 0.636619776495991, 0.10277249480220976, -0.019127356233810833, -0.00021473791371712705,
         0.0017124722397703052, -0.0006196325018841846, 5.976741724432549e-05, 4.071105474706248e-05,
         -2.175288408019377e-05, 5.231091067325922e-06, -6.671611449821804e-07, 3.634911060845056e-08),
        weight="x * erfc(x) / erf(x), so that erf has this relative error",
    ),
    "SIN": Polynomial(
        "(sin(r) / r - 1) / r**2", "r**2", (0.0, (math.pi / 4) ** 2), 2.0**-37.5,
        (-0.166666666416222, 0.008333329383788154, -0.00019839333961375996, 2.718302318610367e-06),
        weight="r**2",
    ),
    "COS": Polynomial(
        "(cos(r) - 1 + r**2 / 2) / r**4", "r**2", (0.0, (math.pi / 4) ** 2), 2.0**-33.0,
        (0.04166664567181857, -0.0013887315683699872, 2.4433087429090865e-05),
        weight="r**4 / cos(r)",
    ),
    "NORMAL_TAIL": Polynomial(
        "exp(m**2 / 2) erfc(m / sqrt 2) / (2 u), m = 5 (1 / u - 1)", "u", (0.25, 1.0), 2.0**-33.5,
        (0.079787249768694, 0.07982573604681843, 0.07609309215041252, 0.07417534144743132, 0.040767002002753086,
         0.12084656130010238, -0.1376877062547853, 0.3306847613380707, -0.35282360406214724, 0.2991800139167552,
         -0.13350719596702668, 0.022658748351252412),
        weight="so that it is the relative error of the tail",
    ),
}  # fmt: skip
