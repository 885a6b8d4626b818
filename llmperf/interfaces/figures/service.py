"""A service along what it is loaded by: times of its requests with percentiles, and the requests that it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep, own
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, hover, label, new
from llmperf.numeric import Array
from llmperf.outputs import by_path
from llmperf.outputs.serving import TIMES
from llmperf.words.labels import KNOBS
from llmperf.words.quantities import NONE, cell, count, quantity
from llmperf.words.service import LIMITED

HEIGHT = 250
"""Height of a panel. [px]"""
PANELS = {
    "TTFT": ("ttft_mean_s", "ttft_p90_s", "ttft_p99_s"),
    "TPOT": ("tpot_s", "tpot_p90_s", "tpot_p99_s"),
    "requests/s": ("requests_per_s", "goodput_per_s"),
}
"""Curves of each panel, by the label of its axis."""
RATES = "requests/s"
ASKED = "asked"
NAMES = {"requests_per_s": "answered", "goodput_per_s": "within limits"}
"""What curves are called that are neither a mean nor a percentile."""
ABOVE = 2.0
"""How far a panel of times reaches above its limit, above what was asked for, and above twice its least. [1]"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A value of the load, or of requests/s, that is worth knowing: in words, with its colour and dash."""

    value: float
    words: str
    color: str
    dash: str


def along_load(sweep: Sweep, result: Answer) -> Drawing:
    """Times to the first and between tokens, and requests that are answered, against the load.

    Parameters
    ----------
    sweep : Sweep
        A service along what it is loaded by (`llmperf.answers.sweep.loads`).
    result : Answer
        The service itself, which is marked.
    """
    knob, values = next(iter(sweep.knobs.items()))
    drawn = {name: paths for name, paths in _panels(result).items() if np.isfinite(sweep.result.value(paths[0])).any()}
    figure = new(HEIGHT * len(drawn) + 90)
    height = 1.0 / len(drawn)
    for row, (name, paths) in enumerate(drawn.items()):
        axis = f"y{row + 1}" if row else "y"
        for place, path in enumerate(paths):
            _curve(figure, sweep, path, place + (3 if name == RATES else 0), axis)
        domain = [1.0 - (row + 1) * height + 0.03, 1.0 - row * height - 0.03]
        suffix = "" if name == RATES else "s"
        shown = {"title": {"text": name}, "domain": domain, "tickformat": "~s", "ticksuffix": suffix}
        figure.update_layout({f"yaxis{row + 1 if row else ''}": {**shown, **_range(sweep, result, name, paths)}})
        _limit(figure, result, name, axis)
    last = f"y{len(drawn)}" if len(drawn) > 1 else "y"
    kind = "linear" if knob == "request_rate" else "log"
    figure.update_layout(xaxis={"title": {"text": label(KNOBS.get(knob, knob))}, "type": kind, "anchor": last})
    for mark in _marks(result, knob):
        _mark(figure, mark, knob == "request_rate" or mark.words == ASKED, kind, last)
    return drawing(
        "service",
        f"A service along its {KNOBS.get(knob, knob).partition(' [')[0]}",
        _caption(result, knob),
        figure,
        (knob, *(by_path()[path].label for paths in drawn.values() for path in paths)),
        list(_rows(sweep, values, [path for paths in drawn.values() for path in paths])),
    )


def _panels(result: Answer) -> dict[str, tuple[str, ...]]:
    """Curves by panel; what keeps limits only where there are any."""
    return {name: paths if name != RATES or _limited(result) else paths[:1] for name, paths in PANELS.items()}


def _limited(result: Answer) -> bool:
    traffic = result.scenario.traffic
    return traffic is not None and any(getattr(traffic.limits, name) is not None for name in LIMITED)


def _curve(figure: Any, sweep: Sweep, path: str, look: int, axis: str) -> None:
    """One curve; those of a panel that share their names with one before share its place in the legend."""
    about, (_, values) = by_path()[path], next(iter(sweep.knobs.items()))
    found = np.asarray(sweep.result.value(path), dtype=float)
    name = NAMES.get(path) or ("mean" if path in TIMES else path.removesuffix("_s").rpartition("_")[2])
    style = theme.series((0, 1, 5, 2, 3)[look])
    figure.add_scatter(
        x=values,
        y=np.where(np.isfinite(found), found, np.nan),
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=all(name != one.name for one in figure.data),
        line={"color": style["color"], "dash": theme.DASHES[look % 3], "width": 2},
        hovertext=[hover(f"<b>{label(_at(sweep, i))}</b>", f"{about.label}: {cell(about, found[i])}")
                   for i in range(len(values))],
        hoverinfo="text",
        xaxis="x",
        yaxis=axis,
    )  # fmt: skip


def _at(sweep: Sweep, index: int) -> str:
    knob, values = next(iter(sweep.knobs.items()))
    return f"{KNOBS.get(knob, knob).partition(' [')[0]}: {count(values[index])}"


def _range(sweep: Sweep, result: Answer, panel: str, paths: tuple[str, ...]) -> dict[str, Any]:
    """How far an axis reaches: times that go beyond all bounds leave the panel at its top."""
    found = np.asarray(sweep.result.value(paths[-1]), dtype=float)
    known = [ABOVE * float(np.nanmin(found)), float(result.value(paths[-1])), _most(result, panel) or 0.0]
    top = ABOVE * max(one for one in known if np.isfinite(one))
    beyond = panel != RATES and np.nanmax(found) > top
    return {"range": [0.0, top]} if beyond else {"rangemode": "tozero"}


def _most(result: Answer, panel: str) -> float | None:
    """The limit of a panel's time. [s]"""
    traffic = result.scenario.traffic
    return None if traffic is None else getattr(traffic.limits, panel.lower(), None)


def _limit(figure: Any, result: Answer, panel: str, axis: str) -> None:
    """The limit of a panel's time, as a line."""
    limit = _most(result, panel)
    if limit is None:
        return
    words = f"limit {quantity(limit, 'time')}"
    line = {"color": theme.VERMILION, "dash": "dash", "width": 1.2}
    figure.add_shape(type="line", xref="paper", yref=axis, x0=0, x1=1, y0=limit, y1=limit, line=line)
    figure.add_annotation(
        text=words, xref="paper", yref=axis, x=0, y=limit, xanchor="left", yanchor="bottom", showarrow=False
    )


def _marks(result: Answer, knob: str) -> Iterator[Mark]:
    """The load that was asked for, the most within limits, and where the service saturates."""
    yield Mark(own(result, knob), ASKED, theme.GREY, "dot")
    if _limited(result) and (most := float(result.value("capacity_per_s"))) > 0.0:
        yield Mark(most, "most within limits", theme.GREEN, "dash")
    yield Mark(float(result.value("saturation_rate_per_s")), "saturation", theme.VERMILION, "solid")


def _mark(figure: Any, mark: Mark, upright: bool, kind: str, rates: str) -> None:
    """A line across all panels at a load, or across that of the rates."""
    line = {"color": mark.color, "dash": mark.dash, "width": 1.5}
    if upright:
        x = float(np.log10(mark.value)) if kind == "log" else mark.value
        figure.add_shape(type="line", xref="x", yref="paper", x0=mark.value, x1=mark.value, y0=0, y1=1, line=line)
        place = {"x": x, "y": 1, "xref": "x", "yref": "paper", "xanchor": "right", "yanchor": "top"}
        figure.add_annotation(text=mark.words, showarrow=False, textangle=-90, **place)
        return
    figure.add_shape(type="line", xref="paper", yref=rates, x0=0, x1=1, y0=mark.value, y1=mark.value, line=line)
    figure.add_annotation(
        text=mark.words, xref="paper", yref=rates, x=0, y=mark.value, xanchor="left", yanchor="bottom", showarrow=False
    )


def _caption(result: Answer, knob: str) -> str:
    most, saturated = result.value("capacity_per_s"), result.value("saturation_rate_per_s")
    axis = KNOBS.get(knob, knob).partition(" [")[0]
    said = f"Dotted: {axis} of the scenario. It saturates at {count(saturated)} requests/s"
    if _limited(result):
        said += f"; up to {count(most)} requests/s the stated share of requests keeps every limit"
    return f"{said}. Times that grow without end leave the panels at their tops."


def _rows(sweep: Sweep, values: Array, paths: list[str]) -> Iterator[tuple[str, ...]]:
    columns = [(by_path()[path], np.asarray(sweep.result.value(path), dtype=float)) for path in paths]
    for index, value in enumerate(values):
        yield (
            count(value),
            *(cell(about, found[index]) if np.isfinite(found[index]) else NONE for about, found in columns),
        )
