"""Arrays of configurations: their price beside the reference, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import llmperf
from benchmarks.common import line
from benchmarks.reference import measured, reference, spent_s, unit_s
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.shares import of_operations, of_stages

SHOWN = 6
"""Kinds of operations that are told one by one: those that take most."""


def lines() -> Iterator[str]:
    """Each scenario beside its budget, with the shares of its stages and operations."""
    yield reference()
    for scenario in SCENARIOS:
        yield from _lines(scenario)


def _lines(scenario: Scenario) -> Iterator[str]:
    numbers = scenario.numbers()
    recording = _recording_ms(scenario)

    def work() -> llmperf.Estimate:
        return llmperf.estimate(**scenario.rest, **numbers)

    points = work().tpot_s.size
    found = measured(work, points)
    said = f"best {found.best:,.0f}; {points / found.seconds / 1e6:.2f} M configurations/s"
    yield line(scenario.name, f"{found.median:,.0f}", "units/pt", f"{scenario.budget:,.0f} units/pt", said)
    yield line("  read every output besides", f"{_reading(work, points):,.0f}", "units/pt")
    yield line("  first call, beyond the next", f"{recording:.0f}", "ms")
    yield "  its stages: " + ", ".join(f"{name} {share:.1%}" for name, share in of_stages(work).items())
    yield "  the replay: " + ", ".join(_operations(work))


def _recording_ms(scenario: Scenario, points: int = 20_000) -> float:
    """What the first call of arrays takes beyond the next. [ms]"""
    numbers = scenario.numbers(points)
    llmperf.estimate(**scenario.rest, batch=2)  # files are read, modules imported
    first, then = (spent_s(lambda: llmperf.estimate(**scenario.rest, **numbers)) for _ in range(2))
    return 1e3 * (first - then)


def _reading(work: Callable[[], Any], points: int) -> float:
    """What it takes to read each output of an answer, those that formulas give and names of limits among them."""
    found = work()
    spent = spent_s(lambda: [found.value(path) for path in found.paths])
    return spent / points / unit_s()


def _operations(work: Callable[[], object]) -> Iterator[str]:
    """Shares of kinds of operations, and what an element of each takes."""
    unit = unit_s()
    watch, whole = of_operations(work)
    kinds = {name: spent for name, spent in watch.spent.items() if name != "all"}
    names = sorted(kinds, key=kinds.__getitem__, reverse=True)
    for name in names[:SHOWN]:
        calls, price = watch.calls[name] / watch.calls["all"], kinds[name] / watch.elements[name] / unit
        yield f"{name} {kinds[name] / whole:.1%} ({calls:,.0f} calls, {price:.1f} units)"
    yield f"other operations {sum(kinds[name] for name in names[SHOWN:]) / whole:.1%}"
    yield f"between them {1.0 - sum(kinds.values()) / whole:.1%}"
