"""Prices of the grouped products of experts, and of the passes over their tokens."""

from __future__ import annotations

import numpy as np

from llmperf.costs import moe
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced, compute_demands, limit_parts, vector_time, vector_times
from llmperf.costs.residence import Residence
from llmperf.costs.roofline import roofline
from llmperf.operators.table import Block


def price(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Grouped products, priced: times in seconds (`llmperf.costs.moe.time`)."""
    compute, demands = compute_demands(block, machine)
    rate, name = machine.runs(block.kind).bandwidth, machine.runs(block.kind).memory
    stored = (block.expert_bytes * residence.here("experts", name) + block.copy_bytes) / rate
    hottest = np.maximum(block.padded_bytes / np.maximum(block.expert_bytes + block.copy_bytes, 1.0), 1.0)
    busiest = block.padded_flops / (block.dense_flops if block.fills("dense_flops") else block.flops)
    time, reached, slowed, fixed = moe.time(
        machine.fit("moe", block.schemes),
        compute * busiest,
        stored * hottest,
        block.activation_bytes / rate,
        block.foreign_bytes / rate,
        block.k,
        block.m,
        block.hit,
        block.n,
        machine.hardware.cores or 1.0,
        vector_time(demands) * machine.unpacking,
    )
    time = time * machine.slowdown
    limits = limit_parts(name, reached, slowed, fixed, demands)
    ideal = roofline(compute, stored, *vector_times(demands))
    return Priced(block, time, ideal, limits, demands, name, stored)
