"""Data sets that were recomputed."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h
from llmperf.interfaces.report.inputs import Inputs
from llmperf.interfaces.report.validation import of_data

TITLE = "Predicted beside measured"


def applies(inputs: Inputs) -> bool:
    """Whether data were recomputed."""
    return bool(inputs.validation.rows)


def render(inputs: Inputs) -> Iterator[Html | Drawing | None]:
    """Errors, violations and the scatter of each data set."""
    for rows in inputs.validation.rows:
        yield h("h3", rows.dataset)
        yield from of_data(rows, inputs.validation)
