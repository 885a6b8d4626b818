"""Decode: the mean time of one more token for every sequence of a static batch."""

from __future__ import annotations

from llmperf.costs.step import price
from llmperf.numeric import most
from llmperf.operators.table import Table
from llmperf.phases.bounds import fastest
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed, transfers
from llmperf.phases.setup import Setup
from llmperf.phases.timing import step_time


def decode(setup: Setup, table: Table, placed: Placed) -> Phase:
    """Mean time of a decode step over the steps of the workload.

    Parameters
    ----------
    setup : Setup
    table : Table
        Operators of the decode step at the mean context of all steps.
    placed : Placed
        Where weights and KV cache lie.

    Notes
    -----
    Times are evaluated at the mean context of the steps (windows taken into account): all forms are nearly affine in
    the context, and the bytes are exactly so. In a pipeline, a token's micro-batch passes through all stages, and the
    micro-batches follow each other: the longer of the two counts.
    """
    scenario, parts_of_batch = setup.scenario, setup.micro_batches
    costs = price(table, setup.machine, placed.elsewhere)
    moved = transfers(scenario, placed, costs)
    step = setup.decode_step
    cached = step.sequences * step.decode_context(None)
    graphs = scenario.engine.graphs
    time = step_time(setup, costs, moved, placed.overlap, step.sequences, captured=graphs, cached=cached)
    return Phase(
        fastest(setup, costs, moved, placed.elsewhere, parts_of_batch),
        most(time.roofline.total, parts_of_batch * time.roofline.busiest),
        most(time.projection.total, parts_of_batch * time.projection.busiest),
        time.waits,
        costs,
        parts_of_batch,
        runs=scenario.workload.output > 1,
    )
