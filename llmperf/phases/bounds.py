"""The bound of a phase: what no system beats, whatever its engine does."""

from __future__ import annotations

from typing import Any

from llmperf.costs.roofline import bound, main_memory_bytes
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.numeric import Real, most
from llmperf.phases.kernels import least_traffic
from llmperf.phases.placement import Transfer
from llmperf.phases.setup import Setup
from llmperf.resources import MAIN


def demands(
    setup: Setup, costs: StepCosts, transfer: Transfer, elsewhere: tuple[Real, Real], passes: Real
) -> dict[str, Sum]:
    """Time of every resource for `passes` steps that share their weights. [s]

    Parameters
    ----------
    setup : Setup
    costs : StepCosts
        One priced step.
    transfer : Transfer
        What that step moves from tiers behind the main memory.
    elsewhere : tuple of two numbers or arrays
        Shares of weights and KV cache that the main memory need not deliver. [1]
    passes : number or array
        Steps; 0 leaves what must be moved however little is computed. [1]

    Returns
    -------
    dict of str to Sum
        Weights need to be read once, whatever the steps; what the last-level cache can hold need not be read at all.
        Attention over prompts moves what its I/O bound says (`llmperf.phases.kernels.least_traffic`).
    """
    hardware, machine = setup.scenario.hardware, setup.machine
    once = isinstance(passes, int | float) and passes == 1
    found = {
        name: part if once else combine(lambda time: time * passes, part)
        for name, part in (*costs.demands.items(), *transfer.kv.items())
    }
    for name, part in transfer.weights.items():
        found[name] = found[name] + part if name in found else part
    cache = hardware.cache.capacity if hardware.cache and hardware.cache.capacity is not None else 0.0
    kinds = {priced.memory: priced.block.kind for priced in costs.priced if priced.block.kind != "collective"}
    for name, kind in kinds.items():
        main = name == MAIN
        here, here_kv = (1.0 - elsewhere[0], 1.0 - elsewhere[1]) if main else (1.0, 1.0)
        rate = machine.runs(kind).bandwidth
        held = cache if main else 0.0
        kv = costs.kv_reads[name] + costs.kv_writes[name] if name in costs.kv_writes else None
        weights = costs.weights[name] if name in costs.weights else combine(_nothing, kv or costs.launches)
        kv = kv or combine(_nothing, weights)

        def needed(size: Any, cached: Any, held: Any, here: Any = here, here_kv: Any = here_kv) -> Any:
            return main_memory_bytes(here * size + passes * here_kv * cached, held)

        stages = needed(weights.stages, kv.stages, held)
        whole = None if weights.whole is None else needed(weights.whole, kv.whole, held * setup.shards.pp)
        scores = least_traffic(setup, costs) if main else None
        if scores is not None:
            begin = machine.on_chip
            stages = stages + most(passes * scores.stages - begin, 0.0)
            whole = None if whole is None else whole + most(passes * scores.whole - begin * setup.shards.pp, 0.0)
        found[name] = Sum(stages / rate, None if whole is None else whole / rate)
    return found


def _nothing(quantity: Any) -> Any:
    return 0.0 * quantity


def fastest(setup: Setup, costs: StepCosts, transfer: Transfer, elsewhere: tuple[Real, Real], passes: Real) -> Real:
    """The bound of `passes` equal steps; parameters as in `demands`.

    Returns
    -------
    number or array
        The busiest resource of the busiest stage over all steps; in a pipeline also what the first token needs that
        passes all stages one after the other, for which every stage reads its weights. Into how many micro-batches an
        engine cuts the work is its choice, so that the bound assumes none. [s]
    """
    busiest = bound(part.busiest for part in demands(setup, costs, transfer, elsewhere, passes).values())
    if setup.stages.number == 1:
        return busiest
    return most(busiest, bound(part.total for part in demands(setup, costs, transfer, elsewhere, 0.0).values()))
