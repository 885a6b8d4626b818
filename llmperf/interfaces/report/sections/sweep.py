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
    knobs = list(inputs.sweeps[0].knobs)
    yield h("p", f"{len(inputs.sweeps[0]):,} configurations of {', '.join(knobs)} for each scenario.", class_="note")
    if len(knobs) == 1:
        yield from (sweep.curves(one) for one in inputs.sweeps)
    yield frontier.pareto(inputs.sweeps)
