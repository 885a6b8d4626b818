"""Prefill: the prompts of a static batch, until the last of them has its first token."""

from __future__ import annotations

from llmperf.numeric import least
from llmperf.operators.table import Table
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed
from llmperf.phases.setup import Setup
from llmperf.phases.timing import pipelined, timed_step
from llmperf.resources import HOST


def prefill(setup: Setup, table: Table, placed: Placed) -> Phase:
    """Time until every sequence of the batch has its first token.

    Parameters
    ----------
    setup : Setup
    table : Table
        Operators of the mean prefill step.
    placed : Placed
        Where weights and KV cache lie.

    Notes
    -----
    Prompts longer than the engine's token budget, or more than it holds, take several steps; those follow each other
    through a pipeline. The bound reads the weights once for all of them.
    """
    scenario, steps = setup.scenario, setup.prefill_steps
    step = timed_step(setup, setup.prefill_step, table, placed, steps)
    time, bound = step.time, step.bound
    request, depth = scenario.engine.request_time, scenario.engine.pipeline_depth
    groups = least(setup.sequences, steps)
    middle = steps * (groups + 1.0) / (2.0 * groups)  # the step in which a sequence's first token comes, on average
    ideal = pipelined(time.roofline.total, time.roofline.busiest, steps)
    ideal_mean = pipelined(time.roofline.total, time.roofline.busiest, middle)
    first_in_turn = (setup.sequences + 1.0) / (2.0 * setup.sequences)  # one sequence after the other is best on average
    return Phase(
        bound,
        ideal,
        request + pipelined(time.projection.total, time.projection.busiest, steps, depth),
        {**time.waits, HOST: time.waits[HOST] + request / steps},
        step.costs,
        steps,
        (
            request + pipelined(time.projection.total, time.projection.busiest, middle, depth),
            ideal_mean,
            bound * first_in_turn,
        ),
    )
