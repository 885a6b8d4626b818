"""Kernels of an engine, of attention above all: what they move and keep that the operator table does not count."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs.attention import io_bound
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.attention import computed_scores
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.weights import element_bytes
from llmperf.numeric import Array, anywhere, least, most, weighted_sum
from llmperf.operators.matrix import DTYPE_BYTES
from llmperf.operators.table import Block
from llmperf.operators.tensors import READ_ONLY
from llmperf.phases.setup import Setup
from llmperf.resources import MAIN


def prompt_copies(scenario: Scenario, machine: Machine, costs: StepCosts) -> Sum | None:
    """Time that an engine's prompts spend on copies that others do without; None where there are none. [s]

    Parameters
    ----------
    scenario : Scenario
    machine : Machine
    costs : StepCosts
        A priced prefill step.

    Notes
    -----
    A 16-bit copy of quantized weights is written in every step, which reads them once more. Scores of attention that
    is not fused with its softmax move `score_bytes` each.
    """
    engine, kernel, weights = scenario.engine, scenario.attention, scenario.weights
    moved: Sum | None = None
    read = costs.bytes(READ_ONLY, memories=(MAIN,)) if engine.dequantized_copy and weights.weight_only else None
    if read is not None:
        copy = 1.0 + DTYPE_BYTES[scenario.activations] / element_bytes(weights)
        moved = combine(lambda size: size * copy, read)
    if anywhere(kernel.score_bytes > 0.0) and not kernel.softmax_pass:
        scores = _scores(costs)
        if scores is not None:
            part = combine(lambda count: count * kernel.score_bytes, scores)
            moved = part if moved is None else moved + part
    if moved is None:
        return None
    hardware = machine.hardware
    assert hardware.main.bandwidth is not None
    reached = machine.fit("gemm", (scenario.activations,)).memory[0]
    rate = hardware.main.bandwidth * (reached if reached.size > 1 else reached.item())
    return combine(lambda size: size / rate, moved)


def least_traffic(setup: Setup, costs: StepCosts) -> Sum | None:
    """Bytes that attention over prompts must move in a step, however it is scheduled; None where no bound is known. [B]

    Notes
    -----
    `llmperf.costs.attention.io_bound`, with all that the chip can hold for the fast memory and the fewest bytes that an
    element may have. Latent attention, whose keys come from fewer elements than they have, has no such bound here.
    """
    model, fast = setup.scenario.model, setup.machine.on_chip
    if model.attention is None or model.mla is not None or not anywhere(np.isfinite(fast)):
        return None
    width = model.attention.head_dim
    element = least(setup.formats.kv, setup.formats.hidden)
    recomputed = most(4.0 * setup.shards.heads * (width / model.hidden) ** 2, 1.0)

    def moved(pairs: Any) -> Any:
        return io_bound(pairs, width, fast / element, recomputed) * element

    scores = _scores(costs)
    return None if scores is None else combine(moved, scores)


def held_scores(setup: Setup, block: Block) -> Array | float:
    """Bytes of scores of prompts that an attention kernel keeps at once. [B]"""
    each = setup.scenario.attention.held_score_bytes
    if block.kind != "attention.prefill" or not anywhere(each > 0.0):
        return 0.0
    return computed_scores(block, setup.machine) * each


def _scores(costs: StepCosts) -> Sum | None:
    """Attention scores of all prompts in a step. [1]"""
    found: Sum | None = None
    for priced in costs.priced:
        if priced.block.kind == "attention.prefill":
            block = priced.block
            count = block.scores
            whole = weighted_sum(block.repeat, count)
            alone = len(block.stages) == 1
            part = Sum(whole if alone else weighted_sum(block.stages, count), None if alone else whole)
            found = part if found is None else found + part
    return found
