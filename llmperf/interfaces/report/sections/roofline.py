"""What the device could do, and where the operators stand."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import roofline
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import Inputs

TITLE = "Roofline"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def render(inputs: Inputs) -> Iterator[Drawing]:
    """All results in one figure, and where there are several each by itself, so that it can be read."""
    yield roofline.roofline(inputs.results)
    if len(inputs.results) > 1:
        for name, result in inputs.results.items():
            drawing = roofline.roofline({name: result})
            yield drawing.titled(f"{drawing.title}: {name}")
