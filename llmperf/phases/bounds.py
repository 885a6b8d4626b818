"""The bound of a phase: what no system beats, whatever its engine does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmperf.costs.residence import Residence
from llmperf.costs.roofline import bound, main_memory_bytes
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.numeric import Real, most
from llmperf.operators.tensors import READ_ONLY
from llmperf.phases.kernels import least_traffic
from llmperf.phases.placement import Transfer
from llmperf.phases.setup import Setup
from llmperf.resources import MAIN


def demands(setup: Setup, costs: StepCosts, transfer: Transfer, residence: Residence, passes: Real) -> dict[str, Sum]:
    """Time of every resource for `passes` steps that share their weights. [s]

    Parameters
    ----------
    setup : Setup
    costs : StepCosts
        One priced step.
    transfer : Transfer
        What that step moves from tiers behind the main memory.
    residence : Residence
        Where weights, KV cache and states come from: the main memory need not deliver all of them.
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
        for name, part in (*costs.demands.items(), *transfer.own.items())
    }
    for name, part in transfer.shared.items():
        found[name] = found[name] + part if name in found else part
    cache = hardware.cache.capacity if hardware.cache and hardware.cache.capacity is not None else 0.0
    for name, (shared, own) in _bytes(costs, residence).items():
        main = name == MAIN
        held = cache if main else 0.0
        stages = main_memory_bytes(shared.stages + passes * own.stages, held)
        whole = None
        if shared.whole is not None:
            whole = main_memory_bytes(shared.whole + passes * own.whole, held * setup.shards.pp)
        scores = least_traffic(setup, costs) if main else None
        if scores is not None:
            begin = machine.on_chip
            stages = stages + most(passes * scores.stages - begin, 0.0)
            whole = None if whole is None else whole + most(passes * scores.whole - begin * setup.shards.pp, 0.0)
        rate = machine.memories[name]
        part = Sum(stages / rate, None if whole is None else whole / rate)
        found[name] = found[name] + part if name in found else part
    return found


def streamed(setup: Setup, costs: StepCosts, residence: Residence) -> dict[str, Sum]:
    """Time that each memory needs for the weights, KV cache and states of a step, no cache helping. [s]"""
    rates = setup.machine.memories
    both = {name: shared + own for name, (shared, own) in _bytes(costs, residence).items()}
    return {name: combine(_times(1.0 / rates[name]), moved) for name, moved in both.items()}


def _bytes(costs: StepCosts, residence: Residence) -> dict[str, tuple[Sum, Sum]]:
    """Bytes that each memory delivers: of what steps may share, having only read it, and of what is each step's. [B]"""
    nothing = combine(_nothing, costs.launches)
    several = (part for priced in costs.priced if priced.block.kind != "collective" for part in priced.each)
    found = dict.fromkeys((part.memory for part in several), (nothing, nothing))
    for (memory, tensor, _), moved in costs.moved.items():
        if memory in found:
            beside = memory == MAIN and not residence.whole
            part = combine(_times(residence.here(tensor)), moved) if beside else moved
            shared, own = found[memory]
            found[memory] = (shared + part, own) if tensor in READ_ONLY else (shared, own + part)
    return found


def _nothing(quantity: Any) -> Any:
    return 0.0 * quantity


def _times(share: Real) -> Callable[[Any], Any]:
    return lambda size: share * size


def fastest(setup: Setup, costs: StepCosts, transfer: Transfer, residence: Residence, passes: Real) -> Real:
    """The bound of `passes` equal steps; parameters as in `demands`.

    Returns
    -------
    number or array
        The busiest resource of the busiest stage over all steps; in a pipeline also what the first token needs that
        passes all stages one after the other, for which every stage reads its weights. Into how many micro-batches an
        engine cuts the work is its choice, so that the bound assumes none. [s]
    """
    busiest = bound(part.busiest for part in demands(setup, costs, transfer, residence, passes).values())
    if setup.stages.number == 1:
        return busiest
    return most(busiest, bound(part.total for part in demands(setup, costs, transfer, residence, 0.0).values()))
