"""A steady state on a terminal."""

from __future__ import annotations

from typing import Any

from llmperf.answers.answer import Answer
from llmperf.answers.questions import QUESTIONS
from llmperf.interfaces.console import confidence
from llmperf.interfaces.console.style import console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.outputs import SERVED
from llmperf.outputs.serving import PERCENTILES, TIMES
from llmperf.words.quantities import NONE, cell
from llmperf.words.scenario import headline
from llmperf.words.service import sentences


def show(result: Answer) -> None:
    """Print a service: times of its requests with percentiles, rates and costs, what is busy, and what limits it."""
    out = console()
    out.print(f"{bold(text(headline(result)))}\n")
    out.print(times_table(result))
    out.print(_rates(result))
    if not result.shape:
        for sentence in sentences(result):
            out.print(text(sentence))
        limits = [f"{phase} by {bold(text(name))}" for phase, name in result.bottleneck.items() if name is not None]
        out.print(f"limited: {', '.join(limits)}")
    if "memory" in result.parts and not result.shape and not result.memory.fits:
        out.print(f"{bold('does not fit')}: llmperf memory says what would; the times above assume that it did")
    confidence.show(out, result)
    for warning in result.warnings:
        out.print(f"note: {text(warning)}")


def times_table(result: Answer) -> Any:
    """Means and percentiles of the times of requests, and what no system beats."""
    made = table("", "mean", *(f"p{percent}" for percent in PERCENTILES), "bound")
    for name, label in TIMES.items():
        mean = SERVED[name]
        stem = name.removesuffix("_s").removesuffix("_mean")
        row = [cell(mean, result.value(name))]
        row += [cell(SERVED[f"{stem}_p{percent}_s"], result.value(f"{stem}_p{percent}_s")) for percent in PERCENTILES]
        made.add_row(label, *row, cell(mean, result.value(f"bound.{name}")))
    return made


def _rates(result: Answer) -> Any:
    """Rates, energy and costs."""
    made = table("", "", "bound")
    part = next(one for one in QUESTIONS[result.question].parts if one.name == "projection")
    for output in part.outputs:
        if output.unit == "s" or "aside" in output.shown:
            continue
        value = cell(output, result.value(output.name))
        if value != NONE:
            made.add_row(output.label, value, cell(output, result.value(f"bound.{output.name}")))
    return made
