"""Time of one step: engines, transfers and host together, through the stages of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llmperf.costs.host import launched
from llmperf.costs.overlap import hidden, smooth_max
from llmperf.costs.residence import Residence
from llmperf.costs.step import StepCosts, Sum, combine, price
from llmperf.numeric import Real, anywhere, ceil_div, choose, least, most
from llmperf.operators.step import Step
from llmperf.operators.table import Block, Table
from llmperf.phases.bounds import fastest, streamed
from llmperf.phases.kernels import prompt_copies
from llmperf.phases.placement import Placed, Transfer, transfers
from llmperf.phases.setup import Setup
from llmperf.records import dataclass
from llmperf.resources import HOST, LATENCY, LINKS, MAIN, is_link, resource_of


@dataclass(frozen=True, slots=True)
class StepTime:
    """Times of one step through all stages and in each of them, and what the projection waits for. [s]"""

    projection: Sum
    roofline: Sum
    waits: dict[str, Real]


@dataclass(frozen=True, slots=True)
class Timed:
    """One step, priced and timed.

    Attributes
    ----------
    costs : StepCosts
        The price of its operators.
    moved : Transfer
        What it moves from tiers behind the main memory.
    time : StepTime
        Its time, projected and by the roofline.
    bound : number or array
        Time that no system beats for as many such steps as share their weights. [s]
    """

    costs: StepCosts
    moved: Transfer
    time: StepTime
    bound: Real


def timed_step(setup: Setup, step: Step, table: Table, placed: Placed, passes: Real = 1.0) -> Timed:
    """A step from its operators to its times.

    Parameters
    ----------
    setup : Setup
    step : Step
        What passes through the model together.
    table : Table
        Its operators.
    placed : Placed
        Where weights and KV cache lie.
    passes : number or array
        Steps of this kind that the bound counts, which read their weights once. [1]

    Returns
    -------
    Timed
        Steps with prompts are launched operator by operator, and pay for what an engine's prompts copy; others replay
        a captured graph where the engine has them.
    """
    scenario = setup.scenario
    costs = price(table, setup.machine, placed.residence, setup.plan.shared)
    moved = transfers(scenario, placed, costs)
    time = step_time(
        setup,
        costs,
        moved,
        placed,
        step.members,
        captured=scenario.engine.graphs and not step.prefills,
        cached=step.sequences * step.decode_context(None) if step.decodes else 0.0,
        beside=prompt_copies(scenario, setup.machine, costs) if step.prefills else None,
    )
    fewest = moved if placed.alone is None else transfers(scenario, placed.alone, costs)
    return Timed(costs, moved, time, fastest(setup, costs, fewest, placed.residence, passes, step.members))


def _together(parts: dict[str, Sum], costs: StepCosts, setup: Setup, residence: Residence) -> Sum:
    """Engines that take turns, or of whose shorter sides a share is hidden; links wait, but for what an engine hides.

    However well engines hide each other, a resource that they share is busy for all of them.
    """
    concurrency = setup.scenario.hardware.concurrency
    engines = [part for name, part in parts.items() if name != LINKS]
    both = engines[0]
    if len(engines) > 1:

        def joined(*times: Real) -> Any:
            total, longest = times[0], times[0]
            for time in times[1:]:
                total, longest = total + time, most(longest, time)
            return total - concurrency * (total - longest)

        both = combine(joined, *engines)
        if anywhere(concurrency > 0.0):
            busy = {name: part for name, part in costs.demands.items() if not is_link(name)}
            both = combine(most, both, _longest({**busy, **streamed(setup, costs, residence)}))
    if LINKS not in parts:
        return both
    hidden = setup.scenario.engine.link_overlap
    if not anywhere(hidden > 0.0):
        return both + parts[LINKS]
    return combine(lambda one, other: one + other - hidden * least(one, other), both, parts[LINKS])


def _longest(parts: dict[str, Sum]) -> Sum:
    """The longest of several times."""
    found = list(parts.values())
    out = found[0]
    for part in found[1:]:
        out = combine(most, out, part)
    return out


def _passing(setup: Setup, costs: StepCosts, transfer: Transfer, residence: Residence) -> Iterator[tuple[str, Sum]]:
    """Time at its peak of every resource on the way from a tier, with what engines read of that tier themselves. [s]"""
    resources = dict.fromkeys((*transfer.own, *transfer.shared))
    engines = streamed(setup, costs, residence) if resources else {}
    for resource in resources:
        parts = [way[resource] for way in (transfer.own, transfer.shared, engines) if resource in way]
        whole = parts[0]
        for part in parts[1:]:
            whole = whole + part
        yield resource, whole


def step_time(
    setup: Setup,
    costs: StepCosts,
    transfer: Transfer,
    placed: Placed,
    sequences: Real,
    captured: bool,
    cached: Real = 0.0,
    beside: Sum | None = None,
) -> StepTime:
    """Time of one priced step.

    Parameters
    ----------
    setup : Setup
    costs : StepCosts
    transfer : Transfer
        What the step moves from tiers behind the main memory.
    placed : Placed
        Where weights, KV cache and states lie, and how much of streaming them hides behind computing.
    sequences : number or array
        Sequences in the step. [1]
    captured : bool
        Whether the step replays a captured graph instead of launching every operator.
    cached : number or array
        Cached tokens that the decoding sequences of the step attend to. [1]
    beside : Sum, optional
        Device time that the engine's kernels need beyond the operators (`llmperf.phases.kernels`). [s]
    """
    scenario = setup.scenario
    engine = scenario.engine
    device = _together(costs.time, costs, setup, placed.residence)
    ideal = _together(costs.roofline, costs, setup, placed.residence)
    waits = {name: part.total for name, part in costs.limits.items()}
    if beside is not None:
        device = device + beside
        waits[MAIN] = waits.get(MAIN, 0.0) + beside.total  # PIM reads nothing there itself
    for resource, part in transfer.direct.items():
        device = device + part
        waits[resource] = part.total
    if transfer.streamed:
        moved = _longest(transfer.streamed)
        longer = combine(lambda time, beside: hidden(time, beside, placed.overlap), device, moved)
        exposed = longer.total - device.total
        for resource, part in transfer.streamed.items():
            waits[resource] = choose(part.total >= moved.total, exposed, 0.0)
        device = longer
    for resource, whole in _passing(setup, costs, transfer, placed.residence):
        ideal = combine(most, ideal, whole)
        longer = combine(most, device, whole)
        if anywhere(longer.total > device.total):  # an engine reads the same tier
            name = resource_of(resource)
            waits[name] = waits.get(name, 0.0) + longer.total - device.total
        device = longer
    if not captured:
        busy = _launching(setup, device, costs.launches)
        waits[HOST] = busy.total - device.total
        device = busy
    elif engine.graph_batch is not None and anywhere(sequences > (limit := _captured_up_to(setup))):
        beyond = sequences > limit  # runs as steps with prompts do
        busy = _launching(setup, device, costs.launches)
        busy = combine(lambda longer, time: choose(beyond, longer, time), busy, device)
        waits[HOST] = busy.total - device.total
        device = busy
    if engine.collective_latency:
        waited = _collective_waits(device, costs, engine.collective_latency)
        waits[LATENCY] = waits[LATENCY] + waited.total - device.total
        device = waited
    host = _host(setup, sequences, cached)
    waits[HOST] = waits.get(HOST, 0.0) + host
    # later stages of a pipeline prepare a step while the first computes it
    through = None if device.whole is None else device.whole + host
    return StepTime(Sum(device.stages + host, through), ideal, waits)


WIDE = 4
"""Tensor-parallel devices from which on an engine may capture larger batches (SGLang, server_args.py). [1]"""


def _captured_up_to(setup: Setup) -> Real:
    """Most sequences of a captured step. [1]"""
    engine = setup.scenario.engine
    usual = np.inf if engine.graph_batch is None else engine.graph_batch
    wide = engine.wide_graph_batch
    return usual if wide is None else choose(setup.scenario.parallelism.tp >= WIDE, wide, usual)


def _launching(setup: Setup, device: Sum, launches: Sum) -> Sum:
    """A step's time where the host launches its operators one by one: as compiled code, or module by module."""
    engine, launch = setup.scenario.engine, setup.scenario.hardware.achieved.launch
    eager = engine.eager_prompts or not engine.graphs
    if engine.eager_launches is not None and engine.launch_time is None and eager:
        operator = launch * engine.eager_launches
        return combine(lambda time, count: smooth_max(time, count * operator, 0.0), device, launches)
    each = (launch if engine.launch_time is None else engine.launch_time) * engine.launches_per_operator
    return combine(lambda time, count: launched(time, count, each), device, launches)


def _host(setup: Setup, sequences: Real, cached: Real) -> Real:
    """Host time of a step that the device waits for. [s]"""
    engine, layout = setup.scenario.engine, setup.scenario.parallelism
    each = engine.sequence_time * sequences + engine.block_time * cached / engine.kv_block
    several = layout.devices / layout.replicas > 1
    return engine.step_time + each + choose(several, engine.worker_time, 0.0)


def _collective_waits(device: Sum, costs: StepCosts, each: Real) -> Sum:
    """A step's time with what each of its collectives takes beyond its kernel."""
    for priced in costs.priced:
        if priced.block.kind == "collective":
            device = device + combine(lambda count: count * each, _count(priced.block, device))
    return device


def _count(block: Block, like: Sum) -> Sum:
    """Operators of a block in each stage, and in the whole model where `like` says both."""
    whole = np.add.reduce(block.repeat, axis=0)
    if like.whole is None:
        return Sum(whole.item() if whole.size == 1 else whole)
    return Sum(np.add.reduce(block.stages, axis=1), whole)


def pipelined(through: Real, busiest: Real, steps: Real, depth: Real | None = None) -> Real:
    """Time of equal steps through a pipeline: one passes through, the others follow at the slowest stage. [s]

    With a `depth`, so many follow each other until the pipeline has drained.
    """
    drains = 1.0 if depth is None else ceil_div(steps, depth)
    return drains * (through - busiest) + steps * busiest
