"""The bound of a phase: what no system beats, whatever its engine does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmperf.costs.residence import Residence
from llmperf.costs.roofline import bound, main_memory_bytes
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.numeric import Real, anywhere, most
from llmperf.operators.tensors import READ_ONLY
from llmperf.phases.kernels import least_traffic
from llmperf.phases.placement import Transfer
from llmperf.phases.setup import Setup
from llmperf.resources import MAIN


def demands(
    setup: Setup, costs: StepCosts, transfer: Transfer, residence: Residence, passes: Real, sequences: Real
) -> dict[str, Sum]:
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
    sequences : number or array
        Sequences of one step, which a schedule may run one after the other. [1]

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
        delivered = _delivered(shared, own, passes)
        if name == MAIN:
            dense = costs.bytes(("weights",), memories=(MAIN,))
            delivered = _beyond(cache, setup, delivered, combine(_times(passes), own), dense, passes * sequences)
            scores = least_traffic(setup, costs)
            if scores is not None:
                scores = combine(_times(passes), scores)
                delivered = delivered + _beyond(machine.on_chip, setup, scores, scores, None, passes * sequences)
        part = combine(_times(1.0 / machine.memories[name]), delivered)
        found[name] = found[name] + part if name in found else part
    return found


def _delivered(shared: Sum, own: Sum, passes: Real) -> Sum:
    """Bytes of what several steps share, and of what each of them has for itself. [B]"""
    return combine(lambda together, each: together + passes * each, shared, own)


def _beyond(held: Real, setup: Setup, all_of_them: Sum, own: Sum, dense: Sum | None, sequences: Real) -> Sum:
    """Bytes that a memory delivers although something on the chip of each stage holds `held` bytes of them. [B]"""

    def moved(together: Real, each: Real, alone: Real, held: Real) -> Real:
        fits = anywhere(alone < held)
        return main_memory_bytes(together, held, (most(sequences, 1.0), each, alone) if fits else None)

    stages = moved(all_of_them.stages, own.stages, 0.0 if dense is None else dense.stages, held)
    if all_of_them.whole is None:
        return Sum(stages)
    alone = 0.0 if dense is None else dense.whole
    return Sum(stages, moved(all_of_them.whole, own.whole, alone, held * setup.shards.pp))


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
            part = moved if residence.whole else combine(_times(residence.here(tensor, memory)), moved)
            shared, own = found[memory]
            found[memory] = (shared + part, own) if tensor in READ_ONLY else (shared, own + part)
    return found


def _nothing(quantity: Any) -> Any:
    return 0.0 * quantity


def _times(share: Real) -> Callable[[Any], Any]:
    return lambda size: share * size


def fastest(
    setup: Setup, costs: StepCosts, transfer: Transfer, residence: Residence, passes: Real, sequences: Real
) -> Real:
    """The bound of `passes` equal steps; parameters as in `demands`.

    Returns
    -------
    number or array
        The busiest resource of the busiest stage over all steps; in a pipeline also what the first token needs that
        passes all stages one after the other, for which every stage reads its weights. Into how many micro-batches an
        engine cuts the work is its choice, so that the bound assumes none. [s]
    """
    busiest = bound(part.busiest for part in demands(setup, costs, transfer, residence, passes, sequences).values())
    if setup.stages.number == 1:
        return busiest
    first = demands(setup, costs, transfer, residence, 0.0, sequences)
    return most(busiest, bound(part.total for part in first.values()))
