"""Where the time goes: what a phase waits for, and its operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.breakdown import Operator, operators
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, drawing, folded, hover, label, new
from llmperf.resources import RESOURCES, kind_of
from llmperf.scenarios.names import distinct
from llmperf.words.quantities import quantity, share

MOST_BARS = 12
"""Operators that have a bar of their own; the table lists all."""


def waits(results: Results) -> Drawing:
    """What the steps of each phase wait for, as shares of their time: one bar a result and phase.

    Parameters
    ----------
    results : mapping of str to Answer
        By label; each of one configuration.
    """
    found = _waits(results)
    names = [name for name in RESOURCES if any(name in each for _, _, each in found)]
    figure = new(110 + 46 * len(found))
    for name in names:
        parts = [each.get(name, 0.0) / sum(each.values()) for _, _, each in found]
        before = sum(kind_of(other) == kind_of(name) for other in names[: names.index(name)])
        figure.add_bar(
            x=parts,
            y=[folded(bar) for bar, _, _ in found],
            orientation="h",
            name=RESOURCES[name].short,
            marker={**theme.limited(name), "opacity": 1.0 - 0.28 * (before % 3)},
            text=[f"{part:.0%}" if part >= 0.08 else "" for part in parts],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": theme.ink(theme.limited(name)["color"])},
            hovertext=[
                hover(
                    f"<b>{label(bar)}</b>",
                    RESOURCES[name].label,
                    f"{share(part)}, {quantity(each.get(name), 'time')} a step",
                )
                for (bar, _, each), part in zip(found, parts, strict=True)
            ],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(tickformat=".0%", range=[0, 1], title_text="share of a step's time")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1)
    caption = (
        "What one step of each phase waits for: the projected time of its operators, of transfers and of the host."
    )
    head = ("phase", "time of a step", *(RESOURCES[name].short for name in names))
    rows = [
        (
            bar,
            quantity(sum(each.values()), "time"),
            *(share(each.get(name, 0.0) / sum(each.values())) for name in names),
        )
        for bar, _, each in found
    ]
    return drawing("waits", "What the time is spent waiting for", caption, figure, head, rows)


def _waits(results: Results) -> list[tuple[str, str, dict[str, float]]]:
    out = []
    for name, result in results.items():
        for phase, limit in result.bottleneck.items():
            if limit is not None:
                waits = result.evaluated[0].phases[phase].waits
                each = {key: float(np.max(value)) for key, value in waits.items() if np.max(value) > 0.0}
                out.append((f"{name}, {phase}" if len(results) > 1 else phase, phase, each))
    return out


def operator_times(result: Answer, phase: str) -> Drawing:
    """The operators of a phase by their total time in a step, and where each would be at its roofline.

    Parameters
    ----------
    result : Answer
        Of one configuration.
    phase : str
        ``prefill`` or ``decode``.
    """
    rows = operators(result.evaluated[0].phases[phase])
    shown = rows[:MOST_BARS]
    bars = distinct([label(row.name) for row in shown])
    figure = new(130 + 28 * len(shown))
    for kind in dict.fromkeys(row.limited_by for row in shown):
        mine = [index for index, row in enumerate(shown) if row.limited_by == kind]
        figure.add_bar(
            x=[shown[index].total_s for index in mine],
            y=[bars[index] for index in mine],
            orientation="h",
            name=RESOURCES[kind].short,
            marker=theme.limited(kind),
            hovertext=[_said(shown[index]) for index in mine],
            hoverinfo="text",
        )
    figure.add_scatter(
        x=[row.repeat * row.roofline_s for row in shown],
        y=bars,
        mode="markers",
        name="at the roofline",
        marker={"symbol": "diamond-tall", "size": 12, "color": "#FFFFFF", "line": {"width": 1.5, "color": "#1B1B1F"}},
        hovertext=[
            hover(f"<b>{label(r.name)}</b>", f"roofline {quantity(r.repeat * r.roofline_s, 'time')}") for r in shown
        ],
        hoverinfo="text",
    )
    figure.update_layout(barmode="overlay", legend_title_text="limited by")
    figure.update_xaxes(title_text="time in one step, all runs", ticksuffix="s", tickformat="~s", rangemode="tozero")
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=bars, autorange="reversed", showgrid=False, dtick=1
    )
    rest = "" if len(rows) == len(shown) else f" The {len(shown)} longest of {len(rows)}; the table lists all."
    caption = f"Device time of the operators of one {phase} step on one device; diamonds mark their roofline.{rest}"
    head = ("operator", "kind", "dtype", "runs", "time of all", "share", "at the roofline", "limited by")
    cells = [
        (r.name, r.kind, r.dtype, f"{r.repeat:g}", quantity(r.total_s, "time"), share(r.share),
         quantity(r.repeat * r.roofline_s, "time"), RESOURCES[r.limited_by].label)
        for r in rows
    ]  # fmt: skip
    return drawing(f"operators-{phase}", f"Operators of {phase}", caption, figure, head, cells)


def _said(row: Operator) -> Any:
    return hover(
        f"<b>{label(row.name)}</b> ({row.kind}, {row.dtype})",
        f"{row.repeat:g} x {quantity(row.time_s, 'time')} = {quantity(row.total_s, 'time')}, {share(row.share)}",
        f"{quantity(row.flops or row.vector_flops, 'compute').replace('/s', '')}, {quantity(row.bytes, 'bytes')} each",
        f"limited by {RESOURCES[row.limited_by].label}",
    )
