"""Configurations side by side, and what makes the difference."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import comparison
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h, items
from llmperf.interfaces.report.inputs import Inputs
from llmperf.words.difference import explanation

TITLE = "Comparison"


def applies(inputs: Inputs) -> bool:
    """Whether there are two results or more."""
    return inputs.comparison is not None


def render(inputs: Inputs) -> Iterator[Html | Drawing | None]:
    """Ratios, then the reasons of each."""
    found = inputs.comparison
    assert found is not None
    yield comparison.speedups(found)
    for index in range(1, len(found.labels)):
        yield h("h3", f"What makes the difference: {found.labels[index]}")
        yield items(explanation(found, index))
