"""Results along the knobs that were swept, and the configurations that no other one beats."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import frontier, sweep
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, h
from llmperf.interfaces.report.inputs import Inputs

TITLE = "Sweep"


def applies(inputs: Inputs) -> bool:
    """Whether something was swept."""
    return bool(inputs.sweeps)


def render(inputs: Inputs) -> Iterator[Html | Drawing]:
    """Of one knob the outputs against it; of any the front of latency and throughput."""
    for one in inputs.sweeps:
        knobs = ", ".join(one.knobs)
        yield h("p", f"{one.label}: {len(one):,} configurations of {knobs}.", class_="note")
        if len(one.knobs) == 1:
            yield sweep.curves(one)
        yield frontier.pareto(one)
