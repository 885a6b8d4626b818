"""Prices of collectives over the links between devices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llmperf.costs import collectives
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced
from llmperf.costs.residence import Residence
from llmperf.numeric import Array
from llmperf.operators.table import Block
from llmperf.resources import LATENCY, SCALE_OUT, SCALE_UP

ONE_SHOT = "all_reduce_custom"
"""Selector of all-reduces in one kernel, which engines use where they are faster than the library."""


def price(block: Block, machine: Machine, _: Residence) -> Priced:
    """Collectives, priced: times in seconds (`llmperf.costs.collectives.time`)."""
    up_link, out_link = machine.scale_up, machine.scale_out
    up_way, out_way = machine.ways
    up, out = collectives.wire_bytes(
        block.operations, block.message, block.message_out, block.ranks_up, block.ranks_out
    )
    needed, reduces = _masks(block.required, block.operations)
    demands: dict[str, Array] = {}
    limits: dict[str, Array] = {}
    time = latency = ideal = np.zeros_like(block.message)
    if up_link is not None:
        # unlike the bound, libraries do not relay through devices that stand idle
        peak = up_link.bandwidth * (
            collectives.reachable(block.ranks_up, machine.domain) if up_link.topology == "mesh" else 1.0
        )
        fit = machine.collective(up_way, block.operations, block.ranks_up)
        spent = collectives.time(fit, up, peak)
        if reduces.any() and machine.one_shot:
            direct = machine.collective(up_way, (ONE_SHOT,) * len(block.operations), block.ranks_up)
            spent = np.where(reduces, np.minimum(spent, collectives.time(direct, up, peak)), spent)
        # a switch that adds lets each device send its vector once; how much a library gains from that is part of the
        # reached bandwidth
        least = np.where(reduces, np.minimum(up, block.message), up) if up_link.in_switch_reduction else up
        demands[SCALE_UP] = np.where(needed, least, 0.0) / up_link.bandwidth
        ideal = np.where(needed, least, 0.0) / peak
        limits[SCALE_UP] = sending = np.minimum(up / (peak * fit.bandwidth), spent)
        time, latency = spent, spent - sending
    if out_link is not None and (out > 0.0).any():
        # devices of one box share what lies between their bridges; those of several have networks of their own
        senders = block.ranks_out if out_link.kind == "scale_out" else block.ranks_out * block.ranks_up
        fit = machine.collective(out_way, block.operations, senders)
        spent = collectives.time(fit, out, out_link.bandwidth)
        demands[SCALE_OUT] = np.where(needed, out, 0.0) / out_link.bandwidth
        ideal = np.maximum(ideal, demands[SCALE_OUT])
        limits[SCALE_OUT] = sending = np.minimum(out / (out_link.bandwidth * fit.bandwidth), spent)
        time, latency = time + spent, latency + spent - sending
    limits[LATENCY] = latency
    return Priced(block, time, ideal, limits, demands)


@lru_cache(maxsize=256)
def _masks(required: tuple[bool, ...], operations: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    reduces = [operation == "all_reduce" for operation in operations]
    return np.array(required)[:, None], np.array(reduces)[:, None]
