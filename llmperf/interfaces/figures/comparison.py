"""Configurations side by side: how many times better each is than the first."""

from __future__ import annotations

import math

from llmperf.answers.answer import Answer
from llmperf.answers.comparison import Comparison
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, hover, label, new, quantity, rate

METRICS = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "e2e_s": "end to end",
    "output_tokens_per_s": "output tokens/s",
    "energy_per_output_token_j": "energy a token",
}
"""Outputs that are compared, and what they are called."""


def speedups(found: Comparison) -> Drawing:
    """How many times better the projections are than those of the first configuration.

    Parameters
    ----------
    found : Comparison
        Of at least two configurations.
    """
    base, others = found.results[0], range(1, len(found.results))
    kept = [name for name in METRICS if all(math.isfinite(getattr(one.projection, name)) for one in found.results)]
    figure = new(theme.HEIGHT)
    for index in others:
        name, result, ratios = label(found.labels[index]), found.results[index], found.speedup(index)
        figure.add_bar(
            x=[METRICS[metric] for metric in kept],
            y=[ratios[metric] for metric in kept],
            name=name,
            marker=theme.filled(theme.series(index - 1)["color"], theme.PATTERNS[(index - 1) % len(theme.PATTERNS)]),
            text=[f"{ratios[metric]:.2f}x" for metric in kept],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                hover(
                    f"<b>{name}</b>",
                    f"{METRICS[metric]}: {value(result, metric)}",
                    f"{label(found.labels[0])}: {value(base, metric)}",
                )
                for metric in kept
            ],
            hoverinfo="text",
        )
    figure.add_hline(y=1.0, line={"color": theme.GREY, "dash": "dash", "width": 1.5})
    figure.update_yaxes(title_text="times better than the first", rangemode="tozero")
    figure.update_xaxes(type="category")
    figure.update_layout(showlegend=True)
    caption = (
        f"Projections beside those of {found.labels[0]}: above the dashed line is better; of times and energy, less "
        "is better."
    )
    head = ("configuration", *(METRICS[metric] for metric in kept), *(f"{METRICS[metric]}: times" for metric in kept))
    rows = [
        (
            found.labels[index],
            *(value(result, metric) for metric in kept),
            *(f"{found.speedup(index)[metric]:.3g}" for metric in kept),
        )
        for index, result in enumerate(found.results)
    ]
    return drawing("comparison", f"Compared with {found.labels[0]}", caption, figure, head, rows)


def value(result: Answer, metric: str) -> str:
    """A projected output as a person reads it."""
    number = getattr(result.projection, metric)
    if metric.endswith("per_s"):
        return rate(number)
    return quantity(number, "energy" if metric.endswith("_j") else "time")
