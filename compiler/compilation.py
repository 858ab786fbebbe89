"""One compilation: a model walks down the levels of the IR, checked at each, watched by observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver, Observer
from tfmbs.compiler.emit import emit
from tfmbs.compiler.front_ends import IR, import_model
from tfmbs.compiler.ir_printing import AsmFlags
from tfmbs.compiler.numeric_check import NumericCheck
from tfmbs.compiler.pipeline_text import MODULE
from tfmbs.compiler.pipelines import LEVELS, PIPELINES, sequence_text, sequences
from tfmbs.compiler.quantization import DEFAULTS, Quantization
from tfmbs.compiler.samples import Arrays, Batch, cut
from tfmbs.compiler.source import Source, parse
from tfmbs.compiler.trial import Start
from tfmbs.dialect.attributes import NAME, PRECISION
from tfmbs.dialect.legality import check_level
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.graph.choices import MIXED
from tfmbs.passes.tfmbs_annotate import TfmbsAnnotate
from tfmbs.runtime.abi.container import Container
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import load_target

if TYPE_CHECKING:
    from tfmbs.compiler.calibration.results import Calibration
    from tfmbs.compiler.mixed.plan import Plan
from tfmbs.runtime.abi.writing import write

STAGES = ("import", *LEVELS, "linalg")
"""Where a compilation can stop, besides at the binary: the importer's own output, a level, or linalg."""

STARTS = STAGES[:-1]
"""The levels that a compilation of IR can start from."""


@dataclass(frozen=True)
class Options:
    """What a compilation is asked for. `entries` are entry points of an ONNX model, each with sizes beside `dims`;
    without any, `main` is the only one. A size is an integer, or a `Range` where `compiler.sizes` takes it. `start` is
    the level of a model that is IR already; `known` are inputs and what the model gives for them, from which the
    numeric verification of passes starts; `example_inputs` are those of a torch module. `start_binary` runs the
    programs by which calibration and mixed precision see values; without it they are interpreted, which takes long.

    Raises:
        TfmbsError: ``usage``, a knob of `quantization` needs samples and there are none.
    """

    target: str = "kpu-16x16"
    precision: str = "fp32"
    dims: Mapping[str, Any] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calibration: Iterable[Batch] | None = None
    quantization: Quantization = DEFAULTS
    numerics: str = "exact"
    start: str = "tfmbs"
    verify_numerically: bool = False
    example_inputs: Any = None
    known: tuple[Batch, Mapping[str, Any]] | None = None
    save_temps: Path | None = None
    start_binary: Start | None = None
    observers: Sequence[Observer] = ()
    progress: Callable[[str], None] = lambda stage: None

    def __post_init__(self) -> None:
        knobs = self.quantization
        needs = {"rounding gptq": knobs.rounding == "gptq", "migration": knobs.migration is not None}
        needs["biases corrected"] = knobs.biases == "corrected"
        for what, asks in {**needs, "precision mixed": self.precision == MIXED}.items():
            if asks and self.calibration is None:
                raise TfmbsError("usage", what, "what layers see", "samples for calibration", "none")
        if knobs.ranges is not None and self.calibration is not None:
            raise TfmbsError("usage", "ranges", "where they come from", "a file or samples", "both")
        given = [name for name in ("accuracy_budget", "plan") if getattr(knobs, name) is not None]
        if self.precision == MIXED and len(given) != 1:
            expected = "accuracy_budget or plan"
            raise TfmbsError("usage", "precision mixed", "what it keeps to", expected, " and ".join(given) or "none")
        if self.precision != MIXED and given:
            raise TfmbsError("usage", given[0], "precision", MIXED, self.precision)


@dataclass
class Compilation:
    """A model on its way: `module` is at `level`."""

    module: Any
    level: str
    options: Options
    name: str = "model"
    _samples: Sequence[Batch] | None = field(init=False)
    _check: NumericCheck | None = field(init=False)
    plan: Plan | None = field(init=False, default=None)
    """The precisions that were chosen, of a mixed compilation at the graph level or below it."""
    calibration: Calibration | None = field(init=False, default=None)
    """The ranges of activations, of a calibrated compilation at the graph level or below it."""

    def __post_init__(self) -> None:
        given = self.options.calibration
        self._samples = None if given is None else list(given)
        self._check = self._numeric_check() if self.options.verify_numerically else None

    def _numeric_check(self) -> NumericCheck:
        if self.options.known is None:
            return NumericCheck(samples=self._samples)
        inputs, outputs = self.options.known
        return NumericCheck(samples=[inputs], known=outputs)

    @classmethod
    def of(cls, model: object, options: Options, *, raw: bool = False, where: str = "model") -> Compilation:
        """The compilation of a path (``.onnx`` or ``.mlir``) or an `onnx.ModelProto`; `raw` stops the import early.

        Errors call a model without a path `where`.

        Raises:
            TfmbsError: what the importer or parser refuses; ``unsupported`` for another kind of model; ``target``.
        """
        load_target(options.target)
        options.progress("import")
        if isinstance(model, str | Path) and Path(model).suffix == IR:
            return cls._of_ir(Path(model), options, raw)
        module, name = import_model(model, options, raw=raw, where=where)
        return cls(module, "import" if raw else LEVELS[0], options, name)

    @classmethod
    def _of_ir(cls, path: Path, options: Options, raw: bool) -> Compilation:
        if options.start not in STARTS:
            expected = f"one of {', '.join(STARTS)}"
            raise TfmbsError("usage", "level to start from", "unknown value", expected, options.start)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
        except ValueError as error:
            raise TfmbsError("io", path, "it names no file", got=error) from error
        module = parse(Source(str(path), content), context(), Diagnostics())
        imported = options.start == STAGES[0]
        check_level(module, LEVELS[0] if imported else options.start)
        if raw or not imported:
            return cls(module, options.start, options, path.stem)
        from tfmbs.compiler.importers.onnx import to_torch

        to_torch(module)
        return cls(module, LEVELS[0], options, path.stem)

    def lower(self, stage: str) -> Any:
        """Runs the pipelines to `stage`, one of `STAGES`; returns the module.

        Raises:
            TfmbsError: the first error of a pass, verifier or level check; ``usage`` for an impossible stage.
        """
        if stage == self.level:
            return self.module
        names = list(sequences(self.options.precision, stage, self.level))
        with self.module.context:
            self.module.operation.attributes[PRECISION] = ir.StringAttr.get(self.options.precision)
        for name in names:
            self._run(name)
        self.level = stage
        return self.module

    def annotate(self) -> dict[str, Any]:
        """Says on the torch level what the parts of the network are for, and reports it as `annotations_of` does.

        Raises:
            TfmbsError: ``usage``, the module is at another level.
        """
        if self.level != LEVELS[0]:
            raise TfmbsError("usage", "annotations", "level of the model", LEVELS[0], self.level)
        from tfmbs.compiler.annotations import annotations_of

        Driver().run_text(self.module, f"{MODULE}({TfmbsAnnotate.pass_name()})")
        return annotations_of(self.module)

    def image(self) -> Image:
        """The binary, verified like one that is loaded; lowers the module to the fabric level first.

        Raises:
            TfmbsError: as `lower`; ``target`` where the binary asks for more than the target has.
        """
        return Image.from_buffer(write(self.container()))

    def container(self) -> Container:
        """The file of `image`, which is to be verified where it is written. Raises TfmbsError as `lower`."""
        self.lower("fabric")
        self.options.progress("emit")
        return emit(self.module)

    def text(self) -> str:
        """The module as text, with locations: a compilation that goes on from it gives the same bytes."""
        return AsmFlags(debug_info=True).text(self.module.operation)

    def _run(self, name: str) -> None:
        self.options.progress(name)
        if name == "quantize" and self.options.precision not in FLOATS:
            if self.options.quantization.channels == "equalized":
                self._drive(f"{MODULE}(tfmbs-equalize-channels)")
            self._calibrate()
        settings = {"precision": self.options.precision, "target": self.options.target}
        settings = {**settings, "numerics": self.options.numerics, **self.options.quantization.settings}
        text = sequence_text(name, settings)
        self._drive(text)
        check_level(self.module, LEVEL_AFTER.get(name, name))
        if self.options.save_temps:
            self.options.save_temps.mkdir(parents=True, exist_ok=True)
            file = self.options.save_temps / f"{self.name}.{list(PIPELINES).index(name)}-{name}.mlir"
            save(file, self.text().encode())

    def _calibrate(self) -> None:
        """Gives products what the samples, or a calibration that was made before, say about them."""
        from tfmbs.compiler.calibration.collect import Observation, calibrate
        from tfmbs.compiler.calibration.results import Calibration, read_calibration

        knobs, is_mixed = self.options.quantization, self.options.precision == MIXED
        if knobs.ranges is not None:
            self.calibration = read_calibration(Path(knobs.ranges))
            self.calibration.apply(self.module)
        if self._samples is None:
            return
        shapes = input_shapes(self.module)
        batches = [part for batch in self._samples for part in cut(batch, shapes)]
        held_out = HELD_OUT if is_mixed and len(batches) >= LEAST_HELD_OUT else 0
        start, moves = self.options.start_binary, knobs.migration is not None
        observed = Observation(
            knobs.rounding == "gptq",
            held_out,
            knobs.mask,
            start,
            channels=moves,
            observer=knobs.observer,
            symmetric=knobs.zero_point == "symmetric",
            means=knobs.biases == "corrected",
        )
        calibrate(self.module, batches, observed)
        self.calibration = Calibration.of(self.module)
        if moves:
            self._drive(f"{MODULE}(tfmbs-migrate-outliers{{alpha={knobs.migration}}})")
        if is_mixed:
            self.plan = self._plan(batches[held_out - 1 :: held_out] if held_out else batches)
            self.plan.apply(self.module)

    def _drive(self, text: str) -> None:
        checks = [self._check] if self._check else []
        Driver(observers=[*self.options.observers, *checks]).run_text(self.module, text)

    def _plan(self, batches: Sequence[Arrays]) -> Plan:
        """The plan that was given, or one that keeps the budget."""
        knobs = self.options.quantization
        if knobs.plan is not None:
            from tfmbs.compiler.mixed.plan import read_plan

            plan = read_plan(Path(knobs.plan))
            plan.check(self.options.target, knobs)
            return plan
        from tfmbs.compiler.mixed.choose import choose

        assert knobs.accuracy_budget is not None
        self.options.progress("precisions")
        return choose(self.module, batches, knobs.accuracy_budget, self.options)


FLOATS = ("fp32", "bf16")
"""Precisions whose activations stay floats, whatever samples there are."""

HELD_OUT, LEAST_HELD_OUT = 4, 8
"""Of samples for mixed precision every fourth is kept for measuring, and weights are not rounded by it, if there are so
many: rounding fits the samples that it sees better than others."""


LEVEL_AFTER = {"import": "tfmbs", "quantize": "tfmbs", "optimise": "tfmbs"}
"""The level that a sequence of `PIPELINES` ends at, where it has another name."""


def input_shapes(module: Any) -> dict[str, Shape]:
    """Shapes of the inputs of a graph-level module's one function, by name, those of state left out.

    Raises TfmbsError ``unsupported`` for a module with several.
    """
    function, *others = (op for op in module.body.operations if op.operation.name == "func.func")
    if others:
        entries = ", ".join(op.sym_name.value for op in (function, *others))
        raise TfmbsError("unsupported", "model", "samples for several entry points", "one entry point", entries)
    given = zip(function.arg_attrs, function.arguments, strict=True)
    # State has no name: it is what the model begins with.
    return {attributes[NAME].value: shape_of(argument.type) for attributes, argument in given if NAME in attributes}
