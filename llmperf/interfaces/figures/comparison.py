"""Configurations side by side: how many times better each is than the first."""

from __future__ import annotations

import math

from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, drawing, hover, label, new, quantity, rate
from llmperf.interfaces.results import Estimate

METRICS = (
    ("ttft_s", "TTFT", "lower"),
    ("tpot_s", "TPOT", "lower"),
    ("e2e_s", "end to end", "lower"),
    ("output_tokens_per_s", "output tokens/s", "higher"),
)
"""Outputs that are compared: name, label, and which direction is better."""


def speedup(base: Estimate, other: Estimate, name: str, better: str) -> float:
    """How many times better a projected output is than that of `base`. [1]"""
    before, after = (float(getattr(result.projection, name)) for result in (base, other))
    above, below = (before, after) if better == "lower" else (after, before)
    return above / below if below else math.nan


def speedups(results: Results) -> Drawing:
    """How many times better the projections of all results are than those of the first.

    Parameters
    ----------
    results : mapping of str to Estimate
        By label, at least two; each of one configuration.
    """
    names = list(results)
    base = results[names[0]]
    kept = [m for m in METRICS if all(math.isfinite(getattr(r.projection, m[0])) for r in results.values())]
    figure = new(theme.HEIGHT)
    for index, name in enumerate(names[1:]):
        ratios = [speedup(base, results[name], metric, better) for metric, _, better in kept]
        figure.add_bar(
            x=[said for _, said, _ in kept],
            y=ratios,
            name=label(name),
            marker={
                "color": theme.PALETTE[index % len(theme.PALETTE)],
                "pattern": {"shape": theme.PATTERNS[index % len(theme.PATTERNS)], "fillmode": "overlay", "size": 7},
            },
            text=[f"{ratio:.2f} x" for ratio in ratios],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                hover(
                    f"<b>{label(name)}</b>",
                    f"{said}: {_value(results[name], metric)}",
                    f"{label(names[0])}: {_value(base, metric)}",
                )
                for metric, said, _ in kept
            ],
            hoverinfo="text",
        )
    figure.add_hline(y=1.0, line={"color": theme.GREY, "dash": "dash", "width": 1.5})
    figure.update_yaxes(title_text="times better than the first", rangemode="tozero")
    figure.update_xaxes(type="category")
    figure.update_layout(showlegend=True)
    caption = (
        f"Above the dashed line: better than {names[0]}. Projections; times count as better where they are shorter."
    )
    head = ("configuration", *(said for _, said, _ in kept), *(f"{said}, times better" for _, said, _ in kept))
    rows = [
        (name, *(_value(result, metric) for metric, _, _ in kept),
         *(f"{speedup(base, result, metric, better):.3g}" for metric, _, better in kept))
        for name, result in results.items()
    ]  # fmt: skip
    return drawing("comparison", f"Compared with {names[0]}", caption, figure, head, rows)


def _value(result: Estimate, metric: str) -> str:
    value = getattr(result.projection, metric)
    return rate(value) if metric.endswith("per_s") else quantity(value, "time")
