"""Steps with prompts: beside decoding sequences, in what they leave of the token budget, or by themselves."""

from __future__ import annotations

from dataclasses import replace

from llmperf.numeric import Real, floor_div, least, most
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed
from llmperf.phases.setup import Setup
from llmperf.phases.timing import timed_step


def mixed(setup: Setup, placed: Placed, prompts: Real | None = None, decoding: bool = True) -> Phase:
    """One step of continuous batching (Sarathi-Serve, arXiv:2403.02310, sec. 4.2: stall-free batches).

    Parameters
    ----------
    setup : Setup
    placed : Placed
        Where weights and KV cache lie.
    prompts : number or array, optional
        Prompts in the step, no more than the token budget takes; without, as many as it takes. [1]
    decoding : bool
        Whether the decoding sequences are in the step, too; without them, prompts have the whole budget.
    """
    scenario = setup.scenario
    others = setup.decode_step
    left = most(scenario.engine.token_budget - (others.sequences if decoding else 0.0), 1.0)
    new = setup.new_tokens
    query = least(new, left)
    most_prompts = most(floor_div(left, query), 1.0)
    beside = most_prompts if prompts is None else least(prompts, most_prompts)
    tokens = beside * query * setup.shards.dp
    step = replace(
        others if decoding else setup.prefill_step,
        prompts=beside,
        query=query,
        before=setup.cached_tokens,
        length=scenario.workload.input,
        group=others.group + tokens if decoding else tokens,
    )
    found = timed_step(setup, step, setup.table(step), placed)
    time = found.time
    return Phase(
        found.bound,
        time.roofline.total,
        time.projection.total,
        time.waits,
        found.costs,
        1.0,
        busiest=time.projection.busiest,
    )
