"""Time of one step: engines, transfers and host together, through the stages of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmperf.costs.host import launched
from llmperf.costs.overlap import hidden
from llmperf.costs.roofline import bound, main_memory_bytes
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.numeric import Real, most
from llmperf.phases.placement import Transfer
from llmperf.phases.setup import Setup


@dataclass(frozen=True, slots=True)
class StepTime:
    """Times of one step through all stages and in each of them, and what the projection waits for. [s]"""

    projection: Sum
    roofline: Sum
    waits: dict[str, Real]


def _together(parts: dict[str, Sum], concurrency: Real) -> Sum:
    """Engines that take turns, or of whose shorter sides a share is hidden; links always wait."""
    engines = [part for name, part in parts.items() if name != "link"]
    both = engines[0]
    if len(engines) > 1:

        def joined(*times: Real) -> Any:
            total, longest = times[0], times[0]
            for time in times[1:]:
                total, longest = total + time, most(longest, time)
            return total - concurrency * (total - longest)

        both = combine(joined, *engines)
    return both + parts["link"] if "link" in parts else both


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
    device = _together(costs.time, scenario.hardware.concurrency)
    ideal = _together(costs.roofline, scenario.hardware.concurrency)
    waits = {name: part.total for name, part in costs.limits.items()}
    for resource, part in transfer.direct.items():
        device = device + part
        ideal = ideal + transfer.demands[resource]
        waits[resource] = part.total
    for resource, part in transfer.streamed.items():
        longer = combine(lambda time, moved: hidden(time, moved, overlap), device, part)
        waits[resource] = longer.total - device.total
        device = longer
        ideal = combine(most, ideal, transfer.demands[resource])
    if not captured:
        busy = combine(lambda time, count: launched(time, count, achieved.launch), device, costs.launches)
        waits["host"] = busy.total - device.total
        device = busy
    host = engine.step_time + engine.sequence_time * sequences
    waits["host"] = waits.get("host", 0.0) + host
    # the host prepares a step on every stage of a pipeline
    through = None if device.whole is None else device.whole + host * setup.shards.pp
    return StepTime(Sum(device.stages + host, through), ideal, waits)


def demands(
    setup: Setup, costs: StepCosts, transfer: Transfer, elsewhere: tuple[Real, Real], passes: Real
) -> dict[str, Sum]:
    """Time of every resource for `passes` steps that share their weights: total over stages, and each stage. [s]

    Weights need to be read once, whatever the steps; what the last-level cache can hold need not be read at all.
    """
    hardware = setup.scenario.hardware
    cache = hardware.cache.capacity if hardware.cache and hardware.cache.capacity else 0.0
    found = {
        name: combine(lambda time: time * passes, part) for name, part in {**costs.demands, **transfer.demands}.items()
    }
    machine = setup.machine
    kinds = {priced.memory: priced.block.kind for priced in costs.priced if priced.block.kind != "collective"}
    for name, kind in kinds.items():
        rate = machine.bandwidth(kind)
        weights, kv = costs.weights[name], costs.kv[name]
        on_device = name == "memory.main"
        here, here_kv = (1.0 - elsewhere[0], 1.0 - elsewhere[1]) if on_device else (1.0, 1.0)
        held = cache if on_device else 0.0

        def needed(
            size: Any, cached: Any, held: Any, here: Any = here, here_kv: Any = here_kv, rate: Any = rate
        ) -> Any:
            return main_memory_bytes(here * size + passes * here_kv * cached, held) / rate

        stages = needed(weights.stages, kv.stages, held)
        whole = None if weights.whole is None else needed(weights.whole, kv.whole, held * setup.shards.pp)
        found[name] = Sum(stages, whole)
    return found


def pipelined_bound(parts: dict[str, Sum], passes: Real) -> Real:
    """Bound of a pipeline.

    Parameters
    ----------
    parts : dict of str to Sum
        Demands of all steps together (`demands`).
    passes : number or array
        Steps; one of them must pass through all stages, one after the other.

    Returns
    -------
    number or array
        The busiest resource of the busiest stage over all steps, or one step through all stages. [s]
    """
    busiest = busiest_stage(parts)
    through = bound(part.total / passes for part in parts.values())
    return most(busiest, through)


def busiest_stage(parts: dict[str, Sum]) -> Real:
    """The busiest resource of the busiest stage. [s]"""
    return bound(part.busiest for part in parts.values())


def pipelined(through: Real, busiest: Real, steps: Real) -> Real:
    """Time of equal steps through a pipeline: one passes through, the others follow at the slowest stage. [s]"""
    return through + (steps - 1.0) * busiest
