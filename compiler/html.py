"""Self-contained HTML pages: the one look of all reports. Everything is escaped; nothing is loaded from elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --card: #f7f9fb; --mark: #2563a8; --light: #b9cfe8 }
:root { --bad: #c2382e; --page: #fff; color-scheme: light dark }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e8ef; --soft: #9aa7b8; --line: #333d4b; --card: #1b222c; --mark: #6ea8e6; --light: #34506f }
  :root { --bad: #f0786e; --page: #12171e }
}
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: var(--ink); background: var(--page) }
@media (max-width: 40rem) { body { margin: 1rem } h1 { overflow-wrap: anywhere } }
h1 { font-size: 1.5rem; margin: 0 0 1rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
h3 { font-size: 1rem; margin: 0 0 .3rem } p { color: var(--soft); margin: .2rem 0 .8rem; max-width: 60rem }
.wide { overflow-x: auto; margin-bottom: 1.4rem } table { border-collapse: collapse; font-size: 13px }
th { color: var(--soft); font-weight: 600; white-space: nowrap }
th, td { text-align: left; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr.bad td { color: var(--bad); font-weight: 600 }
dl { display: grid; grid-template-columns: max-content auto; gap: .15rem 1.2rem; margin: 0 0 1.4rem }
dt { color: var(--soft) } dd { margin: 0 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)); gap: 1rem }
.cards { max-width: 90rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem }
.card dl { font-size: 13px; margin-bottom: .6rem } .pair { display: flex; flex-wrap: wrap; gap: 1rem }
svg { display: block; max-width: 100%; margin-bottom: .8rem; font: 11px system-ui, sans-serif }
.card svg { margin: 0 } svg text { fill: var(--ink) }
svg .soft { fill: var(--soft) } svg .mark { fill: var(--mark) } svg .light { fill: var(--light) }
svg .bad { fill: var(--bad) } svg .outside { fill: var(--bad); opacity: .12 }
svg .axis { stroke: var(--line) } svg .step { fill: none; stroke: var(--mark); stroke-width: 1.3 }
"""


def page(title: str, *parts: str, style: str = "", script: str = "") -> str:
    """A page of parts, which are markup already; `style` and `script` are added to it as they are, and hold no data."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style>"
    )
    code = f"<script>{script}</script>" if script else ""
    body = "\n".join((f"<h1>{escape(title)}</h1>", *filter(None, parts), code))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def section(title: str, text: str, *parts: str) -> str:
    """A heading, what is to be known of the parts below it, and the parts."""
    words = f"<p>{escape(text)}</p>" if text else ""
    return "\n".join((f"<h2>{escape(title)}</h2>{words}", *parts))


def part(title: str, *parts: str) -> str:
    """A smaller heading, and the parts."""
    return "\n".join((f"<h3>{escape(title)}</h3>", *parts))


def facts(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Names and what they are."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in pairs)}</dl>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[int] = (),
    bad: Iterable[int] = (),
    kind: str = "",
) -> str:
    """A table; `numbers` are the columns that are aligned as such, `bad` the rows that are marked, `kind` its class."""
    columns, marked = frozenset(numbers), frozenset(bad)

    def cells(values: Sequence[str], tag: str) -> str:
        kinds = (' class="number"' if index in columns else "" for index in range(len(values)))
        return "".join(f"<{tag}{kind}>{escape(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))

    kinds = (' class="bad"' if index in marked else "" for index in itertools.count())
    body = "\n".join(f"<tr{mark}>{cells(row, 'td')}</tr>" for row, mark in zip(rows, kinds, strict=False))
    which = f' class="{kind}"' if kind else ""
    heads = f"<thead><tr>{cells(head, 'th')}</tr></thead>"
    return f'<div class="wide"><table{which}>{heads}<tbody>\n{body}\n</tbody></table></div>'


def cards(items: Iterable[str]) -> str:
    """Parts beside and below each other."""
    return f'<div class="cards">{"".join(items)}</div>'


def card(title: str, values: Mapping[str, str], *parts: str) -> str:
    """A heading, facts, and parts in a row."""
    return f'<div class="card"><h3>{escape(title)}</h3>{facts(values)}<div class="pair">{"".join(parts)}</div></div>'
