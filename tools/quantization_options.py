"""Options of the tools that say how a compilation quantizes, besides its precision and samples."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmbs.compiler.quantization import Quantization


def add_quantization_options(parser: argparse.ArgumentParser) -> None:
    """Declares them on `parser`: one for each field of `Quantization`."""
    add = parser.add_argument
    group = "int4, ternary: weights of a linear layer with a scale of their own: a number, channel or default"
    add("--group-size", metavar="N|channel", default="default", help=group)
    add("--rounding", metavar="HOW", default="nearest", help="of int4 and ternary weights: nearest or gptq")
    add(
        "--activations",
        metavar="TYPE",
        default="int8",
        help="int8, dynamic (int8 by row), or bf16 beside int4, ternary",
    )
    move = "move outliers of linear layers' inputs into weights: SmoothQuant's alpha, 0 to 1"
    add("--migrate-outliers", metavar="ALPHA", type=float, help=move)
    mask = "input that is not zero for rows (tokens) that count in calibration: padding does not"
    add("--calibration-mask", metavar="INPUT", help=mask)
    add("--observer", metavar="NAME", default="minmax", help="ranges of int8: minmax, percentile, mse or entropy")
    add("--zero-point", metavar="HOW", default="asymmetric", help="of int8 activations: asymmetric or symmetric (0)")
    add("--biases", metavar="HOW", default="kept", help="kept, or corrected by what rounding weights does to the mean")
    add("--channels", metavar="HOW", default="kept", help="kept, or equalized: weights of like size on both sides")
    add("--ranges", metavar="FILE", help="ranges that --save-ranges of tfmbs-compile wrote, instead of samples")
    budget = "mixed: the least mean cosine of outputs on the samples to those in f32"
    add("--accuracy-budget", metavar="X", type=float, help=budget)
    add("--plan", metavar="FILE", help="mixed: a plan that --save-plan of tfmbs-compile wrote, instead of a budget")


def quantization_of(given: Any) -> Quantization:
    """What the parsed arguments ask for. Raises TfmbsError ``usage`` for values that mean nothing."""
    from tfmbs.compiler.quantization import Quantization

    return Quantization(
        given.group_size,
        given.rounding,
        given.activations,
        given.migrate_outliers,
        given.calibration_mask,
        given.observer,
        given.zero_point,
        given.biases,
        given.channels,
        given.ranges,
        given.accuracy_budget,
        given.plan,
    )
