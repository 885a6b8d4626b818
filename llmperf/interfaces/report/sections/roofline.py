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
    """One figure a result, so that each can be read; of several with all roofs in one before them."""
    for name, result in inputs.results.items():
        drawing = roofline.roofline({name: result})
        yield drawing if len(inputs.results) == 1 else drawing.titled(f"{drawing.title}: {name}")
