"""Arrays of configurations."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

import llmperf
from benchmarks.common import SCENARIO

MODELS = ("llama-3.1-70b", "mixtral-8x7b", "gemma-2-9b")
"""Dense, of experts, and of windows."""


def configurations_per_second(model: str, repeats: int = 5) -> float:
    """Configurations (prefill, decode and memory) a second, numeric axes varying. [1/s]"""
    batch = np.arange(1, 513)[:, None]
    length = np.linspace(128, 7680, 512).astype(int)[None, :]
    best = np.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        llmperf.estimate(**{**SCENARIO, "model": model, "batch": batch, "input": length})
        best = min(best, time.perf_counter() - begin)
    return batch.size * length.size / best


def lines() -> Iterator[str]:
    """The figure of each model beside its budget."""
    for model in MODELS:
        yield f"configurations, {model:14s}{configurations_per_second(model):8,.0f} /s       (budget 300,000 /s)"
