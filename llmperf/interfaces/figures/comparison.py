"""Configurations side by side: how many times better each is than the first."""

from __future__ import annotations

import math

from llmperf.answers.answer import Answer
from llmperf.answers.comparison import Comparison
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, drawing, hover, label, new
from llmperf.outputs import Output
from llmperf.words.quantities import cell, times
from llmperf.words.tables import outputs


def compared(found: Comparison) -> list[Output]:
    """Outputs that the figure shows: of those that views of comparisons show, the ones that all results have."""
    first = found.results[0]
    shown = dict.fromkeys((*outputs(first, "compare"), *outputs(first, "card")))
    ratios = [found.speedup(index) for index in range(len(found.results))]
    return [
        one
        for one in outputs(first)
        if one in shown and all(math.isfinite(each.get(one.name, math.nan)) for each in ratios)
    ]


def speedups(found: Comparison) -> Drawing:
    """How many times better the projections are than those of the first configuration.

    Parameters
    ----------
    found : Comparison
        Of at least two configurations.
    """
    base, others = found.results[0], range(1, len(found.results))
    kept = compared(found)
    figure = new(theme.HEIGHT)
    for index in others:
        name, result, ratios = label(found.labels[index]), found.results[index], found.speedup(index)
        figure.add_bar(
            x=[metric.head for metric in kept],
            y=[ratios[metric.name] for metric in kept],
            name=name,
            marker=theme.filled(theme.series(index - 1)["color"], theme.PATTERNS[(index - 1) % len(theme.PATTERNS)]),
            text=[times(ratios[metric.name]) for metric in kept],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                hover(
                    f"<b>{name}</b>",
                    f"{metric.head}: {value(result, metric)}",
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
    head = ("configuration", *(metric.head for metric in kept), *(f"{metric.head}: times" for metric in kept))
    rows = [
        (
            found.labels[index],
            *(value(result, metric) for metric in kept),
            *(times(found.speedup(index)[metric.name]) for metric in kept),
        )
        for index, result in enumerate(found.results)
    ]
    return drawing("comparison", f"Compared with {found.labels[0]}", caption, figure, head, rows)


def value(result: Answer, output: Output) -> str:
    """A projected output as a person reads it."""
    return cell(output, result.value(output.name))
