"""The cases of `onnx.backend.test`: their models, inputs and expected outputs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.runner import Runner

from tfmbs.compiler.importers.onnx_dims import graph_inputs
from tfmbs.compiler.importers.onnx_file import load_onnx

KINDS = ("node", "light", "simple", "pytorch-converted", "pytorch-operator")
_LIGHT = "light"
_DATA = Path(loader.DATA_DIR)
_LIGHT_TOLERANCES = {"rtol": 1e-3, "atol": 1e-7}  # what onnx's loader takes where data.json says nothing

Values = list[Any]
"""Arrays; or lists of them or None, for what is no tensor."""


@dataclass(frozen=True)
class Case:
    """One test case. `source` is the model, or the path of its file; `sets` the data that came with the model."""

    name: str
    kind: str
    rtol: float
    atol: float
    source: onnx.ModelProto | Path
    sets: Any = None

    def model(self) -> onnx.ModelProto:
        """The model as it was published."""
        return load_onnx(self.source) if isinstance(self.source, Path) else self.source

    def data(self, model: onnx.ModelProto) -> Iterator[tuple[Values, Values]]:
        """Inputs, in the order of the model's inputs without initializer, and expected outputs."""
        if self.sets is not None:
            for inputs, outputs in self.sets:
                yield [_value(v) for v in inputs], [_value(v) for v in outputs]
        elif self.kind == _LIGHT:
            inputs = [Runner.generate_dummy_data(value) for value in graph_inputs(model.graph)]
            stem = self._path.with_suffix("")
            yield inputs, [_read(Path(f"{stem}_output_{i}.pb")) for i in range(len(model.graph.output))]
        else:
            for folder in sorted(self._path.parent.glob("test_data_set*")):
                yield _read_all(folder, "input"), _read_all(folder, "output")

    @property
    def _path(self) -> Path:
        assert isinstance(self.source, Path)
        return self.source


def load(kinds: tuple[str, ...] = KINDS, pattern: str = "") -> list[Case]:
    """The cases of `kinds` whose names hold the regular expression `pattern`, ordered by kind and name."""
    found = [case for kind in kinds for case in sorted(_kind(kind), key=lambda case: case.name)]
    return [case for case in found if re.search(pattern, case.name)]


def _kind(kind: str) -> Iterator[Case]:
    if kind == _LIGHT:
        for path in (_DATA / _LIGHT).glob("*.onnx"):
            yield Case(path.stem, kind, source=path, **_LIGHT_TOLERANCES)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # onnx overflows on purpose when it makes its cases
        cases = loader.load_model_tests(kind=kind)
    for case in cases:
        source = case.model if case.model_dir is None else Path(case.model_dir) / "model.onnx"
        yield Case(case.name, kind, case.rtol, case.atol, source, case.data_sets)


def _read_all(folder: Path, role: str) -> Values:
    return [_read(folder / f"{role}_{i}.pb") for i in range(len(list(folder.glob(f"{role}_*.pb"))))]


def _read(path: Path) -> np.ndarray:
    return numpy_helper.to_array(onnx.load_tensor(path))


def _value(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
