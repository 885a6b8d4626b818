"""Throughput against latency along the batch."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import frontier
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import RATE, Inputs

TITLE = "Throughput and latency"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.having(RATE))


def render(inputs: Inputs) -> Iterator[Drawing]:
    """One figure for all results."""
    yield frontier.throughput_latency(inputs.having(RATE), inputs.along_batch)
