"""All slots of a word read before any of them writes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.vector_programs import compare_with_model, patterns
from tfmbs.runtime.abi.siw import Predicate, Reduce
from tfmbs.runtime.abi.types import DType

F32, F64, I8, I32, I64 = DType.F32, DType.F64, DType.I8, DType.I32, DType.I64


def test_slots_read_before_any_writes(device: DeviceUnderTest) -> None:
    """One word: D overwrites what S stores, or what S indexes by, or reads what S loads."""
    words = [
        {**s("LI", reg=3, imm=1), **c("SETVL", imm=8)},
        s("LD", I32, reg=1, win=0, base=0, index=3),
        s("LI", reg=2, imm=8),
        {**d("ADD", I32, vd=1, va=1, vb=1), **s("ST", I32, reg=1, win=2, base=0, index=3)},
        {**d("ADD", I32, vd=4, va=1, vb=1), **s("LD", I32, reg=1, win=0, base=2, index=3)},
        s("ST", I32, reg=4, win=2, base=0, index=3, imm=8),
        s("LD", I32, reg=6, win=1, base=0, index=3),
        {**d("SUB", I32, vd=6, va=5, vb=6), **s("GATHER", I32, reg=5, win=0, base=0, index=6)},
        s("ST", I32, reg=5, win=2, base=0, index=3, imm=16),
        s("ST", I32, reg=6, win=2, base=0, index=3, imm=24),
        {**d("ADD", I32, vd=5, va=5, vb=5), **s("SCATTER", I32, reg=5, win=2, base=2, index=1, imm=24)},
        END,
    ]
    source = np.arange(16, dtype=np.int32)
    source[8:] = source[:8] % 3
    compare_with_model(device, words, [source, source[::-1].copy() % 8], np.zeros(40, np.int32))


# Words over v0 to v7, the windows 0 (i32, loaded), 1 (i8, loaded) and 2 (i32, stored to), s1 = 1.
LOAD, STORE = s("LD", I32, reg=2, win=0, base=0, index=1), s("ST", I32, reg=2, win=2, base=0, index=1)
CIRCLES: dict[str, Fields] = {
    "d and c swap registers": {**d("MOV", vd=2, va=3), **c("CAST", I32, reg=3, src=2, aux=I32)},
    "three in a circle": {
        **d("MOV", vd=2, va=4),
        **s("GATHER", I32, reg=4, win=0, base=0, index=3),
        **c("CAST", I8, reg=3, src=2, aux=I32),
    },
    "accumulators in a circle": {
        **d("RED", I32, vd=2, va=3, aux=Reduce.SUM),
        **c("REDUCE", I32, reg=3, src=2, aux=Reduce.XOR),
    },
    "a fill in a circle": {**d("LAST", vd=2, va=3), **c("REDUCE", I32, reg=3, src=2, aux=Reduce.MAX)},
    "load, then send the old": {**LOAD, **c("SEND", I32, reg=2, src=2)},
    "receive, then store the old": {**STORE, **c("RECV", I8, reg=2, src=1)},
    "receive what is gathered by": {
        **s("GATHER", I32, reg=4, win=0, base=0, index=3),
        **c("RECV", I8, reg=3, src=1),
    },
    "a result over the upper half of its source": d("CVT", F32, vd=3, va=2, aux=F64),
    "a result over the lower half of its source": c("CAST", I32, reg=2, src=2, aux=I64),
    "a pair over its narrow source": d("CVT", F64, vd=2, va=3, aux=I32),
    "a comparison over its source": d("CMP", I64, vd=4, va=4, vb=2, aux=Predicate.OLT),
    "a choice over its condition": d("SEL64", vd=2, va=3, vb=4, vc=6),
    "a gather over its wide index": s("GATHER64", I32, reg=6, win=0, base=0, index=6),
    "a gather over its narrow index": s("GATHER", I32, reg=3, win=0, base=0, index=3),
    "halves of pairs in a circle": {
        **d("CVT", I64, vd=2, va=5, aux=I32),
        **c("CAST", I32, reg=5, src=2, aux=I64),
    },
    "a scalar from what d overwrites": {**d("SUB", I32, vd=2, va=3, vb=2), **s("SGET", I32, reg=5, index=2)},
    "an index into what c reads": {**s("INDEX", I32, reg=2, base=0, index=1), **c("CAST", I8, reg=4, src=2, aux=I32)},
}


@pytest.mark.parametrize("vl", [5, 64])
@pytest.mark.parametrize("name", CIRCLES)
def test_circle(device: DeviceUnderTest, name: str, vl: int) -> None:
    """v3 and the pair v6 start as indices below 64."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=80)},
        *(s("LD", I32, reg=r, win=0, base=0, index=1, imm=7 * r) for r in range(6)),
        s("INDEX", I32, reg=8, base=0, index=0, imm=63),
        d("AND", I32, vd=3, va=3, vb=8),
        d("CVT", I64, vd=6, va=3, aux=I32),
        c("SETVL", imm=vl),
        CIRCLES[name],
        {**s("INDEX", I32, reg=9, base=5, index=0), **c("SETVL", imm=80)},
        *(s("ST", I32, reg=r, win=3, base=0, index=1, imm=80 * r) for r in range(10)),
        END,
    ]
    outputs = np.zeros(200, np.int32), np.zeros(800, np.int32)
    compare_with_model(device, words, [patterns(I32, 200), patterns(I8, 200)], *outputs)
