"""Launches of a program one by one on the simulator, beside what the closed model predicts of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import median

from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.devices.kpu import Kpu, predicted
from tfmbs.tools.bench.simulated.result import Simulated
from tfmbs.tools.bench.simulated.workload import Made

HEAD = ("kind", "launches", "cycles: median", "worst", "external bytes: median", "worst")


@dataclass(frozen=True)
class Alone:
    """A launch without the others: cycles of the core clock and bytes of external memory, simulated and predicted."""

    kind: str
    cycles: int
    external: int
    predicted_cycles: int
    predicted_external: int

    @property
    def errors(self) -> tuple[float, float]:
        """How far predictions are off, as shares of what was simulated."""
        return (
            abs(self.predicted_cycles / self.cycles - 1),
            abs(self.predicted_external / self.external - 1),
        )


def alone(made: Made, found: Simulated) -> Iterator[Alone]:
    """All launches that have a prediction, each simulated on zeros, the program's inputs and its weights: what a launch
    takes depends on none, or there is no prediction. The only launch of a program was so in its run.
    """
    if len(found.launches) == 1:
        (one,) = found.launches
        if one.predicted:
            yield Alone(one.kind, one.cycles, one.external_bytes, one.predicted, one.predicted_external_bytes)
        return
    image, predictions = made.program.image, predicted(made.program.image)
    entry, arrays = made.program.accepted.arrays(made.model.inputs, None)
    record = next(one for one in image.entries if image.strings[one["name"]] == entry.name)
    for number in range(record["first_descriptor"], record["first_descriptor"] + record["descriptor_count"]):
        prediction = predictions[number]
        if not isinstance(prediction, Prediction):
            continue
        only = {**record, "first_descriptor": number, "descriptor_count": 1}
        context = Kpu(replace(image, entries=[only], file=None)).context()
        context.run(entry.name, arrays)
        stats = context.stats
        assert stats.measured is not None
        (launch,), (measures,) = stats.launches, stats.measured.launches
        yield Alone(launch.kind, launch.cycles, measures.external_bytes(), prediction.cycles, prediction.external_bytes)


def by_kind(launches: Iterable[Alone]) -> list[tuple[str, ...]]:
    """How good predictions are: a row per kind, with `HEAD`."""
    kinds: dict[str, list[tuple[float, float]]] = {}
    for one in launches:
        kinds.setdefault(one.kind, []).append(one.errors)
    rows: list[tuple[str, ...]] = [HEAD]
    for kind, errors in sorted(kinds.items()):
        columns = [f"{100 * what(each):.1f} %" for each in zip(*errors, strict=True) for what in (median, max)]
        rows.append((kind, str(len(errors)), *columns))
    return rows
