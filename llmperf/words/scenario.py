"""A scenario in one line, and what became of it."""

from __future__ import annotations

from llmperf.answers.answer import Answer
from llmperf.descriptors.scenario import Scenario


def headline(result: Answer) -> str:
    """The scenario of a result in one line."""
    return described(result.scenario)


def described(scenario: Scenario) -> str:
    """A scenario in one line."""
    layout, work = scenario.parallelism, scenario.workload
    parts = [
        f"{name} {getattr(layout, name):g}"
        for name in ("tp", "pp", "dp", "ep", "cp", "replicas")
        if getattr(layout, name) != 1
    ]
    ways = f" ({', '.join(parts)})" if parts else ""
    return (
        f"{scenario.model.name} {scenario.weights.name}, KV {scenario.kv_cache.name}, on {layout.devices:g} x "
        f"{scenario.hardware.name}{ways}: {work.batch:g} sequences of {work.input:g} in, {work.output:g} out"
    )


def maximum(scenario: Scenario) -> str:
    """What `maximize` found, in words; empty where nothing was asked for."""
    if scenario.workload.maximize is None:
        return ""
    from llmperf.answers.maximize import said

    return said(scenario)
