"""How the report of a run looks and what it does: style and script of its page, without any data."""

from __future__ import annotations

from tfmbs.runtime.measured.overlap import OVERLAPS
from tfmbs.runtime.measured.path import CLASSES

ENGINE_COLOURS = ("#c98a1b", "#6b9b37", "#1f9e96", "#2f6fd0", "#8e5bd0", "#d1495b")
"""In the order of `CLASSES`: DMA, BlockMover, Streamer, array, vector engine, external memory."""
OTHER_COLOURS = {
    "useful": "#2f6fd0", "busy": "#2f6fd0", "ragged": "#8fb3e8", "fill_and_drain": "#5b8fdc", "barrier": "#7a8594",
    "idle": "#b4bdc9", "l1": "#1f9e96", "l2": "#6b9b37", "l3": "#c98a1b",
}  # fmt: skip
OVERLAP_COLOURS = ("#b4bdc9", "#e0a93a", "#c77b4a", "#d1495b", "#2f6fd0", "#4a93c9", "#7f6fd6", "#3aa58f")
LAUNCH_COLOURS = ("#2f6fd0", "#e08b2d", "#3a9e6b", "#c8506a", "#8e5bd0", "#8a9a2b", "#1f9e96", "#b06a3b")
"""Of launches, in turn."""


def colour(name: str) -> str:
    """The colour of a class of time or energy, whose name may begin with `waiting_`."""
    plain = name.removeprefix("waiting_")
    known = dict(zip(CLASSES, ENGINE_COLOURS, strict=True)) | dict(zip(OVERLAPS, OVERLAP_COLOURS, strict=True))
    known |= OTHER_COLOURS
    return known[plain]


STYLE = """
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 45%), 1fr)); gap: .8rem }
.tiles { max-width: 80rem }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem }
.tile b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums } .tile span { color: var(--soft) }
.tile .what { font-size: 12px } .tile .more { font-size: 12px; display: block }
.roofs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem }
.roofs { max-width: 96rem } .roofs svg { width: 100%; height: auto } .grid { stroke: var(--line) }
.roof { fill: none; stroke: var(--ink); stroke-width: 1.5 }
.point { stroke: var(--page); stroke-width: 1; opacity: .85 }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: 12px; margin: .2rem 0 .9rem }
.legend { color: var(--soft) }
.legend i { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .35rem }
.legend i { vertical-align: -1px } .legend b { color: var(--ink); font-weight: 600 }
.stack { display: flex; height: 20px; border-radius: 3px; overflow: hidden; background: var(--card) }
.stack i { display: block; height: 100% } .whole { max-width: 80rem; margin: .4rem 0 }
.bars { display: grid; grid-template-columns: minmax(6rem, 15rem) 1fr max-content; gap: 3px .8rem; font-size: 12px }
.bars { align-items: center; max-width: 80rem } .bars .stack { height: 15px; background: none }
.bars span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.bars .soft { color: var(--soft); font-variant-numeric: tabular-nums; text-align: right }
@media (max-width: 40rem) {
  .bars { grid-template-columns: 1fr max-content; grid-auto-flow: dense } .bars .stack { grid-column: 1 / -1 }
}
.time { display: grid; grid-template-columns: max-content 1fr; font-size: 11px; max-width: 110rem }
.time .names div { height: 18px; line-height: 18px; padding-right: .6rem; color: var(--soft); white-space: nowrap }
.time svg { width: 100%; margin: 0; background: var(--card); touch-action: pan-y; cursor: grab; max-width: none }
.time .axis { display: flex; justify-content: space-between; color: var(--soft); font-variant-numeric: tabular-nums }
.tools { margin: 0 0 .4rem } .tools button { font: inherit; padding: .1rem .7rem; margin-right: .3rem }
.tools button { color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 4px }
table.sort th, table.totals th { white-space: normal; vertical-align: bottom }
table.totals td { white-space: nowrap }
table.sort th { cursor: pointer } table.sort th[data-way]::after { content: " ▲" }
table.sort th[data-way="-1"]::after { content: " ▼" }
div.wide:has(table.sort) { max-height: 80vh; overflow-y: auto }
table.sort thead th { position: sticky; top: 0; background: var(--page) }
table.sort tbody tr:hover td { background: var(--card) }
table.sort td { white-space: nowrap; max-width: 18rem; overflow: hidden; text-overflow: ellipsis }
details { margin: .6rem 0 } summary { cursor: pointer; color: var(--soft) }
"""

SCRIPT = r"""
"use strict";
for (const table of document.querySelectorAll("table.sort")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], text = (row, i) => row.cells[i].textContent;
  const number = s => s.trim() === "" ? -Infinity : parseFloat(s.replace(/,/g, ""));
  heads.forEach((head, i) => {
    head.tabIndex = 0;
    const sort = () => {
      const way = head.dataset.way === "-1" ? 1 : head.dataset.way === "1" ? -1 : head.className === "number" ? -1 : 1;
      heads.forEach(other => delete other.dataset.way);
      head.dataset.way = way;
      const rows = [...body.rows], isNumber = head.className === "number";
      const order = (a, b) => isNumber ? number(a) - number(b) || 0 : a.localeCompare(b);
      rows.sort((a, b) => way * order(text(a, i), text(b, i)));
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", e => { if (e.key === "Enter") sort(); });
  });
}
for (const time of document.querySelectorAll(".time")) {
  const svg = time.querySelector("svg"), [from, to] = time.querySelectorAll(".axis span");
  const whole = svg.viewBox.baseVal.width, tall = svg.viewBox.baseVal.height, total = parseFloat(svg.dataset.us);
  let left = 0, width = whole;
  const show = () => {
    width = Math.min(whole, Math.max(whole / 2000, width));
    left = Math.min(whole - width, Math.max(0, left));
    svg.setAttribute("viewBox", `${left} 0 ${width} ${tall}`);
    const at = x => `${(x / whole * total).toPrecision(6)} µs`;
    from.textContent = at(left);
    to.textContent = at(left + width);
  };
  const zoom = (factor, share) => { left += width * share * (1 - factor); width *= factor; show(); };
  const share = e => { const box = svg.getBoundingClientRect(); return (e.clientX - box.left) / box.width; };
  const wheel = e => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, share(e)); };
  svg.addEventListener("wheel", wheel, { passive: false });
  svg.addEventListener("pointerdown", e => { svg.setPointerCapture(e.pointerId); svg.dataset.x = e.clientX; });
  svg.addEventListener("pointerup", () => delete svg.dataset.x);
  svg.addEventListener("pointermove", e => {
    if (svg.dataset.x === undefined) return;
    left -= (e.clientX - svg.dataset.x) / svg.getBoundingClientRect().width * width;
    svg.dataset.x = e.clientX;
    show();
  });
  const ways = { in: () => zoom(0.5, 0.5), out: () => zoom(2, 0.5), left: () => { left -= width / 2; show(); },
                 right: () => { left += width / 2; show(); }, whole: () => { left = 0; width = whole; show(); } };
  for (const button of time.parentNode.querySelectorAll("button")) button.addEventListener("click", ways[button.name]);
}
"""
