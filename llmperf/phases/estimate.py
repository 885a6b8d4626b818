"""The estimate of a static batch: memory, prefill and decode, for one configuration or for arrays of them."""

from __future__ import annotations

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, choose, least, most
from llmperf.operators.table import Table
from llmperf.phases.answered import Evaluated, Footprint, Metrics
from llmperf.phases.decode import decode
from llmperf.phases.memory import (
    TINY,
    Memory,
    bytes_per_token,
    longest_context,
    memory,
    most_sequences,
)
from llmperf.phases.placement import Placed, place
from llmperf.phases.prefill import prefill
from llmperf.phases.setup import Setup, setup


def evaluate(scenario: Scenario) -> Evaluated:
    """Evaluate a scenario whose numbers are scalars or arrays of one length.

    Raises
    ------
    InputError
        If the hardware has no engine for a format, or a placement names an unknown tier.
    """
    prepared, first, then, need, placed = laid_out(scenario)
    filling = prefill(prepared, first, placed)
    stepping = decode(prepared, then, placed)
    return Evaluated(
        prepared,
        need,
        placed,
        filling,
        stepping,
        _footprint(prepared, need, placed),
        _metrics(scenario, filling.bound, filling.mean[2], stepping.bound, None),
        _metrics(scenario, filling.roofline, filling.mean[1], stepping.roofline, None),
        _metrics(scenario, filling.projection, filling.mean[0], stepping.projection, scenario.hardware.tdp),
    )


def laid_out(scenario: Scenario) -> tuple[Setup, Table, Table, Memory, Placed]:
    """A scenario prepared, its operators of prefill and of decode, what they need in memory, and where it lies."""
    prepared = setup(scenario)
    first, then = prepared.table(prepared.prefill_step), prepared.table(prepared.decode_step)
    need = memory(prepared, first, then)
    return prepared, first, then, need, place(scenario, need)


def _metrics(scenario: Scenario, ttft: Real, mean: Real, step: Real, watts: Real | None) -> Metrics:
    """Results of one definition; without a power (no bound of it is known) they have no energy."""
    work = scenario.workload
    e2e = ttft + (work.output - 1.0) * step
    generated = work.batch * work.output
    energy = np.nan if watts is None else e2e * watts * scenario.parallelism.devices
    tpot = choose(work.output > 1, step, np.nan)
    return Metrics(
        ttft,
        mean,
        tpot,
        tpot,
        e2e,
        generated / e2e,
        (generated + work.batch * work.input) / e2e,
        energy,
        energy / generated,
    )


def _footprint(prepared: Setup, need: Memory, placed: Placed) -> Footprint:
    scenario = prepared.scenario
    work, layout_ = scenario.workload, scenario.parallelism
    copies = layout_.dp * layout_.replicas
    tokens = prepared.decoder_input + work.output
    stage = (need.weights + need.kv_cache).argmax(axis=0)
    columns = np.arange(stage.size)
    weights = need.weights[stage % len(need.weights), columns % need.weights.shape[1]]
    kv = need.kv_cache[stage % len(need.kv_cache), columns % need.kv_cache.shape[1]]
    room = most(placed.room, 0.0)
    token = bytes_per_token(need, tokens)
    pool = room / most(token, TINY)
    if anywhere(need.away > 0.0):
        pool = least(pool, need.elsewhere / most(need.away, TINY) * prepared.sequences * tokens)
    block = scenario.engine.kv_block
    cached = prepared.cached_tokens
    padded = -(-(tokens - cached) // block) * block + cached
    longest = scenario.model.max_context
    return Footprint(
        weights,
        kv,
        need.activations,
        need.context,
        need.graphs,
        need.capacity,
        need.usable,
        weights + kv + need.fixed,
        placed.missing,
        placed.missing <= 0.0,
        choose(np.asarray(room > 0.0), 1.0 - kv / most(room, TINY), np.nan),
        choose(np.asarray(token > 0.0), pool // 1.0 * copies, np.nan),
        most_sequences(prepared, need, room, padded) * copies,
        longest_context(prepared, need, room),
        most_sequences(prepared, need, room, longest) * copies,
    )
