"""Prices of passes that stream through the vector engine: norms and activations, quantization, conversion."""

from __future__ import annotations

import numpy as np

from llmperf.costs import elementwise
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced, limit_parts, memory_time
from llmperf.costs.residence import Residence
from llmperf.costs.roofline import roofline
from llmperf.numeric import Array
from llmperf.operators.table import Block
from llmperf.resources import LATENCY, MATRIX, VECTOR, resource_of


def price(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Norms, activations and the like, priced: times in seconds (`llmperf.costs.elementwise.time`)."""
    _, cold = memory_time(block, machine, residence)
    compute = _vector_time(block, machine, cold)
    fit = machine.fit("elementwise", block.schemes)
    time, slowed = elementwise.time(fit, compute, cold, machine.fill(block.activation_bytes))
    return _streamed(block, machine, time, compute, slowed, cold, fit.latency)


def price_convert(block: Block, machine: Machine, residence: Residence) -> Priced:
    """The pass that converts weights: what it writes has grown out of the cache when the product reads it."""
    runs = machine.runs(block.kind)
    resource, rate = machine.vector(block.kind)
    cold = memory_time(block, machine, residence)[1]
    compute = _vector_time(block, machine, cold)
    fit = machine.fit("elementwise", block.schemes)
    slowed, fixed = cold / fit.memory, fit.latency
    demands = {} if rate is None else {resource: compute}
    limits = limit_parts(runs.memory, np.zeros_like(slowed), slowed, fixed, {VECTOR: compute})
    time = fixed + np.maximum(slowed, compute)
    return Priced(block, time, roofline(compute, cold), limits, demands, runs.memory, cold)


def _streamed(
    block: Block, machine: Machine, time: Array, compute: Array, slowed: Array, cold: Array, fixed: Array
) -> Priced:
    """An operator of the vector engine, priced."""
    resource, rate = machine.vector(block.kind)
    name = machine.runs(block.kind).memory
    limits: dict[str, Array] = {MATRIX: np.zeros_like(slowed)}
    if rate is not None:
        limits[resource_of(resource)] = compute * (compute > slowed)
    limits |= {name: slowed, LATENCY: fixed}
    demands = {} if rate is None else {resource: compute}
    return Priced(block, time, roofline(compute, cold), limits, demands, name, cold)


def _vector_time(block: Block, machine: Machine, like: Array) -> Array:
    """Time of the vector work at its peak; none where its rate is not known. [s]"""
    rate = machine.vector(block.kind)[1]
    return np.zeros_like(like) if rate is None else block.vector_flops / rate
