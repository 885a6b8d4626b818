"""Outputs of answers along numeric knobs, as curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, label, new
from llmperf.numeric import Array
from llmperf.outputs import by_path
from llmperf.words.quantities import cell, count

MOST_POINTS = 2_000
"""Points of a figure; of more configurations, every so manieth is drawn, and the figure says so."""
OUTPUTS = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("output_tokens_per_s", "output tokens/s"))
SHOWN = {"ttft_s": "%{y:.4s}s", "tpot_s": "%{y:.4s}s", "output_tokens_per_s": "%{y:,.4g} tokens/s"}
"""Outputs that are drawn against a knob, and their axes."""


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
    drawn = [(name, axis) for name, axis in OUTPUTS if np.isfinite(getattr(result.projection, name)).any()]
    figure = new(200 * len(drawn) + 80)
    for row, (name, axis) in enumerate(drawn):
        number = str(row + 1) if row else ""
        for definition, color in theme.DEFINITIONS.items():
            y = sweep.of(name, definition)[order]
            figure.add_scatter(
                x=values[order],
                y=y,
                mode="lines" if len(order) > 60 else "lines+markers",
                name=definition,
                legendgroup=definition,
                showlegend=row == 0,
                line={"color": color, "dash": theme.DASHES[list(theme.DEFINITIONS).index(definition)], "width": 2},
                marker={"size": 5},
                hovertemplate=f"<b>{label(knob)} %{{x:,}}</b><br>{definition} {SHOWN[name]}<extra></extra>",
                xaxis="x",
                yaxis=f"y{number}",
            )
        height = 1.0 / len(drawn)
        domain = [1.0 - (row + 1) * height + 0.03, 1.0 - row * height - 0.03]
        unit = {} if name.endswith("per_s") else {"ticksuffix": "s"}
        shown = {"title": {"text": axis}, "domain": domain, "rangemode": "tozero", "tickformat": "~s", **unit}
        figure.update_layout({f"yaxis{number}": shown})
    spread = values.min() > 0 and values.max() / values.min() >= 20
    last = f"y{len(drawn)}" if len(drawn) > 1 else "y"
    figure.update_layout(xaxis={"title": {"text": label(knob)}, "type": "log" if spread else "linear", "anchor": last})
    _mark_capacity(figure, values, result)
    caption = (
        "Bound: no system is faster. Roofline: every operator at its peak. Projection: what a good implementation "
        "reaches. Shaded: does not fit in memory." + ("" if stride == 1 else f" One in {stride} values is drawn.")
    )
    rows = [_row(sweep, i, drawn) for i in order]
    head = (knob, *(f"{axis}, {definition}" for _, axis in drawn for definition in theme.DEFINITIONS), "fits")
    return drawing("sweep", f"{sweep.label}: along {knob}", caption, figure, head, rows)


def _row(sweep: Sweep, index: int, drawn: list[tuple[str, str]]) -> tuple[str, ...]:
    result = sweep.result
    cells = [
        cell(by_path()[name], sweep.of(name, definition)[index])
        for name, _ in drawn
        for definition in theme.DEFINITIONS
    ]
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
