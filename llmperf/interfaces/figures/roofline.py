"""The roofline: what a device can compute at each arithmetic intensity, and where operators stand below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.answers.rooflines import STEP, Feed, Peak, Point, Roofline, of_estimate
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, drawing, hover, label, new
from llmperf.outputs import PHASES
from llmperf.resources import CACHE, MAIN, MEMORY, RESOURCES
from llmperf.words.quantities import count, quantity, share

OWN = (MAIN, MEMORY["internal"])
"""Memories of the device, against which a step is drawn."""
USUAL = (MAIN, CACHE, MEMORY["internal"])
"""Resources whose slopes are always drawn; others where operators read them, or where all are asked for."""


def roofline(results: Results, hierarchical: bool = False) -> Drawing:
    """The rooflines of one or several results, with their operators.

    Parameters
    ----------
    results : mapping of str to Answer
        By label; each of one configuration. The roofs of equal chips are drawn once.
    hierarchical : bool
        With the slopes of every tier and link, and the whole step against each of them.
    """
    return rooflines([replace(of_estimate(result), label=name) for name, result in results.items()], hierarchical)


def rooflines(found: Sequence[Roofline], hierarchical: bool = False) -> Drawing:
    """Rooflines that are known already (`llmperf.answers.rooflines`), in one figure.

    Parameters
    ----------
    found : sequence of Roofline
        Each with a label of its own.
    hierarchical : bool
        With the slopes of every tier and link, and the whole step against each of them.
    """
    figure = new(theme.HEIGHT + 100)
    shown = [(one, _points(one, hierarchical)) for one in found]
    roofs = _roofs(shown, hierarchical)
    ends = _ends([point for _, points in shown for point in points], roofs)
    for index, (chip, (peaks, feeds)) in enumerate(roofs.items()):
        if peaks and feeds:
            _draw_roofs(figure, chip if len(roofs) > 1 else "", peaks, feeds, ends, index)
    for index, (one, points) in enumerate(shown):
        _draw_points(figure, one.label if len(found) > 1 else "", points, index)
    figure.update_xaxes(type="log", title_text="arithmetic intensity [FLOP/B]", range=_shown(ends))
    figure.update_yaxes(type="log", title_text="rate of one device [FLOP/s]", tickformat="~s")
    figure.update_layout(legend={"itemsizing": "constant"})
    head = ("operator", "FLOP/B", "at the roofline", "projected", "of the roofline", "share of the step", "limited by")
    rows = [row for one, points in shown for row in _rows(one.label if len(found) > 1 else "", points)]
    title = f"Roofline of one {next(iter(roofs))}" if len(roofs) == 1 else "Rooflines"
    return drawing("roofline", title, _caption(bool(rows)), figure, head, [*rows, *_ridges(roofs)])


def _caption(operators: bool) -> str:
    lines = (
        "Slopes are what the bandwidth of a memory or link lets a device compute, flats the peaks of its engines; "
        "rings are the ridge points where they meet."
    )
    if not operators:
        return lines
    return (
        f"{lines} Each operator stands twice: hollow where it would run at its roofline, filled where it is projected, "
        "sized by its share of the step. Stars are whole steps. Collectives compute nothing and are not drawn."
    )


def _points(one: Roofline, hierarchical: bool) -> list[Point]:
    """Operators, and steps against the memory of the device, or against everything that they move bytes through."""
    return [point for point in one.points if hierarchical or point.name != STEP or point.resource in OWN]


Roofs = dict[str, tuple[list[Peak], list[Feed]]]


def _roofs(shown: list[tuple[Roofline, list[Point]]], hierarchical: bool) -> Roofs:
    """Peaks and feeds to draw by chip: what any roofline of it uses."""
    out: Roofs = {}
    chips = len({one.hardware for one, _ in shown}) > 1  # of several chips, vector engines would only crowd the figure
    for one, points in shown:
        used = {point.resource for point in points}
        peaks, feeds = out.setdefault(one.hardware, ([], []))
        known = [peak.label for peak in peaks]
        peaks += [peak for peak in one.drawn if peak.label not in known and (not chips or peak.kind == "matrix")]
        feeds += [
            feed
            for feed in one.feeds
            if (hierarchical or feed.resource in USUAL or feed.resource in used)
            and feed.name not in [known.name for known in feeds]
        ]
    return {
        chip: (sorted(p, key=lambda peak: -peak.flops_per_s), sorted(f, key=lambda feed: -feed.bytes_per_s))
        for chip, (p, f) in out.items()
    }


def _ends(points: list[Point], roofs: Roofs) -> tuple[float, float]:
    """The intensities to show: those of the operators and of the first ridges."""
    shown = [point.intensity for point in points]
    shown += [p.flops_per_s / f.bytes_per_s for peaks, feeds in roofs.values() for p in peaks[:1] for f in feeds]
    return min(shown, default=0.1) / 2.0, max(shown, default=1000.0) * 12.0


def _shown(ends: tuple[float, float]) -> list[float]:
    """The axis: with room on the left, for the names of the slopes."""
    low, high = np.log10(ends).tolist()
    return [low - 0.18 * (high - low), high]


def _draw_roofs(
    figure: Any, chip: str, peaks: list[Peak], feeds: list[Feed], ends: tuple[float, float], index: int
) -> None:
    """The lines of one chip, and the ridge points on them."""
    low, high = ends
    line = {"color": theme.GREY, "dash": theme.series(index)["dash"], "width": 1.5}
    before = f"{label(chip)} " if chip else ""
    for feed in feeds:
        knee = min(max(peaks[0].flops_per_s / feed.bytes_per_s, low), high)
        said = f"{label(feed.name)} {quantity(feed.bytes_per_s, 'bandwidth')}"
        _line(figure, (low, knee), (low * feed.bytes_per_s, knee * feed.bytes_per_s), said, line, 0, before)
    for peak in peaks:
        begin = min(max(peak.flops_per_s / feeds[0].bytes_per_s, low), high)
        said = f"{before}{label(peak.label)} {quantity(peak.flops_per_s, 'compute')}"
        _line(figure, (begin, high), (peak.flops_per_s, peak.flops_per_s), said, line, 1)
    ridges = [(peak, feed) for peak in peaks for feed in feeds]
    figure.add_scatter(
        x=[peak.flops_per_s / feed.bytes_per_s for peak, feed in ridges],
        y=[peak.flops_per_s for peak, _ in ridges],
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": theme.GREY},
        hovertext=[
            hover(
                f"<b>{before}ridge: {label(peak.label)} on {label(feed.name)}</b>",
                f"{count(peak.flops_per_s / feed.bytes_per_s)} FLOP/B",
            )
            for peak, feed in ridges
        ],
        hoverinfo="text",
        showlegend=False,
    )


def _line(
    figure: Any,
    x: tuple[float, float],
    y: tuple[float, float],
    said: str,
    line: dict[str, Any],
    at: int,
    before: str = "",
) -> None:
    """A roof, named at its first or its last end."""
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines+text",
        line=line,
        text=[said if index == at else "" for index in range(2)],
        textposition="top left" if at else "middle left",
        textfont={"size": 11},
        hovertext=before + said,
        hoverinfo="text",
        showlegend=False,
    )


def _draw_points(figure: Any, name: str, points: list[Point], index: int) -> None:
    """The operators of one roofline: a hollow and a filled marker each, joined by a line."""
    for phase in sorted({point.phase for point in points}, key=list(PHASES).index):
        mine, look = [point for point in points if point.phase == phase], theme.phase(phase)
        color = theme.series(index)["color"] if name else look["color"]
        symbols = ["star" if point.name == STEP else look["symbol"] for point in mine]
        common: dict[str, Any] = {"legendgroup": f"{index} {phase}", "x": [point.intensity for point in mine]}
        joined: dict[str, list[float | None]] = {"x": [], "y": []}
        for point in mine:
            joined["x"] += [point.intensity, point.intensity, None]
            joined["y"] += [point.flops_per_s, point.roofline_flops_per_s, None]
        line = {"color": color, "width": 1, "dash": "dot"}
        figure.add_scatter(
            **{**common, **joined}, mode="lines", line=line, hoverinfo="skip", showlegend=False, opacity=0.6
        )
        said = [_said(name, point) for point in mine]
        figure.add_scatter(
            **common,
            y=[point.roofline_flops_per_s for point in mine],
            mode="markers",
            marker={"symbol": [f"{symbol}-open" for symbol in symbols], "size": 7, "color": color},
            hovertext=said,
            hoverinfo="text",
            showlegend=False,
        )
        sizes = [16.0 if point.name == STEP else 7.0 + 32.0 * point.share**0.5 for point in mine]
        figure.add_scatter(
            **common,
            y=[point.flops_per_s for point in mine],
            mode="markers",
            name=", ".join(part for part in (label(name), phase) if part),
            marker={"symbol": symbols, "size": sizes, "color": color, "opacity": 0.75, "line": {"width": 1}},
            hovertext=said,
            hoverinfo="text",
        )


def _said(name: str, point: Point) -> str:
    return hover(
        f"<b>{label(point.name)}</b>, {point.phase}",
        label(name),
        f"{quantity(point.time_s, 'time')} in a step, {share(point.share)} of it",
        f"{count(point.intensity)} FLOP/B ({RESOURCES[point.resource].label})",
        f"{quantity(point.flops_per_s, 'compute')}, at the roofline {quantity(point.roofline_flops_per_s, 'compute')}",
        f"limited by {RESOURCES[point.limited_by].label}",
    )


def _ridges(roofs: Roofs) -> list[tuple[str, ...]]:
    return [
        (f"ridge: {chip}, {peak.label} on {feed.name}", count(peak.flops_per_s / feed.bytes_per_s),
         quantity(peak.flops_per_s, "compute"), "-", "-", "-", "-")
        for chip, (peaks, feeds) in roofs.items() for peak in peaks for feed in feeds
    ]  # fmt: skip


def _rows(name: str, points: list[Point]) -> list[tuple[str, ...]]:
    return [
        (
            f"{f'{name}, ' if name else ''}{point.phase}: {point.name}"
            + (f" ({RESOURCES[point.resource].label})" if point.name == STEP else ""),
            count(point.intensity),
            quantity(point.roofline_flops_per_s, "compute"),
            quantity(point.flops_per_s, "compute"),
            point.of_roof,
            share(point.share),
            RESOURCES[point.limited_by].label,
        )
        for point in points
    ]
