"""Builds small images by hand: tensors, launches, vector programs. What it makes passes the image's verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tests.conformance.tables import DTYPE_OF_NUMPY, Fields, Tables
from tfmbs.runtime.abi.records import NONE, Kind, PoolMode, ProgramKind
from tfmbs.runtime.abi.types import DType

__all__ = ["DTYPE_OF_NUMPY", "END", "Builder", "Fields", "Triple", "c", "d", "s"]

Triple = tuple[int, int, int]


def d(op: str, dtype: DType | int = 0, **fields: int) -> Fields:
    """The D slot of a word: `d("ADD", DType.F32, vd=1, va=2, vb=3)`."""
    return _slot("D", op, dtype, fields)


def s(op: str, dtype: DType | int = 0, **fields: int) -> Fields:
    """The S slot of a word: `s("LD", DType.F32, reg=1, win=0, base=0, index=4)`."""
    return _slot("S", op, dtype, fields)


def c(op: str, dtype: DType | int = 0, **fields: int) -> Fields:
    """The C slot of a word: `c("SETVL", imm=16)`, `c("CAST", DType.F16, reg=1, src=2, aux=DType.F32)`."""
    return _slot("C", op, dtype, fields)


def _slot(slot: str, op: str, dtype: int, fields: Fields) -> Fields:
    from tfmbs.runtime.abi.siw import OP_BY_NAME

    prefix = slot.lower()
    typed = {f"{prefix}_type": int(dtype)} if dtype else {}
    return {f"{prefix}_op": OP_BY_NAME[slot, op].code, **typed, **{f"{prefix}_{k}": int(v) for k, v in fields.items()}}


END = c("END")


def _strides(name: str, head: str, sizes: tuple[int, int, int]) -> Fields:
    heads, rows, width = sizes
    return {
        f"{name}_batch_stride": heads * rows * width,
        f"{name}_{head}_stride": rows * width,
        f"{name}_row_stride": width,
        f"{name}_stride": 1,
    }


class Builder(Tables):
    """With a method for each kind of launch. Every one waits for the one before."""

    def gemm(
        self, lhs: int, rhs: int, out: int, *, epilogue: int = NONE, args: Sequence[int] = (), **sizes: int
    ) -> int:
        """A GEMM; strides default to dense `batch×m×k` by `batch×n×k`, with rhs shared where it has rank 2."""
        m, n, k = sizes["m"], sizes["n"], sizes["k"]
        shared = self._image.tensors[rhs]["rank"] == 2
        dense = {
            "batch": 1,
            "lhs_batch_stride": m * k,
            "lhs_m_stride": k,
            "lhs_k_stride": 1,
            "rhs_batch_stride": 0 if shared else n * k,
            "rhs_n_stride": k,
            "rhs_k_stride": 1,
        }
        schedule = sizes.pop("schedule") if "schedule" in sizes else self.schedule()
        return self.launch(
            Kind.GEMM, lhs=lhs, rhs=rhs, out=out, geometry={**dense, **sizes}, program=epilogue, args=args,
            schedule=schedule,
        )  # fmt: skip

    def groups(
        self, lhs: int, rhs: int, scales: int, out: int, *, epilogue: int = NONE, args: Sequence[int] = (), **sizes: int
    ) -> int:
        """A GROUP_GEMM of dense lhs m×k."""
        schedule = sizes.pop("schedule") if "schedule" in sizes else self.schedule()
        geometry = {"lhs_m_stride": sizes["k"], "lhs_k_stride": 1, "scales": scales, **sizes}
        return self.launch(
            Kind.GROUP_GEMM, lhs=lhs, rhs=rhs, out=out, geometry=geometry, program=epilogue, args=args,
            schedule=schedule,
        )  # fmt: skip

    def window(
        self,
        kind: Kind,
        lhs: int,
        rhs: int,
        out: int,
        *,
        kernel: tuple[int, int],
        strides: tuple[int, int] = (1, 1),
        dilations: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        groups: int = 1,
        lhs_zero: int = 0,
        mode: PoolMode = PoolMode.NONE,
        epilogue: int = NONE,
        args: Sequence[int] = (),
        schedule: int | None = None,
    ) -> int:
        """A CONV2D or POOL; `pads` are top, left, bottom, right."""
        n, c_in, h, w = self._image.tensors[lhs]["dims"][:4]
        _, c_out, out_h, out_w = self._image.tensors[out]["dims"][:4]
        geometry = {
            "batch": n,
            "in_channels": c_in,
            "in_height": h,
            "in_width": w,
            "out_channels": c_out,
            "out_height": out_h,
            "out_width": out_w,
            "kernel_height": kernel[0],
            "kernel_width": kernel[1],
            "stride_height": strides[0],
            "stride_width": strides[1],
            "dilation_height": dilations[0],
            "dilation_width": dilations[1],
            "pad_top": pads[0],
            "pad_left": pads[1],
            "pad_bottom": pads[2] if kind is Kind.POOL else 0,
            "pad_right": pads[3] if kind is Kind.POOL else 0,
            "groups": groups,
            "lhs_zero": lhs_zero,
            "mode": mode,
        }
        return self.launch(
            kind, lhs=lhs, rhs=rhs, out=out, geometry=geometry, program=epilogue, args=args,
            schedule=self.schedule() if schedule is None else schedule,
        )  # fmt: skip

    def volume(
        self,
        lhs: int,
        rhs: int,
        out: int,
        *,
        kernel: Triple,
        strides: Triple = (1, 1, 1),
        dilations: Triple = (1, 1, 1),
        pads: Triple = (0, 0, 0),
        groups: int = 1,
        lhs_zero: int = 0,
        epilogue: int = NONE,
        args: Sequence[int] = (),
    ) -> int:
        """A CONV3D; `pads` are front, top, left."""
        n, c_in, *size = self._image.tensors[lhs]["dims"][:5]
        _, c_out, *out_size = self._image.tensors[out]["dims"][:5]
        geometry = {"batch": n, "in_channels": c_in, "out_channels": c_out, "groups": groups, "lhs_zero": lhs_zero}
        values = {"in": size, "out": out_size, "kernel": kernel, "stride": strides, "dilation": dilations}
        for name, lengths in values.items():
            axes = zip(("depth", "height", "width"), lengths, strict=True)
            geometry |= {f"{name}_{axis}": length for axis, length in axes}
        geometry |= dict(zip(("pad_front", "pad_top", "pad_left"), pads, strict=True))
        return self.launch(
            Kind.CONV3D, lhs=lhs, rhs=rhs, out=out, geometry=geometry, program=epilogue, args=args,
            schedule=self.schedule(),
        )  # fmt: skip

    def attention(
        self, q: int, k: int, v: int, out: int, *, masked: int = NONE, shared: int = 1, **fields: float
    ) -> int:
        """An ATTENTION of dense q (b, groups · shared, m, d), k (b, groups, n, d), v (b, groups, n, e) by default."""
        tensors = self._image.tensors
        (batch, groups, columns, width), value_width = tensors[k]["dims"][:4], tensors[v]["dims"][3]
        rows = tensors[q]["dims"][2]
        geometry: dict[str, float] = {
            "batch": batch, "groups": groups, "shared": shared, "rows": rows, "columns": columns, "width": width,
            "value_width": value_width, "scale": 1.0,
            **_strides("lhs", "head", (groups * shared, rows, width)),
            **_strides("rhs", "group", (groups, columns, width)),
            **_strides("value", "group", (groups, columns, value_width)),
        }  # fmt: skip
        if masked != NONE:
            sizes = tensors[masked]["dims"][:4]
            for axis, name in enumerate(("batch", "head", "row", "column")):
                stride = int(np.prod(sizes[axis + 1 :]))
                geometry[f"mask_{name}_stride"] = stride if sizes[axis] > 1 else 0
        return self.attention_of(q, k, v, out, {**geometry, **fields}, masked)

    def attention_of(self, q: int, k: int, v: int, out: int, geometry: Mapping[str, float], masked: int = NONE) -> int:
        """An ATTENTION of this geometry."""
        args = [v] if masked == NONE else [v, masked]
        return self.launch(
            Kind.ATTENTION, lhs=q, rhs=k, out=out, geometry=geometry, args=args, schedule=self.schedule()
        )

    def lstm(self, lhs: int, rhs: int, out: int, further: Sequence[int], **fields: int) -> int:
        """An LSTM of lhs (steps, batch, width), with `further` operands; sizes follow from the tensors."""
        tensors = self._image.tensors
        steps, batch, width = tensors[lhs]["dims"][:3]
        hidden = tensors[further[0]]["dims"][2]
        geometry = {"steps": steps, "batch": batch, "width": width, "hidden": hidden, **fields}
        return self.launch(
            Kind.LSTM, lhs=lhs, rhs=rhs, out=out, geometry=geometry, args=further, schedule=self.schedule()
        )

    def copy(self, lhs: int, out: int) -> int:
        return self.launch(Kind.COPY, lhs=lhs, out=out)

    def vector(self, words: Sequence[Fields], args: Sequence[int], max_steps: int = 1 << 20) -> int:
        program = self.program(words, ProgramKind.VECTOR, len(args), max_steps)
        return self.launch(Kind.VECTOR, program=program, args=args)

    def epilogue(self, words: Sequence[Fields], windows: int) -> int:
        return self.program(words, ProgramKind.EPILOGUE, windows)
