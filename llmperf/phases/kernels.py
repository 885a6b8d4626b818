"""Kernels of an engine: where they differ from those that the hardware's constants were measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from llmperf.costs.step import StepCosts, Sum, combine
from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.hardware import GemmAchieved, Hardware
from llmperf.descriptors.model import Model
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, least, weighted_sum
from llmperf.operators.attention import SOFTMAX_FLOPS
from llmperf.operators.formats import DTYPE_BYTES

_adapted: dict[tuple[int, int, int], tuple[Hardware, ServingEngine, Model, Hardware]] = {}
_MOST_ADAPTED = 64


def adapted(scenario: Scenario) -> Hardware:
    """The hardware as the engine's kernels reach it; the same object for the same parts.

    Notes
    -----
    Products with few rows that keep few loads in flight reach ``cores clock bytes_per_clock`` of the memory's rate.
    Query heads that do not share the reads of their keys read them ``1 + (1 - kv_sharing) (group - 1)`` times.
    """
    hardware, engine, model = scenario.hardware, scenario.engine, scenario.model
    same = engine.kv_sharing == engine.collective_slowdown == engine.elementwise_slowdown == 1.0
    if same and engine.bytes_per_clock is None:
        return hardware
    key = (id(hardware), id(engine), id(model))
    found = _adapted.get(key)
    if found is None or found[0] is not hardware or found[1] is not engine or found[2] is not model:
        if len(_adapted) >= _MOST_ADAPTED:
            _adapted.clear()
        found = _adapted[key] = (hardware, engine, model, _adapt(hardware, engine, model))
    return found[3]


def _adapt(hardware: Hardware, engine: ServingEngine, model: Model) -> Hardware:
    achieved = hardware.achieved
    if engine.bytes_per_clock is not None and hardware.cores is not None and hardware.clock is not None:
        most: Any = hardware.cores * hardware.clock * engine.bytes_per_clock / _bandwidth(hardware)
        products = {
            name: replace(fit, memory=cast(float, least(fit.memory, most))) for name, fit in achieved.gemm.items()
        }
        achieved = replace(achieved, gemm=products)
    if model.attention is not None and not model.mla:
        reads = 1.0 + (1.0 - engine.kv_sharing) * (model.attention.heads / model.attention.kv_heads - 1.0)
        decoding = achieved.attention_decode
        achieved = replace(achieved, attention_decode=replace(decoding, memory=decoding.memory / reads))
    up, out, slower = achieved.scale_up, achieved.scale_out, engine.collective_slowdown
    up, out = (replace(fit, bandwidth=fit.bandwidth / slower) for fit in (up, out))
    vector = replace(achieved.elementwise, memory=achieved.elementwise.memory / engine.elementwise_slowdown)
    return replace(hardware, achieved=replace(achieved, scale_up=up, scale_out=out, elementwise=vector))


def prompt_copies(scenario: Scenario, hardware: Hardware, costs: StepCosts) -> Sum | None:
    """Time that an engine's prompts spend on copies that others do without; None where there are none. [s]

    Parameters
    ----------
    scenario : Scenario
    hardware : Hardware
        As the engine's kernels reach it (`adapted`).
    costs : StepCosts
        A priced prefill step.

    Notes
    -----
    A 16-bit copy of quantized weights is written in every step, which reads them once more. Scores of attention that
    is not fused with its softmax move `score_bytes` each.
    """
    engine, weights = scenario.engine, scenario.weights
    moved: Sum | None = None
    if engine.dequantized_copy and weights.weight_only and "memory.main" in costs.weights:
        copy = 1.0 + 8.0 * DTYPE_BYTES[scenario.activations] / weights.bits
        moved = combine(lambda size: size * copy, costs.weights["memory.main"])
    if engine.score_bytes:
        scores = _scores(costs)
        if scores is not None:
            part = combine(lambda count: count * engine.score_bytes, scores)
            moved = part if moved is None else moved + part
    if moved is None:
        return None
    known: Mapping[Any, GemmAchieved] = hardware.achieved.gemm
    rate = _bandwidth(hardware) * known.get(scenario.activations, known["default"]).memory
    return combine(lambda size: size / rate, moved)


def _bandwidth(hardware: Hardware) -> Real:
    assert hardware.main.bandwidth is not None
    return hardware.main.bandwidth


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
