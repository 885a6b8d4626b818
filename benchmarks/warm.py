"""One estimate in a running process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import llmperf
from benchmarks.common import SCENARIO


def warm_ms(runs: int = 300) -> float:
    """Median time of one estimate. [ms]"""
    llmperf.estimate(**SCENARIO)
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        llmperf.estimate(**SCENARIO)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def lines() -> Iterator[str]:
    """The figure beside its budget."""
    yield f"one warm estimate             {warm_ms():8.2f} ms       (budget 1 ms)"
