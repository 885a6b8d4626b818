"""Throughput against latency: along the batch, and the configurations of a sweep that no other one beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep, own
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, drawing, hover, knobs_said, label, new
from llmperf.interfaces.figures.sweep import MOST_POINTS
from llmperf.numeric import Array
from llmperf.outputs import Output
from llmperf.words.quantities import count, quantity, tokens
from llmperf.words.tables import outputs


def latency(result: Answer) -> Output:
    """The output that a reader waits for: the time of a token, or of the whole where only one is generated."""
    shown = outputs(result, "frontier")
    return next((one for one in shown if np.isfinite(result.projection.of(one.name)).any()), shown[-1])


def first_token(result: Answer) -> Output:
    """The output that says how long the first token takes."""
    return next(one for one in outputs(result, "compare") if one.band in ("prefill", "ttft"))


RATE = "output_tokens_per_s"


def throughput_latency(results: Results, sweeps: Mapping[str, Sweep]) -> Drawing:
    """Output tokens/s against the time of a token, along the batch, or what services are loaded by.

    Parameters
    ----------
    results : mapping of str to Answer
        By label; each of one configuration, which is marked on its curve.
    sweeps : mapping of str to Sweep
        The same along the batch or the load (`llmperf.answers.sweep.along`).
    """
    figure = new(theme.HEIGHT + 40)
    metric = latency(next(iter(results.values())))
    rows: list[tuple[str, ...]] = []
    for index, (name, result) in enumerate(results.items()):
        _curve(figure, sweeps[name], metric, index, len(results) > 1)
        _own(figure, result, metric, index, next(iter(sweeps[name].knobs)))
        rows += _rows(sweeps[name], metric, f"{name}, " if len(results) > 1 else "")
    figure.update_xaxes(
        title_text=f"{metric.label} [{metric.unit}]", tickformat="~s", ticksuffix=metric.unit, rangemode="tozero"
    )
    figure.update_yaxes(title_text="output tokens/s of the whole system", tickformat="~s", rangemode="tozero")
    what = "batch" if all("batch" in sweep.knobs for sweep in sweeps.values()) else "load"
    caption = (
        f"Each point is a {what}: larger ones serve more tokens and let each sequence wait longer. Dashed: the "
        "bound, which no system beats. The ring is the scenario itself; only what fits is drawn."
    )
    head = (what, metric.head, f"{metric.head}, bound", "output", "output, bound", "fits")
    return drawing(
        "throughput", f"Output tokens/s against {metric.head}, along the {what}", caption, figure, head, rows
    )


def _curve(figure: Any, sweep: Sweep, metric: Output, index: int, several: bool) -> None:
    result, look = sweep.result, theme.series(index)
    fits = np.flatnonzero(result.memory.fits)
    chosen = fits if fits.size else np.arange(len(sweep))  # where nothing fits, what would be
    for definition in ("bound", "projection"):
        x, y = (sweep.of(name, definition)[chosen] for name in (metric.name, RATE))
        projected = definition == "projection"
        name = label(sweep.label) if several else definition
        line = {
            "color": look["color"] if projected or several else theme.GREY,
            "dash": "solid" if projected else "dash",
        }
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            name=name + ("" if fits.size else " (does not fit)"),
            showlegend=projected or not several,
            line={**line, "width": 2 if projected else 1.2},
            marker={"symbol": look["symbol"], "size": 6 if projected else 3},
            hovertext=[_said(sweep, i, definition, metric) for i in chosen],
            hoverinfo="text",
        )


def _own(figure: Any, result: Answer, metric: Output, index: int, knob: str) -> None:
    part = result.projection
    figure.add_scatter(
        x=[part.of(metric.name)],
        y=[part.output_tokens_per_s],
        mode="markers",
        marker={"symbol": "circle-open", "size": 16, "color": theme.series(index)["color"], "line": {"width": 3}},
        hovertext=f"the scenario: {knob} {count(own(result, knob))}",
        hoverinfo="text",
        showlegend=False,
    )


def _said(sweep: Sweep, index: Any, definition: str, metric: Output) -> str:
    beside = first_token(sweep.result)
    time, first, output = (sweep.of(name, definition)[index] for name in (metric.name, beside.name, RATE))
    return hover(
        f"<b>{label(knobs_said(sweep, index))}</b>",
        label(sweep.label),
        f"{definition}: {metric.head} {quantity(time, 'time')}, {beside.head} {quantity(first, 'time')}",
        tokens(output),
        "" if sweep.result.memory.fits[index] else "does not fit",
    )


def _rows(sweep: Sweep, metric: Output, before: str) -> list[tuple[str, ...]]:
    times, bounds = sweep.of(metric.name), sweep.of(metric.name, "bound")
    outputs, most = sweep.of(RATE), sweep.of(RATE, "bound")
    return [
        (
            f"{before}{knobs_said(sweep, i)}",
            quantity(times[i], "time"),
            quantity(bounds[i], "time"),
            tokens(outputs[i]),
            tokens(most[i]),
            "yes" if sweep.result.memory.fits[i] else "no",
        )
        for i in range(len(sweep))
    ]


def front(cost: Array, gain: Array) -> NDArray[np.intp]:
    """Indices of the points that no other one beats: less `cost` and at least the `gain`, in the order of cost."""
    order = np.lexsort((-gain, cost))
    best = np.maximum.accumulate(np.concatenate(([-np.inf], gain[order][:-1])))
    return np.asarray(order[gain[order] > best])


def pareto(sweeps: Sequence[Sweep]) -> Drawing:
    """Configurations by latency and throughput; a line joins those that no other one beats.

    Parameters
    ----------
    sweeps : sequence of Sweep
        Of any knobs; the front is that of all of them. Only what fits is drawn; where nothing does, all.
    """
    metric = latency(sweeps[0].result)
    found = _candidates(sweeps, metric)
    x, y = (np.array([getattr(one, name) for one in found]) for name in ("time", "output"))
    best = front(x, y)
    stride = -(-len(found) // MOST_POINTS)
    figure = new(theme.HEIGHT + 40)
    for number, sweep in enumerate(sweeps):
        mine = [index for index in range(0, len(found), stride) if found[index].sweep is sweep]
        look = theme.series(number)
        marker = {"color": look["color"] if len(sweeps) > 1 else theme.GREY, "symbol": look["symbol"], "size": 5}
        name = label(sweep.label) if len(sweeps) > 1 else "all configurations"
        _scatter(figure, name, [found[i] for i in mine], metric, mode="markers", marker=marker, opacity=0.6)
    shown = [found[index] for index in best[:: -(-len(best) // MOST_POINTS)]]
    marker = {"color": theme.VERMILION, "size": 8, "symbol": "diamond-open", "line": {"width": 2}}
    line = {"color": theme.VERMILION, "width": 1.5}
    _scatter(figure, "no other beats them", shown, metric, mode="lines+markers", marker=marker, line=line)
    figure.update_xaxes(
        title_text=f"{metric.label} [{metric.unit}]", tickformat="~s", ticksuffix=metric.unit, rangemode="tozero"
    )
    figure.update_yaxes(title_text="output tokens/s of the whole system", tickformat="~s", rangemode="tozero")
    left = "" if stride == 1 else f" One in {stride} of the others is drawn."
    caption = (
        f"{len(best):,} of {sum(map(len, sweeps)):,} configurations are beaten by no other one in both respects; "
        f"{sum(int(np.sum(sweep.result.memory.fits)) for sweep in sweeps):,} fit in memory.{left} "
        "The table lists the former."
    )
    beside = first_token(sweeps[0].result)
    head = ("configuration", metric.head, beside.head, "output")
    before = ["" if len(sweeps) == 1 else f"{found[i].sweep.label}: " for i in best]
    rows = [
        (name + knobs_said(found[i].sweep, found[i].index), quantity(found[i].time, "time"),
         quantity(found[i].sweep.of(beside.name)[found[i].index], "time"), tokens(found[i].output))
        for name, i in zip(before, best, strict=True)
    ]  # fmt: skip
    return drawing("pareto", "What no other configuration beats", caption, figure, head, rows)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration of a sweep, by what a reader waits for and what the system gives. [s], [1/s]"""

    sweep: Sweep
    index: int
    time: float
    output: float


def _candidates(sweeps: Sequence[Sweep], metric: Output) -> list[Candidate]:
    """Everything that fits; where nothing does, everything."""
    fitting = any(np.any(sweep.result.memory.fits) for sweep in sweeps)
    out = []
    for sweep in sweeps:
        x, y = sweep.of(metric.name), sweep.of(RATE)
        good = np.isfinite(x) & np.isfinite(y) & (sweep.result.memory.fits if fitting else True)
        out += [Candidate(sweep, i, float(x[i]), float(y[i])) for i in np.flatnonzero(good).tolist()]
    return out


def _scatter(figure: Any, name: str, found: list[Candidate], metric: Output, **style: Any) -> None:
    figure.add_scatter(
        x=np.array([one.time for one in found]),
        y=np.array([one.output for one in found]),
        name=name,
        hovertext=[_said(one.sweep, one.index, "projection", metric) for one in found],
        hoverinfo="text",
        **style,
    )
