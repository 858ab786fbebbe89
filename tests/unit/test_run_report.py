"""The page of a simulated run: its markup and figures, and what it does in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, s
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import Kpu, KpuContext
from tfmbs.tools.report.look import LAUNCH_COLOURS, SCRIPT, STYLE
from tfmbs.tools.report.page import html_report
from tfmbs.tools.report.roofline import LEFT, LINKS, RIGHT, WIDTH, rooflines
from tfmbs.tools.report.stacks import MOST_BARS, bars

CHROMIUM = shutil.which("chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
HOSTILE = """</title></script><script>document.title="owned"</script>"'&<b>"""
SIZES = ((96, 64), (64, 32), (32, 128))
MACS = [96 * 64 * 48, 64 * 48 * 32, 32 * 128 * 48]


@pytest.fixture(scope="module")
def context() -> KpuContext:
    """Three products side by side, of which one has a hostile name."""
    builder = Builder("kpu-16x16")
    for number, (m, n) in enumerate(SIZES):
        x, y = builder.input(f"x{number}", (m, 48), DType.I8), builder.output(f"y{number}", (m, n), DType.I32)
        weights = builder.constant(np.ones((n, 48), np.int8))
        builder.gemm(x, weights, y, m=m, n=n, k=48, schedule=builder.schedule(tiles=(16, 16, 48)))
    image = builder.image()
    image.strings[image.descriptors[1]["name"]] = HOSTILE
    context = Kpu(image).context()
    context.run("main", {f"x{number}": np.ones((m, 48), np.int8) for number, (m, _) in enumerate(SIZES)})
    return context


@pytest.fixture(scope="module")
def page(context: KpuContext) -> str:
    return html_report(context.stats, HOSTILE, context.timing)


@pytest.fixture(scope="module")
def root(page: str) -> ET.Element:
    body = page[page.index("<body>") : page.index("<script>")] + "</body>"
    return ET.fromstring(body)  # made here


def test_the_page_is_escaped_and_loads_nothing(page: str) -> None:
    assert page.count("<script>") == 1
    assert "owned" in page
    assert '"owned"' not in page
    rest = page.replace(STYLE, "").replace(SCRIPT, "")
    assert not any(foreign in page for foreign in ("http:", "https:", "<link", "url(", "src=", "@import"))
    assert "<b>&" not in rest


def test_every_launch_is_in_bars_tables_and_rooflines(root: ET.Element, context: KpuContext) -> None:
    labels = [e.text for e in root.iter("span") if e.get("title", "").startswith(("0 ", "1 ", "2 "))]
    assert labels[:3] == ["0 launch0", f"1 {HOSTILE}", "2 launch2"]
    launches, costs = (t for t in root.iter("table") if t.get("class") == "sort")
    rows = [[cell.text for cell in row] for row in launches.iter("tr")]
    head, *body = rows
    cycles = [int(row[head.index("Cycles")].replace(",", "")) for row in body]
    total = -(-context.timing.total_ps // 500)
    assert total <= sum(cycles) <= total + 2
    assert {row[head.index("Bytes / predicted")] for row in body} == {"1.000"}  # external bytes, each operand once
    assert len(list(costs.iter("tr"))) == 1 + 3
    panels = [svg for svg in root.iter("svg") if svg.find("circle") is not None]
    assert len(panels) == 3
    for panel in panels:
        circles = panel.findall("circle")
        assert len(circles) == 3
        assert all(LEFT <= float(c.attrib["cx"]) <= WIDTH - RIGHT for c in circles)


def test_points_lie_where_their_figures_say(root: ET.Element, context: KpuContext) -> None:
    """Of two points the logarithms of intensity and speed are as far apart as on the axes, whose unit is the ridge."""
    panel = next(svg for svg in root.iter("svg") if svg.find("circle") is not None)
    launches = context.stats.to_json()["launches"]
    roof = panel.findall("path")[0].attrib["d"]
    ridge, peak = _numbers(r"L([\d.]+) ([\d.]+)H", roof)
    start, low = _numbers(r"M([\d.]+) ([\d.]+)L", roof)
    told = {c.findtext("title"): c.attrib for c in panel.findall("circle")}
    for number, launch in enumerate(launches):
        (at,) = (value for key, value in told.items() if key and key.startswith(f"{number}: "))
        moved = sum(launch["timing"]["bytes"][way] for way in ("external_to_l3", "l3_to_external"))
        # The roof's slope tells both scales: decades per pixel of x and of y.
        octaves = np.log2(2 * MACS[number] / moved / 16)
        rise = np.log2(launch["timing"]["gops"] / 1024)
        x_scale, y_scale = (ridge - start), (low - peak)
        assert (float(at["cx"]) - ridge) / x_scale * _span(panel) == pytest.approx(octaves, abs=0.02)
        assert (peak - float(at["cy"])) / y_scale * _span(panel) == pytest.approx(rise, abs=0.02)


def _span(panel: ET.Element) -> float:
    """Octaves between foot and ridge of the roof, from the numbers at the x axis."""
    numbers = [(float(e.attrib["x"]), float(str(e.text))) for e in panel.findall("text") if _is_number(e.text)]
    ticks = sorted(one for one in numbers if one[0] > LEFT)
    (x0, v0), (x1, v1) = ticks[0], ticks[-1]
    roof = panel.findall("path")[0].attrib["d"]
    start, ridge = _numbers(r"M([\d.]+) [\d.]+L([\d.]+) ", roof)
    return float((ridge - start) / (x1 - x0) * np.log2(v1 / v0))


def _numbers(pattern: str, path: str) -> list[float]:
    found = re.search(pattern, path)
    assert found is not None
    return [float(value) for value in found.groups()]


def _is_number(text: str | None) -> bool:
    return bool(text and re.fullmatch(r"[\d.]+", text))


def test_many_launches_leave_the_short_ones_to_the_table() -> None:
    rows = [(f"{number} a", {"array": float(number)}, "") for number in range(MOST_BARS + 5)]
    markup = bars(rows, str)
    assert markup.count('class="stack"') == MOST_BARS
    assert "0 a" not in re.findall(r'title="(\d+ a)"', markup)
    assert "5 launches that took less" in markup
    assert "1 launch that took less is in the table below" in bars(rows[: MOST_BARS + 1], str)


def test_columns_in_which_nothing_is_are_left_out(root: ET.Element) -> None:
    """Of these products no layer has another name than its launch, and no multiply-accumulate is left out."""
    heads = [cell.text for table in root.iter("table") if table.get("class") == "sort" for cell in table.iter("th")]
    assert "Predicted" in heads
    assert not {"Layer", "MACs not done", "Sparsity"} & set(heads)


def test_numbers_of_points_that_meet_are_in_one_place() -> None:
    """As those of the launches of a network whose layers are alike."""
    timing = {"macs": 64, "total_ps": 10, "gops": 5.0, "bytes": {way: 8 for _, ways in LINKS.values() for way in ways}}
    launches = [{"name": "same", "timing": timing | {"total_ps": 10 - i}} for i in range(7)]
    launches.append({"name": "other", "timing": timing | {"macs": 6400}})
    markup = rooflines({"peak_gops": 100.0, "gbytes_per_second": dict.fromkeys(LINKS, 10.0)}, launches)
    assert markup.count(">0, 1, 2, 3, …<") == markup.count(">7<") == len(LINKS)


BRANCHES = [
    {**s("LI", reg=1, imm=1), **c("SETVL", imm=16)},
    s("LD", DType.I32, reg=0, win=0, base=0, index=1),
    s("SGET", DType.I32, reg=2, index=0),
    c("SKIP", reg=2, imm=1),
    s("ST", DType.I32, reg=0, win=1, base=0, index=1),
    END,
]
"""Stores what it loads, where the first element is not 0."""


def branching(times: int) -> KpuContext:
    """So many launches whose control depends on values, and a product behind them."""
    builder = Builder("kpu-16x16")
    x, y = builder.input("x", (16,), DType.I32), builder.output("y", (16,), DType.I32)
    for _ in range(times):
        builder.vector(BRANCHES, [x, y])
    if times < 2:
        w, a = builder.constant(np.ones((4, 16), np.int8)), builder.input("a", (1, 16), DType.I8)
        builder.gemm(a, w, builder.output("z", (1, 4), DType.I32), m=1, n=4, k=16)
    context = Kpu(builder.image()).context()
    given = {"x": np.ones(16, np.int32), "a": np.ones((1, 16), np.int8)}
    context.run("main", {name: given[name] for name in ("x", "a")[: 3 - times]})
    return context


def test_what_has_no_prediction_is_said() -> None:
    """Blank in the table; where nothing has one, there are no such columns. No roofline without products."""
    expected = ((1, "Blank where the time depends", True), (2, "No launch has a prediction", False))
    for times, said, has_columns in expected:
        context = branching(times)
        page = html_report(context.stats, "t", context.timing)
        assert said in page
        assert ('<th class="number">Predicted</th>' in page) == has_columns
        assert ("<h2>Rooflines</h2>" in page) == has_columns


PROBE = """
<script>
const found = {errors: window.pageErrors, title: document.title, wide: document.documentElement.scrollWidth};
const table = document.querySelector("table.sort"), heads = [...table.tHead.rows[0].cells];
const column = heads.findIndex(h => h.textContent === "Cycles");
const read = () => [...table.tBodies[0].rows].map(r => parseFloat(r.cells[column].textContent.replace(/,/g, "")));
heads[column].click(); found.falling = read(); heads[column].click(); found.rising = read();
heads[1].click(); found.names = [...table.tBodies[0].rows].map(r => r.cells[1].textContent);
const svg = document.querySelector(".time svg"), box = () => svg.getAttribute("viewBox").split(" ").map(Number);
found.whole = box(); document.querySelector("button[name=in]").click(); found.zoomed = box();
document.querySelector("button[name=right]").click(); found.moved = box();
found.axis = [...document.querySelectorAll(".axis span")].map(s => s.textContent);
found.paths = svg.querySelectorAll("path").length; found.errors = window.pageErrors; found.width = innerWidth;
document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
</script>
"""


def in_browser(page: str, folder: Path, width: int, *options: str) -> str:
    (folder / "page.html").write_text(page, encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1000", *options, str(folder / "page.html"),
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@NEEDS_CHROMIUM
@pytest.mark.parametrize("width", [1440, 500])  # headless windows are not narrower than 500
def test_sorting_and_zooming_in_a_browser(page: str, tmp_path: Path, width: int) -> None:
    watch = "<script>window.pageErrors = []; onerror = text => window.pageErrors.push(String(text));</script>"
    probed = page.replace("<title>", watch + "<title>", 1).replace("</body>", PROBE + "</body>")
    dom = in_browser(probed, tmp_path, width, "--dump-dom")
    text = dom[dom.index("FOUND") + 5 : dom.rindex("END")]
    found: dict[str, Any] = json.loads(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert found["errors"] == []
    assert found["title"].startswith("</title>")
    assert found["wide"] <= found["width"]
    assert found["falling"] == sorted(found["falling"], reverse=True)
    assert found["rising"] == sorted(found["falling"])
    assert sorted(found["names"]) == sorted(["launch0", HOSTILE, "launch2"])
    assert found["whole"][:3] == [0, 0, 10_000]
    assert found["zoomed"][:3] == [2500, 0, 5000]
    assert found["moved"][:3] == [5000, 0, 5000]
    assert all(text.endswith("µs") for text in found["axis"])
    assert found["paths"] >= 3 * 4


@NEEDS_CHROMIUM
def test_the_picture_has_the_colours_of_launches(page: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    in_browser(page, tmp_path, 1440, f"--screenshot={tmp_path / 'page.png'}", "--window-size=1440,2400")
    pixels = np.asarray(image.open(tmp_path / "page.png").convert("RGB")).reshape(-1, 3)
    for colour in LAUNCH_COLOURS[:3]:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == rgb).all(axis=1).sum() > 200, colour
