"""Throughput against latency: along the batch, and the configurations of a sweep that no other one beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, count, drawing, hover, label, new, quantity, rate
from llmperf.interfaces.figures.sweep import MOST_POINTS, Sweep, against, batches
from llmperf.interfaces.results import Estimate
from llmperf.numeric import Array


def latency(result: Estimate) -> str:
    """The output that a reader waits for: the time of a token, or of the whole where only one is generated."""
    return "tpot_s" if np.isfinite(result.projection.tpot_s).any() else "e2e_s"


RATE = "output_tokens_per_s"
AXES = {"tpot_s": "time of each output token, TPOT [s]", "e2e_s": "end to end [s]"}
SHORT = {"tpot_s": "TPOT", "e2e_s": "end to end"}


def throughput_latency(results: Results, sweeps: Mapping[str, Sweep] | None = None) -> Drawing:
    """Output tokens/s against the time of a token, along the batch.

    Parameters
    ----------
    results : mapping of str to Estimate
        By label; each of one configuration, which is marked on its curve.
    sweeps : mapping of str to Sweep, optional
        The same along the batch, where they are known already.
    """
    figure = new(theme.HEIGHT + 40)
    made = sweeps or {name: against(name, result, "batch", batches(result)) for name, result in results.items()}
    metric = latency(next(iter(results.values())))
    rows: list[tuple[str, ...]] = []
    for index, (name, result) in enumerate(results.items()):
        _curve(figure, made[name], metric, index, len(results) > 1)
        _own(figure, result, metric, index)
        rows += _rows(made[name], metric, f"{name}, " if len(results) > 1 else "")
    figure.update_xaxes(title_text=AXES[metric], tickformat="~s", ticksuffix="s", rangemode="tozero")
    figure.update_yaxes(title_text="output tokens/s of the whole system", tickformat="~s", rangemode="tozero")
    caption = (
        "Each point is a batch: larger ones serve more tokens and let each sequence wait longer. Grey and dashed: the "
        "bound, which no system beats. The ring is the scenario itself; only batches that fit are drawn."
    )
    head = ("batch", SHORT[metric], f"{SHORT[metric]}, bound", "output", "output, bound", "fits")
    return drawing("throughput", "Throughput against latency", caption, figure, head, rows)


def _curve(figure: Any, sweep: Sweep, metric: str, index: int, several: bool) -> None:
    result, look = sweep.result, theme.series(index)
    fits = np.flatnonzero(result.memory.fits)
    chosen = fits if fits.size else np.arange(len(sweep))  # where nothing fits, what would be
    for definition in ("bound", "projection"):
        x, y = (sweep.of(name, definition)[chosen] for name in (metric, RATE))
        projected = definition == "projection"
        name = f"{label(sweep.label)}, {definition}" if several else definition
        line = {"color": look["color"] if projected else theme.GREY, "dash": look["dash"] if projected else "dash"}
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            name=name + ("" if fits.size else " (does not fit)"),
            line={**line, "width": 2 if projected else 1.2},
            marker={"symbol": look["symbol"], "size": 6 if projected else 3},
            hovertext=[_said(sweep, i, definition, metric) for i in chosen],
            hoverinfo="text",
        )


def _own(figure: Any, result: Estimate, metric: str, index: int) -> None:
    part = result.projection
    figure.add_scatter(
        x=[getattr(part, metric)],
        y=[part.output_tokens_per_s],
        mode="markers",
        marker={"symbol": "circle-open", "size": 16, "color": theme.series(index)["color"], "line": {"width": 3}},
        hovertext=f"the scenario: batch {count(result.scenario.workload.batch)}",
        hoverinfo="text",
        showlegend=False,
    )


def _said(sweep: Sweep, index: Any, definition: str, metric: str) -> str:
    time, first, output = (sweep.of(name, definition)[index] for name in (metric, "ttft_s", RATE))
    return hover(
        f"<b>{label(sweep.said(index))}</b>",
        label(sweep.label),
        f"{definition}: {SHORT[metric]} {quantity(time, 'time')}, TTFT {quantity(first, 'time')}",
        rate(output),
        "" if sweep.result.memory.fits[index] else "does not fit",
    )


def _rows(sweep: Sweep, metric: str, before: str) -> list[tuple[str, ...]]:
    times, bounds = sweep.of(metric), sweep.of(metric, "bound")
    outputs, most = sweep.of(RATE), sweep.of(RATE, "bound")
    return [
        (
            f"{before}{sweep.said(i)}",
            quantity(times[i], "time"),
            quantity(bounds[i], "time"),
            rate(outputs[i]),
            rate(most[i]),
            "yes" if sweep.result.memory.fits[i] else "no",
        )
        for i in range(len(sweep))
    ]


def front(cost: Array, gain: Array) -> NDArray[np.intp]:
    """Indices of the points that no other one beats: less `cost` and at least the `gain`, in the order of cost."""
    order = np.lexsort((-gain, cost))
    best = np.maximum.accumulate(np.concatenate(([-np.inf], gain[order][:-1])))
    return np.asarray(order[gain[order] > best])


def pareto(sweep: Sweep) -> Drawing:
    """Configurations by latency and throughput; a line joins those that no other one beats.

    Parameters
    ----------
    sweep : Sweep
        Of any knobs. Only what fits is drawn; where nothing does, all.
    """
    result, metric = sweep.result, latency(sweep.result)
    fits = np.flatnonzero(result.memory.fits)
    chosen = fits if fits.size else np.arange(len(sweep))
    x, y, first = sweep.of(metric), sweep.of(RATE), sweep.of("ttft_s")
    chosen = chosen[np.isfinite(x[chosen]) & np.isfinite(y[chosen])]
    best = chosen[front(x[chosen], y[chosen])]
    stride = -(-len(chosen) // MOST_POINTS)
    figure = new(theme.HEIGHT + 40)
    shown = best[:: -(-len(best) // MOST_POINTS)]
    for name, index, mode, marker in (
        ("all configurations", chosen[::stride], "markers", {"color": theme.GREY, "size": 5, "opacity": 0.6}),
        ("no other beats them", shown, "lines+markers", {"color": theme.VERMILION, "size": 7, "symbol": "diamond"}),
    ):
        hovers = [_said(sweep, i, "projection", metric) for i in index]
        figure.add_scatter(
            x=x[index], y=y[index], name=name, hovertext=hovers, hoverinfo="text", mode=mode, marker=marker
        )
    figure.update_xaxes(title_text=AXES[metric], tickformat="~s", ticksuffix="s", rangemode="tozero")
    figure.update_yaxes(title_text="output tokens/s of the whole system", tickformat="~s", rangemode="tozero")
    left = "" if stride == 1 else f" One in {stride} of the others is drawn."
    caption = (
        f"{len(best)} of {len(sweep)} configurations are beaten by no other one in both respects; "
        f"{len(fits)} fit in memory.{left} The table lists the former."
    )
    head = ("configuration", SHORT[metric], "TTFT", "output")
    rows = [(sweep.said(i), quantity(x[i], "time"), quantity(first[i], "time"), rate(y[i])) for i in best]
    return drawing("pareto", f"{sweep.label}: what no other configuration beats", caption, figure, head, rows)
