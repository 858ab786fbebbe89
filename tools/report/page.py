"""The report of a run: rooflines, where the time went, a timeline, traffic, energy, and a row for each launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tfmbs.compiler.html import facts, page, section
from tfmbs.runtime.measured.energy import COMPONENTS
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.timing import Timing
from tfmbs.tools.report.look import SCRIPT, STYLE
from tfmbs.tools.report.roofline import rooflines
from tfmbs.tools.report.spelled import amount, joules, percent, plain, seconds, words
from tfmbs.tools.report.stacks import bars, whole
from tfmbs.tools.report.tables import cost_table, launch_table, level_table
from tfmbs.tools.report.tracks import tracks


def html_report(stats: Stats, title: str, timing: Timing | None = None) -> str:
    """The page; `timing` is that of a simulated run. It loads nothing, and every name in it is escaped."""
    value = stats.to_json()
    parts = _simulated(stats, value, timing) if timing is not None and stats.measured else []
    where = "" if parts else f" Wall time is that of this machine, {value['totals']['wall_ns'] / 1e6:,.3f} ms in all."
    parts.append(
        section(
            "Cost figures", f"Of the fabric, by counters that start at zero for each launch.{where}", cost_table(value)
        )
    )
    known = {name: f"{one['unit']}: {one['meaning']}" for name, one in value["definitions"].items()}
    parts.append(section("Definitions", "", f"<details><summary>All figures</summary>{facts(known)}</details>"))
    return page(f"{title}: {stats.entry} on {stats.device}", *parts, style=STYLE, script=SCRIPT)


def _simulated(stats: Stats, value: dict[str, Any], run: Timing | None) -> list[str]:
    timing, machine, launches = value["timing"], value["machine"], value["launches"]
    profile = value["energy_profile"]
    assert run is not None
    return [
        _tiles(value),
        *_rooflines(machine, launches),
        section(
            "Where the time went",
            "The critical path: what each moment of the run was spent on, back from its end. Only what is on it can "
            "make the run shorter.",
            whole(timing["critical_ps"], seconds),
            bars([_critical(i, one, timing["total_ps"]) for i, one in enumerate(launches)], seconds),
        ),
        section(
            "Arrays",
            "What the arrays did: multiply-accumulates; elements outside of the product (ragged), filling and "
            "draining; bubbles by what was waited for; a barrier is an earlier launch.",
            whole(_array_time(timing), seconds),
        ),
        section("Overlap", "What goes on at the same time.", whole(timing["overlap_ps"], seconds)),
        section("Timeline", "Wheel or buttons zoom, dragging moves; colours are launches.", tracks(run, stats)),
        section("Traffic", _traffic(timing), level_table(timing)),
        section(
            "Energy",
            f"By profile {profile['profile']}. Source: {profile['source'].rstrip('.')}.",
            whole({name: timing["energy_pj"][name] for name in COMPONENTS}, joules),
            "<details><summary>Launches</summary>",
            bars([_energy(i, one) for i, one in enumerate(launches)], joules),
            "</details>",
        ),
        section(
            "Launches",
            f"Cycles are those on the critical path; they sum to the run. {_predicted(launches)} Click a heading to "
            "sort.",
            launch_table(launches, timing["total_ps"]),
        ),
    ]  # fmt: skip


def _rooflines(machine: dict[str, Any], launches: Sequence[dict[str, Any]]) -> list[str]:
    if not any(launch["timing"]["macs"] for launch in launches):
        return []
    return [
        section(
            "Rooflines",
            "Launches with multiply-accumulates under the peak and under the bandwidth of each link; larger: more of "
            "the run. One above a slope had its operands brought while an earlier one ran. Numbers are those of the "
            "table.",
            rooflines(machine, launches),
        )
    ]


def _predicted(launches: Sequence[Mapping[str, Any]]) -> str:
    """Of the columns with predictions: what they are, and where they have none."""
    known = [launch["predicted_cycles"] > 0 for launch in launches]
    if not any(known):
        return "No launch has a prediction: their times depend on values."
    some = "" if all(known) else " Blank where the time depends on values."
    return f"Predicted: by the closed model that schedules are chosen with, of the launch alone.{some}"


def _critical(number: int, launch: Mapping[str, Any], total: int) -> tuple[str, Mapping[str, float], str]:
    timing = launch["timing"]
    share = percent(timing["total_ps"] / total if total else 0.0)
    return f"{number} {launch['name']}", timing["critical_ps"], f"{seconds(timing['total_ps'])}, {share}"


def _energy(number: int, launch: Mapping[str, Any]) -> tuple[str, Mapping[str, float], str]:
    spent = launch["timing"]["energy_pj"]
    return f"{number} {launch['name']}", {name: spent[name] for name in COMPONENTS}, joules(spent["total"])


def _array_time(timing: Mapping[str, Any]) -> dict[str, float]:
    """Picoseconds of all arrays; busy ones are cut by what their elements did."""
    slots, spent = timing["slots"], dict(timing["arrays_ps"])
    busy, all_slots = spent.pop("busy"), sum(slots.values()) or 1
    return {name: busy * count / all_slots for name, count in slots.items()} | spent


def _traffic(timing: Mapping[str, Any]) -> str:
    external = timing["levels"]["external"]
    moved = external["read_bytes"] + external["written_bytes"]
    return (
        f"External memory moved {moved:,} bytes: {timing['traffic_ratio']:.3g} times what its launches need if each "
        f"moves its operands and results once, {timing['network_traffic_ratio']:.3g} times inputs, weights and outputs "
        "of the network. MACs per byte are the reuse."
    )


def _tiles(value: dict[str, Any]) -> str:
    timing, machine = value["timing"], value["machine"]
    used, energy = timing["utilization"], timing["energy_pj"]["total"]
    total = timing["total_ps"]
    limit = max(timing["critical_ps"], key=lambda name: timing["critical_ps"][name])
    modes = sorted({launch["zero_skip_mode"].lower() for launch in value["launches"] if launch["timing"]["macs"]})
    left_out = timing["gated_macs"] + timing["skipped_macs"]
    external = machine["gbytes_per_second"]["external"]
    tiles = [
        ("Cycles", f"{timing['cycles']:,}", f"{seconds(total)} at {machine['core_mhz']:g} MHz, {machine['target']}"),
        ("Most of the time", words(limit), percent(timing["critical_ps"][limit] / total if total else 0.0)),
        ("Of peak", percent(used["array_macs"]), f"{plain(timing['gops'])} of {plain(machine['peak_gops'])} GOPS"),
        ("Arrays busy", percent(used["array"]), f"vector engines {percent(used['vector'])}"),
        (
            "External memory busy",
            percent(used["external"]),
            f"{machine['external_kind']}, {external:g} GB/s, traffic {timing['traffic_ratio']:.3g} × least",
        ),
        (
            "Energy",
            joules(energy),
            f"{energy / total if total else 0.0:.3g} W, {timing['operations_per_pj']:.3g} operations per pJ, "
            f"{value['energy_profile']['profile']}",
        ),
        (
            "Zero skip",
            ", ".join(modes) or "none",
            f"{amount(left_out)} of {amount(timing['dense_macs'])} multiply-accumulates not done, "
            f"{joules(timing['gated_pj'])} saved"
            if left_out
            else f"all of {amount(timing['dense_macs'])} multiply-accumulates done",
        ),
        (
            "Fabric cost",
            amount(value["totals"]["fabric_cost"]),
            f"semantic efficiency {value['totals']['semantic_efficiency']:.3g}, "
            f"economic {value['totals']['economic_efficiency']:.3g}",
        ),
    ]
    parts = (
        f'<div class="tile"><span class="what">{escape(what)}</span><b>{escape(said)}</b>'
        f'<span class="more">{escape(more)}</span></div>'
        for what, said, more in tiles
    )
    return f'<div class="tiles">{"".join(parts)}</div>'
