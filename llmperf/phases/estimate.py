"""The estimate of a static batch: memory, prefill and decode, for one configuration or for arrays of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, ceil_div, choose, floor_div, least, most
from llmperf.operators.table import Table
from llmperf.outputs import PARTS
from llmperf.phases.answered import Evaluated, figures
from llmperf.phases.decode import decode
from llmperf.phases.memory import (
    TINY,
    Memory,
    bytes_per_token,
    longest_context,
    memory,
    most_sequences,
    one_by_one,
)
from llmperf.phases.placement import Placed, place
from llmperf.phases.prefill import prefill
from llmperf.phases.setup import Setup, setup


def evaluate(scenario: Scenario, sequences: Real | None = None) -> Evaluated:
    """Evaluate a scenario whose numbers are scalars or arrays of one length.

    Parameters
    ----------
    scenario : Scenario
    sequences : number or array, optional
        As of `llmperf.phases.setup.setup`.

    Raises
    ------
    InputError
        If the hardware has no engine for a format, or a placement names an unknown tier.
    """
    prepared, first, then, need, placed = laid_out(scenario, sequences)
    filling = prefill(prepared, first, placed)
    stepping = decode(prepared, then, placed)
    steps = {definition: getattr(stepping, definition) for definition in ("bound", "roofline", "projection")}
    means = dict(zip(("projection", "roofline", "bound"), filling.mean, strict=True))
    times = {name: _times(scenario, getattr(filling, name), means[name], step) for name, step in steps.items()}
    given = {**times, "memory": _footprint(prepared, need, placed)}
    return Evaluated(
        prepared,
        need,
        placed,
        {"prefill": filling, "decode": stepping},
        {name: figures(PARTS[name], values, lambda: scenario) for name, values in given.items()},
    )


def laid_out(scenario: Scenario, sequences: Real | None = None) -> tuple[Setup, Table, Table, Memory, Placed]:
    """A scenario prepared, its operators of prefill and of decode, what they need in memory, and where it lies."""
    prepared = setup(scenario, sequences)
    first, then = prepared.table(prepared.prefill_step), prepared.table(prepared.decode_step)
    need = memory(prepared, first, then)
    placed = place(scenario, need)
    if placed.shares:
        placed = replace(placed, alone=place(scenario, one_by_one(prepared, need)))
    return prepared, first, then, need, placed


def _times(scenario: Scenario, ttft: Real, mean: Real, step: Real) -> dict[str, Real]:
    """Results of `llmperf.outputs.TIMES` by one definition; those with a formula follow from these."""
    work = scenario.workload
    e2e = ttft + (work.output - 1.0) * step
    generated = work.batch * work.output
    tpot = choose(work.output > 1, step, np.nan)
    return {
        "ttft_s": ttft,
        "ttft_mean_s": mean,
        "tpot_s": tpot,
        "itl_s": tpot,
        "e2e_s": e2e,
        "output_tokens_per_s": generated / e2e,
        "total_tokens_per_s": (generated + work.batch * work.input) / e2e,
    }


def _fullest(need: Memory) -> tuple[Real, Real]:
    """Weights, and KV cache and states, of the stage that has most of both together. [B]"""
    weights, kv = need.weights[0], need.kv_cache[0]
    most_of_both = weights + kv
    for own, kept in zip(need.weights[1:], need.kv_cache[1:], strict=True):
        both = own + kept
        fuller = both > most_of_both
        weights, kv = choose(fuller, own, weights), choose(fuller, kept, kv)
        most_of_both = most(most_of_both, both)
    return weights, kv


def _largest_batch(scenario: Scenario, found: Real, placed: Placed) -> Real:
    """The largest batch, at least that of a workload that fits, as far as the engine runs it at once. [1]"""
    limit, work, layout = scenario.engine.max_sequences, scenario.workload, scenario.parallelism
    asked = work.batch if limit is None else least(work.batch, limit * layout.dp * layout.replicas)
    return _at_least(found, asked, placed)


def _at_least(found: Real, asked: Real, placed: Placed) -> Real:
    """A capacity, at least what a workload that fits has of it.

    Prompts that are computed in several steps share them evenly, and need less than steps that fill the budget, for
    which a pool sets memory aside.
    """
    return most(found, choose(placed.missing <= 0.0, asked, 0.0))


def _footprint(prepared: Setup, need: Memory, placed: Placed) -> dict[str, Any]:
    """Classes of memory of the fullest stage, and the results of `llmperf.outputs.CAPACITY`."""
    scenario = prepared.scenario
    work, layout_ = scenario.workload, scenario.parallelism
    copies = layout_.dp * layout_.replicas
    tokens = prepared.decoder_input + work.output
    weights, kv = _fullest(need)
    room = most(placed.room, 0.0)
    token = bytes_per_token(need, tokens)
    pool = room / most(token, TINY)
    if anywhere(need.away > 0.0):
        pool = least(pool, need.elsewhere / most(need.away, TINY) * prepared.sequences * tokens)
    block = scenario.engine.kv_block
    held = prepared.sequences * tokens * copies
    cached = prepared.cached_tokens
    padded = ceil_div(tokens - cached, block) * block + cached
    longest = scenario.model.max_context
    return {
        "weights": weights,
        "kv_cache": kv,
        "activations": need.activations,
        "context": need.context,
        "graphs": need.graphs,
        "capacity": need.capacity,
        "usable": need.usable,
        "required": weights + kv + need.fixed,
        "missing": placed.missing,
        "fits": placed.missing <= 0.0,
        "kv_headroom": choose(room > 0.0, 1.0 - kv / most(room, TINY), np.nan),
        "kv_pool_tokens": choose(token > 0.0, _at_least(floor_div(pool, 1.0) * copies, held, placed), np.nan),
        "max_batch": _largest_batch(scenario, most_sequences(prepared, need, placed.room, padded) * copies, placed),
        "max_context": _at_least(longest_context(prepared, need, room), least(tokens, longest), placed),
        "max_concurrency_at_max_context": most_sequences(prepared, need, placed.room, longest) * copies,
    }
