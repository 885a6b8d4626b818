"""The estimate of a static batch: memory, prefill and decode, for one configuration or for arrays of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs.machine import dtypes
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Array, Real, anywhere, choose, least, most
from llmperf.operators import layout
from llmperf.operators.matrix import ENGINES
from llmperf.operators.table import Table
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
from llmperf.phases.prefill import Phase, prefill
from llmperf.phases.setup import Setup, setup, skips

BLOCK = 4096
"""Configurations that are evaluated together: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The results of `llmperf.outputs.TIMES`, by one definition (bound, roofline or projection)."""

    ttft_s: Real
    ttft_mean_s: Real
    tpot_s: Real
    itl_s: Real
    e2e_s: Real
    output_tokens_per_s: Real
    total_tokens_per_s: Real
    energy_j: Real
    energy_per_output_token_j: Real


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one device: classes of the fullest stage, and the results of `llmperf.outputs.CAPACITY`."""

    weights: Real
    kv_cache: Real
    activations: Real
    context: Real
    graphs: Real
    capacity: Real
    usable: Real
    required: Real
    missing: Real
    fits: Any
    kv_headroom: Real
    kv_pool_tokens: Real
    max_batch: Real
    max_context: Real
    max_concurrency_at_max_context: Real


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One block of configurations, with everything that explains it."""

    setup: Setup
    need: Memory
    placed: Placed
    prefill: Phase
    decode: Phase
    footprint: Footprint
    bound: Metrics
    roofline: Metrics
    projection: Metrics


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


def notes(scenario: Scenario) -> list[str]:
    """What the estimate assumes that a user should know: layout, dtypes, missing evidence; one line each."""
    found = layout.notes(scenario.model, scenario.parallelism)
    prepared = setup(scenario)
    hardware, weights = scenario.hardware, scenario.weights
    asked = scenario.activations != weights.activations
    products = scenario.activations if asked else ENGINES.get(weights.product, scenario.activations)
    for use, wanted, got in (
        ("linear layers are", products, prepared.formats.linear),
        ("attention is", "bf16", prepared.formats.attention),
    ):
        if got != wanted and {got, wanted} != {"bf16", "fp16"}:
            found.append(
                f"{hardware.name} has no {wanted} engine (it has {', '.join(dtypes(hardware))}): "
                f"{use} computed in {got}"
            )
    if weights.sparsity is not None and not skips(hardware, weights, prepared.formats.linear):
        found.append(
            f"no engine of {hardware.name} skips {weights.sparsity} zeros in {prepared.formats.linear}: "
            "fewer bytes are read, but products are computed in full"
        )
    shares = scenario.attention.peak_share
    if shares and hardware.generation not in shares:
        found.append(
            f"what {scenario.attention.name} reaches is told for {', '.join(shares)}, not for {hardware.name}: "
            "the fitted constants of the chip stand in"
        )
    if prepared.machine.vector_peak is None:
        found.append(f"{hardware.name}: no vector rate is known; elementwise work is bounded by memory alone")
    if scenario.placement.tiers is None and hardware.memory_order:
        order = ", ".join(hardware.memory_order)
        found.append(
            f"weights and KV cache fill {order} in this order; the part behind the device is streamed or read "
            "from there in every step"
        )
    if anywhere(scenario.workload.batch < scenario.parallelism.dp * scenario.parallelism.replicas):
        found.append("there are more data-parallel ranks or replicas than sequences: some are idle")
    return found


def blocks(scenario: Scenario, size: int) -> Iterator[Scenario]:
    """A scenario with arrays of length `size`, cut into parts of at most `BLOCK` configurations."""
    for begin in range(0, size, BLOCK):
        yield with_arrays(scenario, size, itemgetter(slice(begin, begin + BLOCK)))


def with_arrays(value: Any, size: int, change: Callable[[Array], Array]) -> Any:
    """A scenario, or a part of it, with each of its arrays of length `size` changed."""
    if isinstance(value, np.ndarray):
        return change(value) if value.size == size else value
    if is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for item in fields(value):
            old = getattr(value, item.name)
            new = with_arrays(old, size, change)
            if new is not old:
                changed[item.name] = new
        return replace(value, **changed) if changed else value
    if isinstance(value, dict):
        inner = {key: with_arrays(item, size, change) for key, item in value.items()}
        return inner if any(inner[key] is not value[key] for key in value) else value
    return value


def join(parts: Sequence[Any], size: int, logical: bool = False) -> NDArray[Any]:
    """Results of blocks one after the other, each repeated to the length of its block where it does not vary."""
    out = np.empty(size, dtype=bool if logical else float)
    for begin, part in zip(range(0, size, BLOCK), parts, strict=True):
        out[begin : begin + BLOCK] = np.asarray(part).reshape(-1)
    return out
