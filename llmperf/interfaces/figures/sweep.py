"""Results along numeric knobs: what a sweep is, and its outputs against the knob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.resolve import Resolved
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, count, drawing, label, new, quantity, rate
from llmperf.interfaces.results import Estimate, answer
from llmperf.numeric import Array

MOST_POINTS = 2_000
"""Points of a figure; of more configurations, every so manieth is drawn, and the figure says so."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Results of many configurations.

    Attributes
    ----------
    label : str
        The scenario that is varied.
    knobs : mapping of str to ndarray, (configurations,)
        What varies, by its key in a scenario.
    result : Estimate
        Its arrays have the shape (configurations,).
    """

    label: str
    knobs: Mapping[str, Array]
    result: Estimate

    def __len__(self) -> int:
        return int(np.prod(self.result.shape))

    def of(self, output: str, definition: str = "projection") -> Array:
        """An output of every configuration, by one definition."""
        return np.asarray(getattr(getattr(self.result, definition), output), dtype=float)

    def said(self, index: Any) -> str:
        """The configuration in words."""
        return ", ".join(f"{name} {count(values[index])}" for name, values in self.knobs.items())


def against(name: str, result: Estimate, knob: str, values: Array) -> Sweep:
    """A result of one configuration, along another batch or input.

    Parameters
    ----------
    name : str
        Label.
    result : Estimate
    knob : str
        A number of the workload: ``batch``, ``input``, ``output``.
    values : ndarray
    """
    changed: dict[str, Any] = {knob: values, "maximize": None}
    work = replace(result.scenario.workload, **changed)
    scenario = replace(result.scenario, workload=work)
    return Sweep(name, {knob: values}, answer(Resolved(scenario, values.shape, ())))


def batches(result: Estimate, points: int = 41) -> Array:
    """Batches around what fits: from one up to twice the largest that does, evenly spaced by ratio."""
    own = float(np.max(result.scenario.workload.batch))
    most = float(np.nan_to_num(result.memory.max_batch, nan=0.0, posinf=0.0))
    top = min(max(2.0 * most, 2.0 * own, 16.0), 65_536.0)
    return np.unique(np.rint(np.append(np.geomspace(1.0, top, points), own)))


def inputs(result: Estimate, points: int = 41) -> Array:
    """Prompt lengths up to the model's context, evenly spaced by ratio; empty where its input is always the same."""
    model, work = result.scenario.model, result.scenario.workload
    top = model.max_context - float(np.max(work.output))
    low = max(float(work.shared_prefix) + 1.0, min(128.0, float(work.input)))
    if model.vision or not model.generates or top <= low:
        return np.zeros(0)
    return np.unique(np.rint(np.append(np.geomspace(low, top, points), float(work.input))))


OUTPUTS = (("ttft_s", "TTFT [s]"), ("tpot_s", "TPOT [s]"), ("output_tokens_per_s", "output tokens/s"))
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
    order = order[:: -(-len(order) // MOST_POINTS)]
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
        figure.update_layout({f"yaxis{number}": {"title": {"text": axis}, "domain": domain, "rangemode": "tozero"}})
    spread = values.min() > 0 and values.max() / values.min() >= 20
    last = f"y{len(drawn)}" if len(drawn) > 1 else "y"
    figure.update_layout(xaxis={"title": {"text": label(knob)}, "type": "log" if spread else "linear", "anchor": last})
    _mark_capacity(figure, values, result)
    caption = (
        "Bound: no system is faster. Roofline: every operator at its peak. Projection: what a good implementation "
        "reaches. Shaded: does not fit in memory."
    )
    rows = [_row(sweep, i, drawn) for i in order]
    head = (knob, *(f"{axis}, {definition}" for _, axis in drawn for definition in theme.DEFINITIONS), "fits")
    return drawing("sweep", f"{sweep.label}: along {knob}", caption, figure, head, rows)


def _said(name: str, value: float) -> str:
    return rate(value) if name.endswith("per_s") else quantity(value, "time")


def _row(sweep: Sweep, index: int, drawn: list[tuple[str, str]]) -> tuple[str, ...]:
    result = sweep.result
    cells = [_said(name, sweep.of(name, definition)[index]) for name, _ in drawn for definition in theme.DEFINITIONS]
    values = next(iter(sweep.knobs.values()))
    return (count(values[index]), *cells, "yes" if result.memory.fits[index] else "no")


def _mark_capacity(figure: Any, values: Array, result: Estimate) -> None:
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
