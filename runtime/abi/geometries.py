"""The records that give sizes to launches, one table for each family of kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum

from tfmbs.runtime.abi.record import Field, Record

F32_MAX = float.fromhex("0x1.fffffep+127")


class PoolMode(IntEnum):
    """MAX; AVG over the valid taps; AVG_PADDED over all taps of the window, padding included."""

    NONE = 0
    MAX = 1
    AVG = 2
    AVG_PADDED = 3


class MaskMode(IntEnum):
    """What the mask of an attention is: none; F32 that is added; the same, and a sum of −∞ is hidden; BOOL that shows
    (other bytes than 0) and hides."""

    NONE = 0
    ADD = 1
    ADD_SHOWN = 2
    SELECT = 3


class Activations(IntEnum):
    """What is done to lhs first. STORED: nothing. ABSMAX: each row of F32 becomes I8, by its largest magnitude."""

    STORED = 0
    ABSMAX = 1


class Direction(IntEnum):
    """How a recurrence walks over its steps: from the first on, from the last on, or both ways, each by itself."""

    FORWARD = 0
    REVERSE = 1
    BOTH = 2


class GateOrder(IntEnum):
    """The order of the gates in weights and biases of an LSTM: input, output, forget, cell (as ONNX has them), or
    input, forget, cell, output (as PyTorch has them)."""

    IOFC = 0
    IFCO = 1


GEMM_GEOMETRY = Record(
    "gemm_geometry",
    64,
    "out[b,m,n] = sum over ascending k of lhs[b,m,k] * rhs[b,n,k]; strides in elements, out is dense.",
    (
        Field("batch", 0, "u32", "number of independent products", low=1),
        Field("m", 4, "u32", "rows of lhs and out", low=1),
        Field("n", 8, "u32", "columns of out, the output channels", low=1),
        Field("k", 12, "u32", "reduction length", low=1),
        Field("lhs_batch_stride", 16, "u32", "elements between the lhs of two products (0: shared)"),
        Field("lhs_m_stride", 20, "u32", "elements between two rows of lhs"),
        Field("lhs_k_stride", 24, "u32", "elements between two k of lhs"),
        Field("rhs_batch_stride", 28, "u32", "elements between the rhs of two products (0: shared)"),
        Field("rhs_n_stride", 32, "u32", "elements between two n of rhs; packed rhs: k, rows are padded to bytes"),
        Field("rhs_k_stride", 36, "u32", "elements between two k of rhs; packed rhs: 1"),
        Field("lhs_zero", 40, "i32", "zero point subtracted from every integer lhs element"),
    ),
)

WINDOW_GEOMETRY = Record(
    "window_geometry",
    64,
    "A sliding window over NCHW, for CONV2D and POOL; padding at the bottom and right follows from the output size.",
    (
        Field("batch", 0, "u32", "images", low=1),
        Field("in_channels", 4, "u32", "input channels", low=1),
        Field("in_height", 8, "u32", "input rows", low=1),
        Field("in_width", 12, "u32", "input columns", low=1),
        Field("out_channels", 16, "u32", "output channels (POOL: as input)", low=1),
        Field("out_height", 20, "u32", "output rows", low=1),
        Field("out_width", 24, "u32", "output columns", low=1),
        Field("kernel_height", 28, "u32", "window rows", low=1),
        Field("kernel_width", 32, "u32", "window columns", low=1),
        Field("stride_height", 36, "u16", "rows between two windows, at least 1", low=1),
        Field("stride_width", 38, "u16", "columns between two windows, at least 1", low=1),
        Field("dilation_height", 40, "u16", "rows between two taps, at least 1", low=1),
        Field("dilation_width", 42, "u16", "columns between two taps, at least 1", low=1),
        Field("pad_top", 44, "u16", "rows of padding above"),
        Field("pad_left", 46, "u16", "columns of padding on the left"),
        Field("pad_bottom", 48, "u16", "rows of padding below that count as window taps (average pooling)"),
        Field("pad_right", 50, "u16", "columns of padding on the right that count as window taps (average pooling)"),
        Field("groups", 52, "u32", "channel groups (POOL: 1)", low=1),
        Field("lhs_zero", 56, "i32", "zero point subtracted from every integer input element"),
        Field("mode", 60, "u8", "pooling mode (CONV2D: NONE)", enum=PoolMode),
    ),
)

VOLUME_GEOMETRY = Record(
    "volume_geometry",
    80,
    "A sliding window over NCDHW, for CONV3D; padding behind follows from the output size.",
    (
        Field("batch", 0, "u32", "volumes", low=1),
        Field("in_channels", 4, "u32", "input channels", low=1),
        Field("in_depth", 8, "u32", "input planes", low=1),
        Field("in_height", 12, "u32", "input rows", low=1),
        Field("in_width", 16, "u32", "input columns", low=1),
        Field("out_channels", 20, "u32", "output channels", low=1),
        Field("out_depth", 24, "u32", "output planes", low=1),
        Field("out_height", 28, "u32", "output rows", low=1),
        Field("out_width", 32, "u32", "output columns", low=1),
        Field("kernel_depth", 36, "u32", "window planes", low=1),
        Field("kernel_height", 40, "u32", "window rows", low=1),
        Field("kernel_width", 44, "u32", "window columns", low=1),
        Field("stride_depth", 48, "u16", "planes between two windows, at least 1", low=1),
        Field("stride_height", 50, "u16", "rows between two windows, at least 1", low=1),
        Field("stride_width", 52, "u16", "columns between two windows, at least 1", low=1),
        Field("dilation_depth", 54, "u16", "planes between two taps, at least 1", low=1),
        Field("dilation_height", 56, "u16", "rows between two taps, at least 1", low=1),
        Field("dilation_width", 58, "u16", "columns between two taps, at least 1", low=1),
        Field("pad_front", 60, "u16", "planes of padding in front"),
        Field("pad_top", 62, "u16", "rows of padding above"),
        Field("pad_left", 64, "u16", "columns of padding on the left"),
        Field("groups", 68, "u32", "channel groups", low=1),
        Field("lhs_zero", 72, "i32", "zero point subtracted from every integer input element"),
    ),
)

ATTENTION_GEOMETRY = Record(
    "attention_geometry",
    112,
    "out[b,h,i] = sum over j of softmax over j of score(b,h,i,j), times v[b,h / shared,j]; strides in elements, out is "
    "dense, or [b,i,h] is. score = lhs[b,h,i] · rhs[b,h / shared,j] · scale, then the mask, then hidden elements "
    "become `fill`.",
    (
        Field("batch", 0, "u32", "sequences", low=1),
        Field("groups", 4, "u32", "heads of keys and values", low=1),
        Field("shared", 8, "u32", "query heads of each of them, which follow each other", low=1),
        Field("rows", 12, "u32", "queries of a head", low=1),
        Field("columns", 16, "u32", "keys of a head", low=1),
        Field("width", 20, "u32", "elements of a query and of a key", low=1),
        Field("value_width", 24, "u32", "elements of a value", low=1),
        Field("lhs_batch_stride", 28, "u32", "elements between the queries of two sequences"),
        Field("lhs_head_stride", 32, "u32", "elements between the queries of two heads"),
        Field("lhs_row_stride", 36, "u32", "elements between two queries"),
        Field("lhs_stride", 40, "u32", "elements between two elements of a query"),
        Field("rhs_batch_stride", 44, "u32", "elements between the keys of two sequences"),
        Field("rhs_group_stride", 48, "u32", "elements between the keys of two heads"),
        Field("rhs_row_stride", 52, "u32", "elements between two keys"),
        Field("rhs_stride", 56, "u32", "elements between two elements of a key"),
        Field("value_batch_stride", 60, "u32", "elements between the values of two sequences"),
        Field("value_group_stride", 64, "u32", "elements between the values of two heads"),
        Field("value_row_stride", 68, "u32", "elements between two values"),
        Field("value_stride", 72, "u32", "elements between two elements of a value"),
        Field("mask_batch_stride", 76, "u32", "elements between the masks of two sequences (0: shared)"),
        Field("mask_head_stride", 80, "u32", "elements between the masks of two query heads (0: shared)"),
        Field("mask_row_stride", 84, "u32", "elements between the masks of two queries (0: shared)"),
        Field("mask_column_stride", 88, "u32", "elements between the masks of two keys (0: shared)"),
        Field("scale", 92, "f32", "factor of the scores", low=-F32_MAX, high=F32_MAX),
        Field("fill", 96, "f32", "score of what is hidden", low=-math.inf, high=0),
        Field("offset", 100, "i32", "causal: query i sees the keys up to i + offset"),
        Field("mask", 104, "u8", "how the mask is applied", enum=MaskMode),
        Field("causal", 105, "u8", "1: later keys are hidden", high=1),
        Field("clear", 106, "u8", "1: the weights of what is hidden become +0", high=1),
        Field("out_by_rows", 107, "u8", "1: out lies as [b,i,h], with the heads of a query side by side", high=1),
    ),
)


def attention_out_strides(g: Mapping[str, int]) -> tuple[int, int, int]:
    """Elements between the results of two sequences, of two heads and of two queries of an attention geometry."""
    heads, width = g["groups"] * g["shared"], g["value_width"]
    head, row = (width, heads * width) if g["out_by_rows"] else (g["rows"] * width, width)
    return heads * g["rows"] * width, head, row


GROUP_GEOMETRY = Record(
    "group_geometry",
    64,
    "out[m,n] = sum over k of lhs[m,k] * rhs[n,k] * scale[n, k / group]; rhs has a packed row for each group.",
    (
        Field("m", 0, "u32", "rows of lhs and out", low=1),
        Field("n", 4, "u32", "columns of out, the output channels", low=1),
        Field("k", 8, "u32", "reduction length, a multiple of group", low=1),
        Field("group", 12, "u32", "k that share a scale", low=1),
        Field("lhs_m_stride", 16, "u32", "elements between two rows of lhs"),
        Field("lhs_k_stride", 20, "u32", "elements between two k of lhs"),
        Field("lhs_zero", 24, "i32", "zero point subtracted from every integer lhs element"),
        Field("scales", 28, "u32", "F32 scales in WEIGHTS: k / group of each n", index="tensor"),
        Field("activations", 32, "u8", "what is done to lhs first", enum=Activations),
    ),
)

LSTM_GEOMETRY = Record(
    "lstm_geometry",
    32,
    "out[t,d,b] = h = o * tanh(c), where c = f * c before + i * g; i, o, f = sigmoid and g = tanh of gates lhs[t,b] · "
    "rhs[d] + h before · recurrent[d] + biases. All operands are dense; behind the steps of out may stand c.",
    (
        Field("steps", 0, "u32", "steps of a sequence", low=1),
        Field("batch", 4, "u32", "sequences", low=1),
        Field("width", 8, "u32", "elements of an input", low=1),
        Field("hidden", 12, "u32", "elements of a state", low=1),
        Field("direction", 16, "u8", "which way steps follow each other", enum=Direction),
        Field("order", 17, "u8", "which gate comes where", enum=GateOrder),
        Field("bias", 18, "u8", "1: a bias is added to the product of the input", high=1),
        Field("recurrent_bias", 19, "u8", "1: a bias is added to the product of the state", high=1),
        Field("initial", 20, "u8", "1: the first states are operands, else +0", high=1),
        Field("cell", 21, "u8", "1: the last cell states follow the steps of out", high=1),
    ),
)
