"""The compiler asks for the zero-skip mode that target, weights and activations allow."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.test_trit_packings import matmul, module, trits
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.runtime.abi.records import ZeroSkip
from tfmbs.runtime.abi.target_file import TARGETS
from tfmbs.runtime.abi.types import Packing
from tfmbs.runtime.program import Program


@pytest.mark.parametrize(
    ("element", "packing", "modes", "expected"),
    [
        ("i8", Packing.S4, ["none", "energy", "cycle"], ZeroSkip.CYCLE),
        ("i8", Packing.S4, ["none", "energy"], ZeroSkip.ENERGY),
        ("f32", Packing.S4, ["none", "energy", "cycle"], ZeroSkip.ENERGY),
        ("i8", Packing.PT5, ["none", "cycle"], ZeroSkip.NONE),
    ],
)
def test_mode(tmp_path, element, packing, modes, expected):
    target = tmp_path / "own.toml"
    target.write_text((TARGETS / "kpu-16x16.toml").read_text().replace('["none", "energy"]', str(modes)))
    values = trits(packing, (5, 70))
    kind = "f32" if element == "f32" else "!quant.uniform<i8:f32, 1.0>"
    made = module(matmul, (3, 70), values, packing, kind)
    program = Program(Compilation(made, "tfmbs", Options(target=str(target), start="tfmbs")).image())
    assert [row["zero_skip"] for row in program.image.schedules] == [expected]
    x = np.random.default_rng(0).integers(-9, 9, (3, 70)).astype(np.int8 if element == "i8" else np.float32)
    outputs = [program.run({"x": x}, device=device)["y"].tobytes() for device in ("emulator", "kpu")]
    assert (
        outputs[0]
        == outputs[1]
        == (x.astype(np.int64) @ values.T.astype(np.int64))
        .astype(np.int32 if element == "i8" else np.float32)
        .tobytes()
    )
