"""Time of one step: engines, transfers and host together, through the stages of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmperf.costs.host import launched
from llmperf.costs.overlap import hidden
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.numeric import Real, anywhere, choose, most
from llmperf.phases.placement import Transfer
from llmperf.phases.setup import Setup


@dataclass(frozen=True, slots=True)
class StepTime:
    """Times of one step through all stages and in each of them, and what the projection waits for. [s]"""

    projection: Sum
    roofline: Sum
    waits: dict[str, Real]


def _together(parts: dict[str, Sum], costs: StepCosts, concurrency: Real) -> Sum:
    """Engines that take turns, or of whose shorter sides a share is hidden; links always wait.

    However well engines hide each other, a resource that they share is busy for all of them.
    """
    engines = [part for name, part in parts.items() if name != "link"]
    both = engines[0]
    if len(engines) > 1:

        def joined(*times: Real) -> Any:
            total, longest = times[0], times[0]
            for time in times[1:]:
                total, longest = total + time, most(longest, time)
            return total - concurrency * (total - longest)

        both = combine(joined, *engines)
        if anywhere(concurrency > 0.0):
            both = combine(most, both, _longest({name: p for name, p in costs.demands.items() if "link" not in name}))
    return both + parts["link"] if "link" in parts else both


def _longest(parts: dict[str, Sum]) -> Sum:
    """The longest of several times."""
    found = list(parts.values())
    out = found[0]
    for part in found[1:]:
        out = combine(most, out, part)
    return out


def step_time(
    setup: Setup, costs: StepCosts, transfer: Transfer, overlap: Real, sequences: Real, captured: bool
) -> StepTime:
    """Time of one priced step.

    Parameters
    ----------
    setup : Setup
    costs : StepCosts
    transfer : Transfer
        What the step moves from tiers behind the main memory.
    overlap : number
        Share of streamed transfers that hides behind computing. [1]
    sequences : number or array
        Sequences in the step. [1]
    captured : bool
        Whether the step replays a captured graph instead of launching every operator.
    """
    scenario = setup.scenario
    achieved, engine = scenario.hardware.achieved, scenario.engine
    device = _together(costs.time, costs, scenario.hardware.concurrency)
    ideal = _together(costs.roofline, costs, scenario.hardware.concurrency)
    waits = {name: part.total for name, part in costs.limits.items()}
    for resource, part in transfer.direct.items():
        device = device + part
        waits[resource] = part.total
    if transfer.streamed:
        moved = _longest(transfer.streamed)
        longer = combine(lambda time, beside: hidden(time, beside, overlap), device, moved)
        exposed = longer.total - device.total
        for resource, part in transfer.streamed.items():
            waits[resource] = choose(part.total >= moved.total, exposed, 0.0)
        device = longer
    for resource, part in transfer.kv.items():
        whole = part + transfer.weights[resource] if resource in transfer.weights else part
        ideal = combine(most, ideal, whole)
    if not captured:
        busy = combine(lambda time, count: launched(time, count, achieved.launch), device, costs.launches)
        waits["host"] = busy.total - device.total
        device = busy
    host = engine.step_time + engine.sequence_time * sequences
    waits["host"] = waits.get("host", 0.0) + host
    # the host prepares a step on every stage of a pipeline
    through = None if device.whole is None else device.whole + host * setup.shards.pp
    return StepTime(Sum(device.stages + host, through), ideal, waits)


def pipelined(through: Real, busiest: Real, steps: Real) -> Real:
    """Time of equal steps through a pipeline: one passes through, the others follow at the slowest stage. [s]"""
    return through + (steps - 1.0) * busiest
