"""How sure the numbers are: error bands, and the measurements behind them."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.evidence.bands import Band
from llmperf.evidence.confidence import METRICS, error_bands, neighbours
from llmperf.interfaces.figures import error
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h, table
from llmperf.interfaces.report.inputs import Inputs
from llmperf.numeric import first
from llmperf.words.confidence import neighbour

TITLE = "How sure this is"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def render(inputs: Inputs) -> Iterator[Html | Drawing]:
    """The bands of each result, and where the evidence was asked for, its measurements."""
    rows, bands, near = [], dict[str, Band](), dict[str, str]()
    for name, result in inputs.results.items():
        for phase, one in error_bands(result).items():
            band = bands.setdefault(one.band.name, one.band)
            ends = [f"{first(end):.2f}" for end in (one.low, one.middle, one.high)]
            numbers = (f"{band.n}", f"{band.groups}", f"{one.coverage:.0%}")
            rows.append((name, METRICS[phase], band.name, *ends, *numbers))
            if one.wide:
                near |= {row.id: f"{METRICS[phase]}: {neighbour(row)}" for row in neighbours(result, phase)}
    if not rows:
        yield h("p", "No measured results are of these classes: the projections have no error band.")
        return
    yield h(
        "p",
        "Measured over projected time in the class of each result, from the measurements that ship: 8 of 10 lie "
        "between low and high. A group is a model on a chip by an engine; coverage is that of groups, or of chips, "
        "which a band was not made from.",
    )
    head = ("configuration", "result", "class", "low", "median", "high", "rows", "groups", "coverage")
    yield table(head, rows, text=3)
    if near:
        yield h("p", "Where a band is too wide to decide anything, these measurements are the nearest:")
        yield h("ul", *(h("li", text) for text in near.values()))
    if not inputs.evidence:
        yield h("p", "With --error, the measurements of these classes are drawn here.", class_="note")
    for name, band in bands.items():
        found = error.pairs(inputs.evidence, name)
        if found:
            yield error.scatter("error", f"Measured results of {name}", found, band)
