"""What a network is for as a whole: images cut into patches, scores that hide what comes later, the phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmbs.passes.torch import attention, patterns
from tfmbs.passes.torch import values as tv

_IMAGE_CHANNELS = (1, 3, 4)  # grey, colours, colours and transparency
_HIDDEN = -1000.0
"""Scores that are that much lower have no weight: models add -1e4, the lowest number, or minus infinity."""
_FLAGS = {patterns.WHOLE_ATTENTION: 5}
"""Where an attention that is one op says that it is causal."""


def is_causal(op: Any) -> bool:
    """Whether the attention that `op` ends lets each of several queries see keys up to its own position only.

    That is known from a constant: a choice by it, or the addition of it to scores, or the op's own flag.
    """
    if op.name in _FLAGS:
        return _flag(op.operands[_FLAGS[op.name]])
    softmax = patterns.softmax_of(op)
    value = softmax.operands[0]
    while (step := patterns.producer(value)) is not None and step.name not in patterns.PRODUCTS:
        if any(_hides_later(operand) for operand in patterns.tensors(step)):
            return True
        value = patterns.before_scores(step)
        if value is None:
            break
    return False


def _flag(value: Any) -> bool:
    try:
        return tv.boolean(value)
    except tv.NotConvertedError:
        return False


def _hides_later(value: Any) -> bool:
    """Whether a value is a constant that hides all elements of a matrix above the diagonal, and no other.

    A condition is one thing there, another elsewhere; an addend is far below zero.
    """
    value = patterns.seen_from(value)
    try:
        known = attention.constant(value)
    except (tv.NotConvertedError, ValueError):
        return False
    if known is None or known.ndim < 2 or min(known.shape[-2:]) < 2:
        return False
    rows, columns = known.shape[-2:]
    matrix = np.asarray(known).reshape(-1, rows, columns)[0]
    shown = np.tri(rows, columns, columns - rows, dtype=bool)
    below, above = matrix[shown], matrix[~shown]
    if not above.size:
        return False
    if matrix.dtype == bool:
        return bool((below == below[0]).all() and (above != below[0]).all())
    return bool((below > _HIDDEN).all() and (above <= _HIDDEN).all())


def patch_embedding(op: Any) -> bool:
    """Whether `op` cuts an image into patches that do not overlap: a convolution whose steps are its window's size."""
    if op.name != patterns.CONVOLUTION or patterns.rank(op.results[0]) != 4:
        return False
    value, weight, _, strides, padding, *_ = op.operands
    try:
        window, channels = tv.shape(weight)[2:], tv.shape(value)[1]
        cuts = tv.integers(strides) == window and min(window) > 1 and not any(tv.integers(padding))
    except tv.NotConvertedError:
        return False
    is_input = patterns.producer(patterns.seen_from(value)) is None
    return cuts and channels in _IMAGE_CHANNELS and is_input and patterns.is_weight(weight)


def phase(found: Mapping[str, Any], looked_up: int) -> str:
    """The phase of a network by the ops that its patterns were found at; "" where its structure does not say it.

    `looked_up` is how many arguments, or parts of them, tables are looked up by.
    """
    if found["kv_cache"]:
        return "decode" if {patterns.added(op) for op in found["kv_cache"]} == {1} else "prefill"
    if found["attention"]:
        if found["patch_embedding"]:
            return "vision"
        return "prefill" if any(is_causal(op) for op in found["attention"]) else "encoder"
    if found["convolution_backbone"]:
        return "vision"
    return "recommender" if looked_up > 1 else ""
