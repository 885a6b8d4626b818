"""The roofline: what a device can compute at each arithmetic intensity, and where operators stand below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.costs.machine import MEMORY
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import (
    Drawing,
    Results,
    drawing,
    hover,
    label,
    new,
    quantity,
    share,
)
from llmperf.interfaces.results import Estimate
from llmperf.numeric import Real
from llmperf.outputs import RESOURCES
from llmperf.phases.breakdown import Operator, operators
from llmperf.phases.memory import sharers
from llmperf.phases.placement import Share, bandwidths, tier_order

PHASES = ("prefill", "decode")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit of one device: a peak of an engine in a dtype [FLOP/s], or the bandwidth of a tier or link [B/s]."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Point:
    """An operator on the roofline.

    Attributes
    ----------
    intensity : float
        Operations over the bytes that it moves to and from memory. [FLOP/B]
    roofline, projection : float
        Rate at the peaks, and as projected. [FLOP/s]
    """

    phase: str
    operator: Operator
    intensity: float
    roofline: float
    projection: float


def points(result: Estimate) -> list[Point]:
    """The operators of both phases that compute and move something; collectives only move, and have no place here."""
    found = []
    for phase in PHASES:
        if result.bottleneck[phase] is None:
            continue
        for row in operators(getattr(result.evaluated[0], phase)):
            flops = row.flops or row.vector_flops
            # the roofline of experts is that of their weights: what they compute on stays on the chip
            moved = row.weight_bytes if row.kind == "moe" else row.bytes
            if flops > 0.0 and moved > 0.0 and row.time_s > 0.0:
                ideal = flops / row.roofline_s if row.roofline_s > 0.0 else flops / row.time_s
                found.append(Point(phase, row, flops / moved, ideal, flops / row.time_s))
    return found


def peaks(result: Estimate) -> list[Ceiling]:
    """Peaks of the engines and dtypes that the operators compute in, the highest first."""
    machine = result.evaluated[0].setup.machine
    found: dict[str, float] = {}
    for point in points(result):
        row = point.operator
        if row.flops > 0.0:
            engine = machine.runs(row.kind).engine
            name = row.dtype if engine == "matrix" else f"{row.dtype} ({engine})"
            found[name] = _number(machine.peaks(row.kind, (row.dtype,)))
        elif machine.vector_peak is not None:
            found["vector"] = _number(machine.vector_peak)
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [Ceiling(name, value) for name, value in ordered]


def tiers(result: Estimate, hierarchical: bool = False) -> list[Ceiling]:
    """Bandwidths that feed one device, the fastest first.

    Parameters
    ----------
    result : Estimate
    hierarchical : bool
        With every tier and link that the hardware has; without, the cache, the memory, and tiers that are in use.
    """
    scenario = result.scenario
    hardware = scenario.hardware
    used = set(tier_order(scenario)) | {engine.reads for engine in hardware.engines.values() if engine.reads}
    found: dict[str, float] = {}
    for name, tier in hardware.tiers.items():
        if tier.kind in MEMORY and tier.kind not in ("main", "internal"):
            if name in used or hierarchical:
                way = Share(name, tier, 0.0, 0.0, 0.0, 0.0)
                rates = bandwidths(hardware, way, sharers(scenario, tier)).values()
                found[name] = min((_number(rate) for rate in rates), default=np.inf)
        elif tier.bandwidth is not None:
            found[name] = _number(tier.bandwidth)
    if hierarchical:
        found |= {name: _number(link.bandwidth) for name, link in hardware.links.items()}
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [Ceiling(name, value) for name, value in ordered if np.isfinite(value)]


def roofline(results: Results, hierarchical: bool = False) -> Drawing:
    """The rooflines of one or several results, with their operators.

    Parameters
    ----------
    results : mapping of str to Estimate
        By label; each of one configuration. The roofs of equal chips are drawn once.
    hierarchical : bool
        With the roofs of every tier and link, not only of those that are in use.
    """
    figure = new(theme.HEIGHT + 80)
    found = {name: points(result) for name, result in results.items()}
    everywhere = [point for each in found.values() for point in each]
    roofs = _distinct(results, hierarchical)
    low, high = _range(everywhere, roofs)
    several = len(roofs) > 1
    for index, (chip, (compute, memory)) in enumerate(roofs.items()):
        _roofs(figure, chip if several else "", compute, memory, (low, high), index)
    for index, (name, each) in enumerate(found.items()):
        _operators(figure, name if len(found) > 1 else "", each, index)
    figure.update_xaxes(type="log", title_text="arithmetic intensity [FLOP/B]", range=np.log10([low, high]).tolist())
    figure.update_yaxes(type="log", title_text="rate of one device [FLOP/s]", tickformat="~s")
    caption = (
        "Lines are what a device can reach at an arithmetic intensity: slopes by the bandwidth of a tier, flats by the "
        "peak of a dtype, rings where the two meet. Each operator stands twice: hollow at its roofline, where it "
        "would run at the peaks, and filled where it is projected, sized by its share of the phase's device time. "
        "Collectives compute nothing and are not drawn."
    )
    head = ("operator", "FLOP/B", "at the roofline", "projected", "of the roofline", "share of the phase", "limited by")
    rows = [*_ridge_rows(roofs), *(row for name, each in found.items() for row in _point_rows(name, each, len(found)))]
    return drawing("roofline", "Roofline", caption, figure, head, rows)


Roofs = dict[str, tuple[list[Ceiling], list[Ceiling]]]


def _distinct(results: Results, hierarchical: bool) -> Roofs:
    """Roofs by chip: all peaks that any result of it computes in, and its tiers."""
    out: Roofs = {}
    for result in results.values():
        chip = result.scenario.hardware.name
        compute, memory = out.get(chip, ([], []))
        out[chip] = _merged(compute, peaks(result)), _merged(memory, tiers(result, hierarchical))
    return out


def _merged(one: list[Ceiling], other: list[Ceiling]) -> list[Ceiling]:
    return sorted({ceiling.name: ceiling for ceiling in (*one, *other)}.values(), key=lambda c: -c.value)


def _range(found: list[Point], roofs: Roofs) -> tuple[float, float]:
    """The intensities to show: those of the operators and of the ridges between the fastest dtype and main tiers."""
    shown = [point.intensity for point in found]
    shown += [c.value / m.value for compute, memory in roofs.values() for c in compute[:1] for m in memory[:2]]
    return min(shown, default=0.1) / 3.0, max(shown, default=1000.0) * 4.0


def _roofs(
    figure: Any, chip: str, compute: list[Ceiling], memory: list[Ceiling], ends: tuple[float, float], index: int
) -> None:
    """The lines of one chip and the ridge points on them."""
    if not compute or not memory:
        return
    low, high = ends
    color, dash = (theme.series(index)["color"], theme.series(index)["dash"]) if chip else (theme.GREY, "solid")
    line = {"color": color, "dash": dash, "width": 1.5}
    behind = f"{label(chip)} " if chip else ""
    for tier in memory:
        knee = min(max(compute[0].value / tier.value, low), high)
        said = f"{behind}{label(tier.name)} {quantity(tier.value, 'bandwidth')}"
        _line(figure, [low, knee], [low * tier.value, knee * tier.value], said, line, "top right", 0)
    for peak in compute:
        begin = min(max(peak.value / memory[0].value, low), high)
        said = f"{behind}{label(peak.name)} {quantity(peak.value, 'compute')}"
        _line(figure, [begin, high], [peak.value, peak.value], said, line, "top left", 1)
    ridges = [(peak, tier) for peak in compute for tier in memory if low <= peak.value / tier.value <= high]
    figure.add_scatter(
        x=[peak.value / tier.value for peak, tier in ridges],
        y=[peak.value for peak, _ in ridges],
        mode="markers",
        marker={"symbol": "circle-open", "size": 7, "color": color},
        hovertext=[
            hover(
                f"<b>{behind}ridge: {label(peak.name)} on {label(tier.name)}</b>",
                f"{peak.value / tier.value:,.3g} FLOP/B",
            )
            for peak, tier in ridges
        ],
        hoverinfo="text",
        showlegend=False,
    )


def _line(figure: Any, x: list[float], y: list[float], said: str, line: dict[str, Any], position: str, at: int) -> None:
    """A roof, named at its first or its last end."""
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines+text",
        line=line,
        text=[said if index == at else "" for index in range(2)],
        textposition=position,
        textfont={"size": 11},
        hovertext=said,
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
    )


def _operators(figure: Any, name: str, found: list[Point], index: int) -> None:
    """The operators of one result: a hollow and a filled marker each, joined by a line."""
    for number, phase in enumerate(PHASES):
        mine = [point for point in found if point.phase == phase]
        if not mine:
            continue
        color = theme.series(index)["color"] if name else theme.PHASES[phase]
        symbol = theme.SYMBOLS[number]
        x = [point.intensity for point in mine]
        said = [_said(name, point) for point in mine]
        sizes = [7.0 + 32.0 * point.operator.share**0.5 for point in mine]
        joined = {"x": [], "y": []}  # type: dict[str, list[float | None]]
        for point in mine:
            joined["x"] += [point.intensity, point.intensity, None]
            joined["y"] += [point.projection, point.roofline, None]
        figure.add_scatter(
            **joined,
            mode="lines",
            line={"color": color, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=f"{name}{phase}",
        )
        common = {"x": x, "mode": "markers", "hovertext": said, "hoverinfo": "text", "legendgroup": f"{name}{phase}"}
        shown = ", ".join(part for part in (label(name), phase) if part)
        marker = {"symbol": f"{symbol}-open", "size": 7, "color": color}
        figure.add_scatter(
            y=[point.roofline for point in mine], marker=marker, name=f"{shown}: roofline", showlegend=False, **common
        )
        marker = {"symbol": symbol, "size": sizes, "color": color, "opacity": 0.75, "line": {"width": 1}}
        figure.add_scatter(y=[point.projection for point in mine], marker=marker, name=shown, **common)


def _said(name: str, point: Point) -> str:
    row = point.operator
    return hover(
        f"<b>{label(row.name)}</b>, {point.phase}",
        label(name),
        f"{row.repeat:g} x {quantity(row.time_s, 'time')}, {share(row.share)} of the device time",
        f"{point.intensity:,.3g} FLOP/B",
        f"{quantity(point.projection, 'compute')} of {quantity(point.roofline, 'compute')} at the roofline",
        f"limited by {RESOURCES[row.limited_by]}",
    )


def _ridge_rows(roofs: Roofs) -> list[tuple[str, ...]]:
    return [
        (f"ridge: {chip}, {peak.name} on {tier.name}", f"{peak.value / tier.value:,.3g}",
         quantity(peak.value, "compute"), "-", "-", "-", "-")
        for chip, (compute, memory) in roofs.items() for peak in compute for tier in memory
    ]  # fmt: skip


def _point_rows(name: str, found: list[Point], several: int) -> list[tuple[str, ...]]:
    return [
        (
            f"{f'{name}, ' if several > 1 else ''}{point.phase}: {point.operator.name}",
            f"{point.intensity:,.3g}",
            quantity(point.roofline, "compute"),
            quantity(point.projection, "compute"),
            share(point.projection / point.roofline),
            share(point.operator.share),
            RESOURCES[point.operator.limited_by],
        )
        for point in found
    ]


def _number(value: Real | Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])
