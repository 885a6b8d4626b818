"""Kernels of an engine: where they differ from those that the hardware's constants were measured with."""

from __future__ import annotations

from llmperf.costs.machine import Machine
from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.weights import element_bytes
from llmperf.numeric import anywhere, weighted_sum
from llmperf.operators.attention import SOFTMAX_FLOPS
from llmperf.operators.matrix import DTYPE_BYTES


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
    if engine.dequantized_copy and weights.weight_only and "memory.main" in costs.weights:
        copy = 1.0 + DTYPE_BYTES[scenario.activations] / element_bytes(weights)
        moved = combine(lambda size: size * copy, costs.weights["memory.main"])
    if anywhere(kernel.score_bytes > 0.0):
        scores = _scores(costs)
        if scores is not None:
            part = combine(lambda count: count * kernel.score_bytes, scores)
            moved = part if moved is None else moved + part
    if moved is None:
        return None
    hardware = machine.hardware
    assert hardware.main.bandwidth is not None
    rate = hardware.main.bandwidth * machine.fit("gemm", (scenario.activations,)).memory[:, 0]
    rate = rate.item() if rate.size == 1 else rate
    return combine(lambda size: size / rate, moved)


def _scores(costs: StepCosts) -> Sum | None:
    """Attention scores of all prompts in a step. [1]"""
    found: Sum | None = None
    for priced in costs.priced:
        if priced.block.kind == "attention.prefill":
            block = priced.block
            count = block.vector_flops / SOFTMAX_FLOPS
            whole = weighted_sum(block.repeat, count)
            alone = len(block.stages) == 1
            part = Sum(whole if alone else weighted_sum(block.stages, count), None if alone else whole)
            found = part if found is None else found + part
    return found
