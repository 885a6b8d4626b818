"""One configuration at a time in a running process: asked for by `llmperf.estimate`, and prepared."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import llmperf
from benchmarks.common import SCENARIO, line
from benchmarks.reference import REPETITIONS, reference, spent_s
from llmperf.answers.repeated import OFTEN

CALLS = 300
"""Calls of one repetition, each with another batch and input."""


def calls_s(call: Callable[..., Any]) -> tuple[float, float]:
    """CPU time of one call: the median and the best of some repetitions. [s]"""
    numbers = count()

    def work() -> None:
        for _ in range(CALLS):
            number = next(numbers)
            call(batch=1 + number % 64, input=1024 + number % 1000)

    times = [spent_s(work) / CALLS for _ in range(REPETITIONS)]
    return statistics.median(times), min(times)


def first_s(call: Callable[..., Any]) -> tuple[float, float]:
    """CPU time of an estimate before its scenario is recorded, and of the one that records it. [s]"""
    spent = [spent_s(partial(call, batch=1 + number % 64, input=1024 + number)) for number in range(OFTEN + 1)]
    return statistics.median(spent[1:OFTEN]), spent[OFTEN]


def lines() -> Iterator[str]:
    """The figures beside their budgets."""
    yield reference()
    rest: dict[str, Any] = {key: value for key, value in SCENARIO.items() if key not in ("batch", "input")}
    estimate, prepared = partial(llmperf.estimate, **rest), llmperf.prepare(**rest)
    first, recorded = first_s(estimate)
    yield line("estimate, not yet recorded", f"{1e3 * first:.2f}", "ms")
    yield line(f"estimate {OFTEN + 1}, which records", f"{1e3 * recorded:.0f}", "ms")
    median, best = calls_s(estimate)
    yield line("one warm estimate", f"{1e3 * median:.3f}", "ms", "0.3 ms", f"best {1e3 * best:.3f}")
    recorded = spent_s(partial(prepared, batch=1, input=1024))
    yield line("first call of what is prepared", f"{1e3 * recorded:.0f}", "ms")
    median, best = calls_s(prepared)
    yield line("a prepared call", f"{1e6 * median:.0f}", "us", "60 us", f"best {1e6 * best:.0f}")
