"""The writer of pages and charts: escaped, well-formed, self-contained, and drawn to scale."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tfmbs.compiler.charts import Bar, Histogram, bars, histogram
from tfmbs.compiler.html import card, cards, facts, page, part, section, table


def test_pages_are_escaped_and_load_nothing() -> None:
    rows = [("<a>", "1"), ("&", "2")]
    content = [facts({"<n>": "<v>"}), section("<s>", "<t>", part("<p>", table(("<h>", "n"), rows, [1], bad=[1])))]
    text = page("<title>", *content, cards([card("<c>", {"k": "<w>"}, bars([Bar("<l>", 1, "<x>")]))]), "")
    for raw in ("<a>", "<n>", "<v>", "<s>", "<t>", "<p></h3>", "<title></h1>", "<c>", "<w>", "<l>", "<x>"):
        assert raw not in text
    assert not any(foreign in text for foreign in ("http:", "https:", "<script", "<link", "url(", "src="))
    body = text[text.index("<body>") : text.index("</body>")] + "</body>"
    root = ET.fromstring(body)  # made here
    assert [row.get("class") for row in root.iter("tr")] == [None, None, "bad"]
    assert [cell.get("class") for cell in root.iter("td")] == [None, "number"] * 2


def rectangles(svg: str) -> list[tuple[str, float, float]]:
    """Class, width and height of each rectangle."""
    found = ET.fromstring(svg).iter("rect")  # made here
    return [(r.attrib["class"], float(r.attrib["width"]), float(r.attrib["height"])) for r in found]


def test_bars_are_as_long_as_their_values() -> None:
    rows = [
        Bar("a", 10, ""),
        Bar("b", 40, "", bad=True),
        Bar("c", math.inf, ""),
        Bar("d", -3, ""),
        Bar("e", math.nan, ""),
    ]
    (a, b, c, d, e) = rectangles(bars(rows))
    assert a[1] == pytest.approx(b[1] / 4)
    assert (a[0], b[0], c[0]) == ("mark", "bad", "light")
    assert c[1] == b[1]
    assert d[1] == e[1] == 0
    (half,) = rectangles(bars([Bar("a", 0.5, "")], top=1.0))
    assert half[1] == pytest.approx(b[1] / 2, rel=1e-3)
    assert "<svg" in bars([])


def test_histograms_count_finite_values_by_their_logarithm() -> None:
    values = np.array([0, 0, 0, 1, 2, math.nan, math.inf], np.float32)
    found = Histogram.of(values, bins=2)
    assert (found.low, found.high) == (0, 2)
    assert found.counts.tolist() == [3, 2]
    tall, short = rectangles(histogram("h", found))
    assert short[2] / tall[2] == pytest.approx(math.log(3) / math.log(4), abs=0.01)
    shaded = [r for r in rectangles(histogram("h", found, found, span=(-1, 1.5))) if r[0] == "outside"]
    assert [r[1] for r in shaded] == [0, pytest.approx(tall[1] / 2, abs=0.1)]


def test_histograms_of_nothing_and_of_one_value_have_a_width() -> None:
    for values in (np.zeros(0, np.float32), np.full(3, 7, np.float32)):
        found = Histogram.of(values)
        assert found.high - found.low == 1
        assert found.counts.sum() == len(values)
        assert "nan" not in histogram("h", found)
