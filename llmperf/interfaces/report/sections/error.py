"""How sure the numbers are: error bands, and the measurements behind them."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.evidence.bands import Band
from llmperf.evidence.confidence import METRICS, error_bands
from llmperf.interfaces.figures import error
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h, table
from llmperf.interfaces.report.inputs import Inputs

TITLE = "How sure this is"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def render(inputs: Inputs) -> Iterator[Html | Drawing]:
    """The bands of each result, and where the evidence was asked for, its measurements."""
    rows, bands = [], dict[str, Band]()
    for name, result in inputs.results.items():
        for phase, band in error_bands(result.scenario).items():
            bands.setdefault(band.name, band)
            said = (f"{band.low:.2f}", f"{band.middle:.2f}", f"{band.high:.2f}")
            rows.append(
                (name, METRICS[phase], band.name, *said, f"{band.n}", f"{band.sources}", f"{band.coverage:.0%}")
            )
    if not rows:
        yield h("p", "No measured results are of these classes: the projections have no error band.")
        return
    yield h(
        "p",
        "Measured over projected time in the class of each result, from the measurements that ship: 8 of 10 lie "
        "between low and high. Coverage is that of sources which a band was not made from.",
    )
    head = ("configuration", "result", "class", "low", "median", "high", "rows", "sources", "coverage")
    yield table(head, rows, text=3)
    if not inputs.evidence:
        yield h("p", "With --error, the measurements of these classes are drawn here.", class_="note")
    for name, band in bands.items():
        found = error.pairs(inputs.evidence, name)
        if found:
            yield error.scatter("error", f"Measured results of {name}", found, band)
