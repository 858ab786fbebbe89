"""The schedule of a binary's programs for people: words by cycle and slot, loops beside their bounds, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tfmbs.runtime.abi.asm.rows import quoted
from tfmbs.runtime.abi.asm.words import slot_texts
from tfmbs.runtime.abi.errors import one_line
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.origins import word_origins
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw import OP_BY_NAME
from tfmbs.runtime.abi.siw_loops import LoopView, view_schedule
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target

_END = OP_BY_NAME["C", "END"].name


def schedules(image: Image) -> str:
    """The listing of all programs, by the timing of the target in the binary.

    A word stands with its number, the cycle in which it issues (from the start of its innermost loop's trip when that
    is steady, marked with a bar; else from the start of the program, where loops run a few times only), the operations
    of slots D, S and C, its waits, and where its operations come from (slots from the same place once). Programs name
    the sources of the launches that run them; what the words come from is as the first of these has it.
    """
    timing = Timing.of(Target.from_dict(image.target, "TARGET").vector)
    return "\n".join(line for number in range(len(image.programs)) for line in _program(image, number, timing)) + "\n"


def _program(image: Image, number: int, timing: Timing) -> Iterator[str]:
    row = image.programs[number]
    words = image.words[row["first_word"] : row["first_word"] + row["word_count"]]
    view = view_schedule(words, ProgramKind(row["kind"]), timing)
    starts = {loop.first: loop for loop in view.loops}
    yield f"program {number} {quoted(image.strings[row['name']])}: {len(words)} words"
    yield from (f"  from {one_line(source)}" for source in _sources(image, number))
    inside = 0
    texts = [slot_texts(word) for word in words]
    origins = word_origins(image, number)
    widths = [max(len(columns[column]) for columns in texts) for column in range(4)]
    for at, (columns, cycle, places) in enumerate(zip(texts, view.cycle, origins, strict=True)):
        if at in starts:
            yield f"  loop: {_loop_text(starts[at])}"
            inside = starts[at].last + 1
        mark = "|" if at < inside else " "
        line = "  ".join(f"{text:{width}}" for text, width in zip(columns, widths, strict=True))
        origin = _origin_text(dict(zip(places, columns, strict=False)), places)
        yield f"{at:6} {mark}{'-' if cycle is None else cycle:>6}  {line}  {origin}".rstrip()
    yield ""


def _origin_text(operations: Mapping[str, str], places: Mapping[str, str]) -> str:
    """Where the operations of a word come from, by slot: one place, or each with its slots. END is everybody's."""
    slots: dict[str, str] = {}
    for slot, text in operations.items():
        if text and text != _END:
            slots[places[slot]] = slots.get(places[slot], "") + slot
    named = [one_line(place if len(slots) == 1 else f"{of} {place}") for place, of in slots.items() if place]
    return f"; {', '.join(named)}" if named else ""


def _sources(image: Image, program: int) -> list[str]:
    """Source locations of the launches that run a program, each once."""
    users = {n for n, row in enumerate(image.descriptors) if row["program"] == program}
    found = [image.strings[row["location"]] for row in image.debug if row["descriptor"] in users]
    return list(dict.fromkeys(found))


def _loop_text(loop: LoopView) -> str:
    if not loop.interval:
        return f"one trip, bound {loop.bound} cycles"
    busy = ", ".join(f"{slot} {100 * cycles / loop.interval:.0f} %" for slot, cycles in loop.busy.items())
    share = 100 * loop.bound / loop.interval
    return (
        f"II {loop.interval:g} cycles, {share:.0f} % of its bound (resources {loop.resource}, recurrence "
        f"{loop.recurrence}); {loop.operations_per_cycle:.2f} operations per cycle; {busy}"
    )
