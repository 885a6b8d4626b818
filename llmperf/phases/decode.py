"""Decode: the mean time of one more token for every sequence of a static batch."""

from __future__ import annotations

from llmperf.numeric import most
from llmperf.operators.table import Table
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed
from llmperf.phases.setup import Setup
from llmperf.phases.timing import timed_step


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
    parts_of_batch = setup.micro_batches
    step = timed_step(setup, setup.decode_step, table, placed, parts_of_batch)
    time, busiest = step.time, step.time.projection.busiest
    return Phase(
        step.bound,
        most(time.roofline.total, parts_of_batch * time.roofline.busiest),
        most(time.projection.total, parts_of_batch * busiest),
        time.waits,
        step.costs,
        parts_of_batch,
        runs=setup.scenario.workload.output > 1,
        busiest=busiest,
    )
