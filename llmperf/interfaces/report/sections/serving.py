"""What the users of a service see, what becomes of it, and how that follows from its load."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.interfaces.figures import service
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h, items, table
from llmperf.interfaces.report.inputs import SERVICE, Inputs
from llmperf.outputs import SERVED
from llmperf.outputs.serving import PERCENTILES, TIMES
from llmperf.words.quantities import cell
from llmperf.words.service import sentences

TITLE = "Service"


def applies(inputs: Inputs) -> bool:
    """Whether there are services."""
    return bool(inputs.having(*SERVICE))


def render(inputs: Inputs) -> Iterator[Html | Drawing | None]:
    """Of each service the times of its requests, what becomes of it, and both along its load."""
    for name, result in inputs.having(*SERVICE).items():
        several = len(inputs.results) > 1
        if several:
            yield h("h3", name)
        head = ("time of a request", "mean", *(f"p{one}" for one in PERCENTILES), "bound")
        yield table(head, _times(result))
        yield items(f"{words[:1].upper()}{words[1:]}." for words in sentences(result))
        drawing = service.along_load(inputs.along_load[name], result)
        yield drawing.titled(f"{drawing.title}: {name}") if several else drawing
    yield h(
        "p",
        "p90 is what 9 of 10 requests take at most. The steady state is solved, not simulated; the bound is that of a "
        "request alone, which no system beats.",
        class_="note",
    )


def _times(result: Answer) -> Iterator[tuple[str, ...]]:
    """Means and percentiles of the times of requests, and what no system beats."""
    for name, label in TIMES.items():
        stem = name.removesuffix("_s").removesuffix("_mean")
        paths = (name, *(f"{stem}_p{percent}_s" for percent in PERCENTILES))
        values = (cell(SERVED[path], result.value(path)) for path in paths)
        yield (label, *values, cell(SERVED[name], result.value(f"bound.{name}")))
