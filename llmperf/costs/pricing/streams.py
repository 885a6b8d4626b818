"""Prices of passes that stream through the vector engine: norms and activations, quantization, conversion."""

from __future__ import annotations

import numpy as np

from llmperf.costs import elementwise, gemm
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced, limit_parts, memory_time
from llmperf.costs.residence import Residence
from llmperf.costs.roofline import roofline
from llmperf.numeric import Array
from llmperf.operators.table import Block
from llmperf.resources import VECTOR, matrix


def price(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Norms, activations and the like, priced: times in seconds (`llmperf.costs.elementwise.time`)."""
    _, cold = memory_time(block, machine, residence)
    compute = np.zeros_like(cold) if machine.vector_peak is None else block.vector_flops / machine.vector_peak
    fit = machine.fit("elementwise", block.schemes)
    time, slowed = elementwise.time(fit, compute, cold, machine.fill(block.activation_bytes))
    return _streamed(block, machine, time, compute, slowed, cold, np.broadcast_to(fit.latency, cold.shape))


def price_convert(block: Block, machine: Machine, residence: Residence) -> Priced:
    """The pass that converts weights: what it writes has grown out of the cache when the product reads it."""
    rate, runs = machine.vector_rate(block.kind), machine.runs(block.kind)
    cold = memory_time(block, machine, residence)[1]
    compute = np.zeros_like(cold) if rate is None else block.vector_flops / rate
    fit = machine.fit("elementwise", block.schemes)
    slowed, fixed = cold / fit.memory, np.broadcast_to(fit.latency, cold.shape)
    placed = block.kind in machine.hardware.placement
    demands = {} if rate is None else {matrix(runs.engine) if placed else VECTOR: compute}
    limits = limit_parts(runs.memory, np.zeros_like(slowed), slowed, fixed, {VECTOR: compute})
    return Priced(block, fixed + np.maximum(slowed, compute), roofline(compute, cold), limits, demands, runs.memory)


def price_quantize(block: Block, machine: Machine, residence: Residence) -> Priced:
    """The pass that quantizes inputs of products, priced: times in seconds (`llmperf.costs.gemm.quantize_time`)."""
    # measured passes found their inputs in the cache as an engine's do: what it gives is in their constants
    cold = memory_time(block, machine, residence)[1]
    compute = np.zeros_like(cold) if machine.vector_peak is None else block.vector_flops / machine.vector_peak
    time, slowed, fixed = gemm.quantize_time(machine.fit("gemm", block.schemes), cold, block.m)
    return _streamed(block, machine, np.maximum(time, compute), compute, slowed, cold, fixed)


def _streamed(
    block: Block, machine: Machine, time: Array, compute: Array, slowed: Array, cold: Array, fixed: Array
) -> Priced:
    """An operator of the vector engine, priced."""
    known = machine.vector_peak is not None
    name = machine.runs(block.kind).memory
    longer = {VECTOR: np.where(compute > slowed, compute, 0.0)} if known else {}
    limits = limit_parts(name, np.zeros_like(slowed), slowed, fixed, longer)
    return Priced(block, time, roofline(compute, cold), limits, {VECTOR: compute} if known else {}, name)
