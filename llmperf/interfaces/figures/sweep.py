"""Outputs of answers along numeric knobs, as curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, label, new
from llmperf.numeric import Array
from llmperf.outputs import Output
from llmperf.words.quantities import cell, count
from llmperf.words.tables import outputs

MOST_POINTS = 2_000
"""Points of a figure; of more configurations, every so manieth is drawn, and the figure says so."""

_MEANING = {
    "bound": "Bound: no system is faster.",
    "roofline": "Roofline: every operator at its peak.",
    "projection": "Projection: what a good implementation reaches.",
}


def curves(sweep: Sweep) -> Drawing:
    """Times and throughput against the knob of a sweep, one below the other.

    Parameters
    ----------
    sweep : Sweep
        Of one knob.
    """
    (knob, values), result = next(iter(sweep.knobs.items())), sweep.result
    order = np.argsort(values, kind="stable")
    stride = -(-len(order) // MOST_POINTS)
    order = order[::stride]
    drawn = [one for one in outputs(result, "sweep") if np.isfinite(sweep.of(one.name)).any()]
    definitions = {name: color for name, color in theme.DEFINITIONS.items() if name in result.parts}
    figure = new(200 * len(drawn) + 80)
    for row, output in enumerate(drawn):
        number = str(row + 1) if row else ""
        for definition, color in definitions.items():
            y = sweep.of(output.name, definition)[order]
            figure.add_scatter(
                x=values[order],
                y=np.where(np.isfinite(y), y, np.nan),
                mode="lines" if len(order) > 60 else "lines+markers",
                name=definition,
                legendgroup=definition,
                showlegend=row == 0,
                line={"color": color, "dash": theme.DASHES[list(theme.DEFINITIONS).index(definition)], "width": 2},
                marker={"size": 5},
                hovertemplate=f"<b>{label(knob)} %{{x:,}}</b><br>{definition} {_hovered(output)}<extra></extra>",
                xaxis="x",
                yaxis=f"y{number}",
            )
        height = 1.0 / len(drawn)
        domain = [1.0 - (row + 1) * height + 0.03, 1.0 - row * height - 0.03]
        shown = {"title": {"text": output.head}, "domain": domain, "rangemode": "tozero", **_ticks(output)}
        figure.update_layout({f"yaxis{number}": shown})
    spread = values.min() > 0 and values.max() / values.min() >= 20
    last = f"y{len(drawn)}" if len(drawn) > 1 else "y"
    figure.update_layout(xaxis={"title": {"text": label(knob)}, "type": "log" if spread else "linear", "anchor": last})
    _mark_capacity(figure, values, result)
    said = " ".join(words for name, words in _MEANING.items() if name in definitions)
    caption = f"{said} Shaded: does not fit in memory." + ("" if stride == 1 else f" One in {stride} values is drawn.")
    columns = [(output, definition) for output in drawn for definition in definitions]
    rows = [_row(sweep, i, columns) for i in order]
    head = (knob, *(f"{output.head}, {definition}" for output, definition in columns), "fits")
    return drawing("sweep", f"{sweep.label}: along {knob}", caption, figure, head, rows)


def _ticks(output: Output) -> dict[str, str]:
    """How an axis of an output is written: with its unit, which rates have in their label already."""
    return {"tickformat": "~s", "ticksuffix": "" if output.unit in ("1", "1/s") else output.unit}


def _hovered(output: Output) -> str:
    """A value of an output in a hover label, as plotly writes it."""
    if output.unit in ("1", "1/s"):
        return f"%{{y:,.4g}} {output.head.rpartition(' ')[2]}"
    return f"%{{y:.4s}}{output.unit}"


def _row(sweep: Sweep, index: int, columns: list[tuple[Output, str]]) -> tuple[str, ...]:
    result = sweep.result
    cells = [cell(output, sweep.of(output.name, definition)[index]) for output, definition in columns]
    values = next(iter(sweep.knobs.values()))
    return (count(values[index]), *cells, "yes" if result.memory.fits[index] else "no")


def _mark_capacity(figure: Any, values: Array, result: Answer) -> None:
    """A shade over the values that do not fit."""
    order = np.argsort(values, kind="stable")
    fits = np.asarray(result.memory.fits)[order]
    for begin, end in runs(~fits):
        left = values[order][max(begin - 1, 0)] if begin else values[order][0]
        shade = {"fillcolor": theme.GREY, "opacity": 0.18, "line_width": 0, "layer": "below"}
        figure.add_shape(type="rect", xref="x", yref="paper", x0=left, x1=values[order][end - 1], y0=0, y1=1, **shade)


def runs(mask: Any) -> list[tuple[int, int]]:
    """Begin and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=int), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
