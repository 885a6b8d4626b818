"""Scenarios of many configurations: a model of each kind, batch and lengths all over what it can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import llmperf
from llmperf.records import dataclass

POINTS = 400_000
LARGEST_BATCH, LONGEST_OUTPUT = 256, 1024
GRID = (100, 100, 40)
"""Different batches, inputs and outputs, of which a grid has every combination."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario whose batch, input and output vary.

    Attributes
    ----------
    name : str
    rest : mapping
        All else, as keywords of `llmperf.estimate`.
    budget : float
        Of one configuration, in units of the reference. [1]
    grid : bool
        Whether the numbers are a product, or drawn one by one.
    """

    name: str
    rest: Mapping[str, Any]
    budget: float
    grid: bool = False

    def numbers(self, points: int = POINTS) -> dict[str, Any]:
        """Batches, inputs and outputs, as arrays that broadcast."""
        context = llmperf.load(None, self.rest).template.model.max_context
        longest: dict[str, Any] = {"batch": LARGEST_BATCH, "input": context - LONGEST_OUTPUT, "output": LONGEST_OUTPUT}
        if self.grid:
            axes = (np.linspace(1, most, n).astype(int) for most, n in zip(longest.values(), GRID, strict=True))
            return dict(zip(longest, np.ix_(*axes), strict=True))
        generator = np.random.default_rng(0)
        return {name: generator.integers(1, most + 1, points) for name, most in longest.items()}


DENSE = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
SCENARIOS = (
    Scenario("llama-3.1-8b", DENSE, 1_100),
    Scenario("gemma-2-9b", {"model": "gemma-2-9b", "hardware": "h100-sxm"}, 1_300),
    Scenario("mixtral-8x7b, tp 2", {"model": "mixtral-8x7b", "hardware": "h100-sxm", "tp": 2}, 1_700),
    Scenario("deepseek-v3, tp 8", {"model": "deepseek-v3", "hardware": "h200-sxm", "tp": 8}, 2_300),
    Scenario("llama-2-7b, kivi", {"model": "llama-2-7b", "hardware": "h100-sxm", "kv_cache": "kivi-2bit"}, 2_600),
    Scenario("llama-3.1-8b, 100x100x40", DENSE, 300, grid=True),
)
"""Dense, of windows, of experts, of latent attention, of a KV-cache method; and a product of axes."""
