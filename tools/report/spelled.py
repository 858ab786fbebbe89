"""Numbers with their units, as people read them."""

from __future__ import annotations

from tfmbs.runtime.measured.overlap import OVERLAPS

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value: float, unit: str = "") -> str:
    """Three digits and a prefix: 12.1 M, 410 kB."""
    for factor, prefix in PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}".rstrip()
    return f"{value:.3g} {unit}".rstrip()


def plain(value: float) -> str:
    """Four digits, or all before the point: 1,048,576."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def seconds(ps: float) -> str:
    """A time."""
    for factor, unit in ((1e12, "s"), (1e9, "ms"), (1e6, "µs"), (1e3, "ns")):
        if ps >= factor:
            return f"{ps / factor:.4g} {unit}"
    return f"{ps:.4g} ps"


def joules(pj: float) -> str:
    """An energy."""
    for factor, unit in ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")):
        if pj >= factor:
            return f"{pj / factor:.3g} {unit}"
    return f"{pj:.3g} pJ"


def percent(part: float) -> str:
    """A share of 1."""
    return f"{100 * part:.1f} %"


def words(name: str) -> str:
    """A key as words: fill and drain."""
    names = {"dma": "DMA", "block_mover": "BlockMover", "streamer": "Streamer", "vector": "vector engine"}
    names |= {"l1": "L1", "l2": "L2", "l3": "L3", "external": "external memory"}
    if name.startswith("waiting_"):
        return f"waiting: {words(name.removeprefix('waiting_'))}"
    if name in OVERLAPS:
        return name.replace("_", " + ")
    return names.get(name, name.replace("_", " "))
