"""Throughput against latency along the batch."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.interfaces.figures import frontier
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import BATCH, Inputs

TITLE = "Throughput and latency"


def applies(inputs: Inputs) -> bool:
    """Whether there are static batches."""
    return bool(inputs.having(*BATCH))


def render(inputs: Inputs) -> Iterator[Drawing]:
    """One figure for all results."""
    yield frontier.throughput_latency(inputs.having(*BATCH), inputs.along_batch)
