"""Predicted against measured: how far projections lie from what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from llmperf.evidence.bands import Band
from llmperf.evidence.rows import Rows
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, hover, label, new

MOST_POINTS = 2_000
"""Points of a scatter; of more rows, every so manieth is drawn."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One measured row beside its projection, SI units; of a rate more is better."""

    id: str
    metric: str
    source: str
    measured: float
    projection: float
    rate: bool


def pairs(found: Iterable[Rows], of: str = "") -> list[Pair]:
    """All rows of data sets; or those of a class of error bands, and of what is in it.

    Parameters
    ----------
    found : iterable of Rows
    of : str
        ``phase/hardware class/regime/engine``, or the first parts of it.
    """
    out = []
    for rows in found:
        for index, name in enumerate(rows.classes):
            if of and name != of and not name.startswith(f"{of}/"):
                continue
            measured, projection = float(rows.measured[index]), float(rows.projection[index])
            if measured > 0.0 and projection > 0.0 and np.isfinite(measured) and np.isfinite(projection):
                out.append(
                    Pair(
                        rows.ids[index],
                        rows.metrics[index],
                        rows.sources[index],
                        measured,
                        projection,
                        bool(rows.rates[index]),
                    )
                )
    return out


def scatter(name: str, title: str, found: list[Pair], band: Band | None = None) -> Drawing:
    """Projections against measurements, with the diagonal, and the error band or 20 % beside it.

    Parameters
    ----------
    name, title : str
        What the drawing is called.
    found : list of Pair
    band : Band, optional
        Measured over projected time; its ends are drawn in place of 20 %, and rates as the time of one token.
    """
    stride = -(-len(found) // MOST_POINTS) if found else 1
    figure = new(theme.HEIGHT + 80)
    drawn = [_as_time(pair) for pair in found] if band else found
    shown = drawn[::stride]
    for index, metric in enumerate(dict.fromkeys(pair.metric for pair in found)):
        mine = [pair for pair in shown if pair.metric == metric]
        look = theme.series(index)
        figure.add_scatter(
            x=np.array([pair.measured for pair in mine]),
            y=np.array([pair.projection for pair in mine]),
            mode="markers",
            name=label(metric),
            marker={"symbol": look["symbol"], "color": look["color"], "size": 6, "opacity": 0.65},
            hovertext=[
                hover(f"<b>{label(pair.id)}</b>", label(pair.metric), f"measured {pair.measured:.4g}",
                      f"projected {pair.projection:.4g} ({pair.projection / pair.measured - 1:+.0%})")
                for pair in mine
            ],
            hoverinfo="text",
        )  # fmt: skip
    _diagonals(figure, drawn, band)
    unit = "s" if band else "SI units"
    axis = {"type": "log", "tickformat": "~s", "dtick": _ticks(drawn)}
    figure.update_xaxes(title_text=f"measured [{unit}]", **axis)
    figure.update_yaxes(title_text=f"projected [{unit}]", **axis)
    beside = f"{band.low:.2g} to {band.high:.2g} times the projection, which holds 8 of 10" if band else "20 % off"
    thinned = "" if stride == 1 else f" One in {stride} rows is drawn."
    caption = f"Each point is a measurement. On the line the projection is right; dotted: {beside}.{thinned}"
    head = ("metric", "rows", "median error", "9 of 10 below", "bias")
    return drawing(name, title, caption, figure, head, _rows(found))


def _as_time(pair: Pair) -> Pair:
    """A rate as the time of one token."""
    return replace(pair, measured=1.0 / pair.measured, projection=1.0 / pair.projection) if pair.rate else pair


def _ticks(found: list[Pair]) -> int | str:
    """Ticks at powers of ten; where these would be few, at two and five times them as well."""
    measured = [pair.measured for pair in found] or [1.0]
    return 1 if max(measured) > 1e3 * min(measured) else "D2"


def _diagonals(figure: object, found: list[Pair], band: Band | None) -> None:
    if not found:
        return
    ends = [min(pair.measured for pair in found), max(pair.measured for pair in found)]
    factors = (1.0 / band.low, 1.0 / band.high) if band else (1.2, 1 / 1.2)
    for factor, dash in ((1.0, "solid"), *((factor, "dot") for factor in factors)):
        figure.add_scatter(  # type: ignore[attr-defined]
            x=ends,
            y=[end * factor for end in ends],
            mode="lines",
            line={"dash": dash, "color": theme.GREY, "width": 1.5},
            showlegend=False,
            hoverinfo="skip",
        )


def _rows(found: list[Pair]) -> list[tuple[str, ...]]:
    out = []
    for metric in dict.fromkeys(pair.metric for pair in found):
        logs = np.log([pair.projection / pair.measured for pair in found if pair.metric == metric])
        size = np.abs(logs)
        numbers = (np.median(size), np.percentile(size, 90.0), np.median(logs))
        out.append((metric, f"{len(logs):,}", *(f"{100.0 * np.expm1(value):.1f} %" for value in numbers)))
    return out
