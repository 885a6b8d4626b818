"""Prices of matrix products, and of recurrent scans, which are made of them."""

from __future__ import annotations

import numpy as np

from llmperf.costs import gemm
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced, compute_demands, limit_parts, memory_time, vector_time, vector_times
from llmperf.costs.residence import Residence
from llmperf.costs.roofline import roofline
from llmperf.operators.table import Block


def price(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Products and scans, priced: times in seconds (`llmperf.costs.gemm.time`)."""
    compute, demands = compute_demands(block, machine)
    memory, cold = memory_time(block, machine, residence)
    time, reached, slowed, fixed = gemm.time(
        machine.fit("gemm", block.schemes),
        machine.tiled(compute, block.schemes, block.m),
        memory,
        block.k,
        vector_time(demands) * machine.unpacking,
    )
    time = time * machine.slowdown
    name = machine.runs(block.kind).memory
    limits = limit_parts(name, reached, slowed, fixed, demands)
    ideal = roofline(compute, cold, *vector_times(demands))
    if not all(block.required):
        needed = np.array(block.required)[:, None]
        demands = {resource: np.where(needed, part, 0.0) for resource, part in demands.items()}
    return Priced(block, time, ideal, limits, demands, name, cold)
