"""Workloads: how many sequences of what length, and how tokens choose experts."""

from __future__ import annotations

from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, Whole, WholeOrZero
from llmperf.records import dataclass

Maximize = Literal["batch", "context", "throughput"]
"""What of a workload is to be as large as memory allows (`llmperf.answers.maximize`)."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A static batch: `batch` sequences on the whole system, all prompts there at time zero."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    batch: Whole = 1
    input: Whole = 1024
    """Prompt tokens a sequence, the shared prefix included."""
    output: Whole = 128
    """Generated tokens a sequence; the first comes out of prefill."""
    shared_prefix: WholeOrZero = 0
    """Prompt tokens that all sequences share and that are cached already."""
    routing_diversity: Fraction = 1.0
    """How independently tokens choose experts: 1 independently and uniformly, 0 all alike."""
    maximize: Maximize | None = None
    """In place of the batch: the largest that fits, or up to it the one of the highest throughput; of the input
    (``context``): the longest that fits."""
