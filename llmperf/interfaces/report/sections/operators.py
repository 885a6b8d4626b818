"""Where the time goes."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import operators
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import Inputs

TITLE = "Time by operator"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def render(inputs: Inputs) -> Iterator[Drawing]:
    """What all phases wait for, then the operators of each phase."""
    yield operators.waits(inputs.results)
    for name, result in inputs.results.items():
        for phase, limit in result.bottleneck.items():
            if limit is not None:
                drawing = operators.operator_times(result, phase)
                yield drawing if len(inputs.results) == 1 else drawing.titled(f"{drawing.title}: {name}")
